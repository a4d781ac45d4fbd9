"""`alula run FILE ENTITY --input ...`: run a task or workflow, and print what it returns."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from alula._kits import lazy
from alula.cli import inputs, results
from alula.cli.execution import Outcome, Run, Settings, run_entity
from alula.cli.listing import listing
from alula.cli.program import Program, kind_of, load
from alula.cli.progress import Progress
from alula.errors import ConfigError, ConversionError
from alula.idl import LiteralMap
from alula.sdk.graph import Entity

if TYPE_CHECKING:
    from click import shell_completion

    from alula.cli import answers, card
else:
    shell_completion = lazy.module("click.shell_completion")  # only a shell that completes comes there
    answers = lazy.module("alula.cli.answers")  # only a run with gates comes there
    card = lazy.module("alula.cli.card")  # only a run that fails


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `alula run`, from before FILE and after ENTITY."""

    inputs_file: str
    output: results.Format
    answer: tuple[str, ...]
    env: tuple[str, ...]
    cache: bool
    overwrite_cache: bool
    raw_output_data_prefix: str
    quiet: bool
    verbose: bool


def run_options() -> list[click.Option]:
    """The options that may stand before FILE as well as after ENTITY."""
    forms = click.Choice([form.value for form in results.Format])
    return [
        click.Option(["--inputs-file"], metavar="FILE", help="JSON or YAML with inputs; - is standard input."),
        click.Option(["-o", "--output"], type=forms, help="How to print the result.  [default: table]"),
        click.Option(["--answer"], multiple=True, metavar="GATE=VALUE", help="Open a gate. Repeatable."),
        click.Option(["--env"], multiple=True, metavar="KEY=VALUE", help="Set an environment variable. Repeatable."),
        click.Option(["--no-cache"], is_flag=True, help="Run cached tasks as if nothing were cached."),
        click.Option(["--overwrite-cache"], is_flag=True, help="Run cached tasks again, and keep the new results."),
        click.Option(["--raw-output-data-prefix"], metavar="URI", help="Where files and tables go, such as s3://..."),
        click.Option(["-q", "--quiet"], is_flag=True, help="Print the result only."),
        click.Option(["-v", "--verbose"], is_flag=True, help="Show whole tracebacks."),
    ]


class RunCommand(click.Group):
    """`alula run`: its commands are the files of the working directory, and any other file or module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(path.name for path in Path.cwd().glob("*.py") if not path.name.startswith((".", "_")))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for pair in ctx.params.get("env", ()):
            key, value = split_pair(pair, "--env", "KEY=VALUE")
            os.environ[key] = value
        try:
            return ProgramCommand(cmd_name, loaded(cmd_name, ctx))
        except click.exceptions.Exit:
            if ctx.resilient_parsing:  # a shell completes, and nothing can be said
                return None
            raise

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[shell_completion.CompletionItem]:
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [shell_completion.CompletionItem(incomplete, type="file")]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        files = self.list_commands(ctx)
        if files:
            with formatter.section("Files here"):
                formatter.write_text(" ".join(files))


class ProgramCommand(click.Group):
    """`alula run FILE`: its commands are the entities of the file."""

    def __init__(self, name: str, program: Program) -> None:
        super().__init__(
            name,
            invoke_without_command=True,
            no_args_is_help=False,
            subcommand_metavar="ENTITY [INPUTS]...",
            help=f"Run a task or workflow of {name}.",
            callback=self._list,
        )
        self._program = program

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._program.own)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        try:
            return EntityCommand(cmd_name, self._program.find(cmd_name), self._program)
        except ConfigError as exc:
            raise click.UsageError(str(exc), ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("It has"):
            formatter.write_dl(
                [(name, _summary(self._program.entities[name])) for name in self._program.own] or [("nothing", "")]
            )

    def _list(self) -> None:
        ctx = click.get_current_context()
        if ctx.invoked_subcommand is None:
            click.echo(listing(self._program))


class EntityCommand(click.Command):
    """`alula run FILE ENTITY`: one flag for each input."""

    def __init__(self, name: str, entity: Entity, program: Program) -> None:
        self.entity, self._program = entity, program
        self.flags = inputs.options(entity)
        taken = {spelling for flag in self.flags for spelling in [*flag.opts, *flag.secondary_opts]}
        self.settings = [one for one in run_options() if not taken & set(one.opts)]
        stdin = click.Argument(["stdin"], type=click.Choice(["-"]), required=False)
        super().__init__(name, params=[*self.flags, *self.settings, stdin], options_metavar="[INPUTS] [OPTIONS]")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.help = "\n\n".join(part for part in (_summary(self.entity), self.entity.interface.doc.long) if part)
        super().format_help_text(ctx, formatter)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [self.options_metavar or ""]  # the lone dash for standard input is said with --inputs-file

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, params in (("Inputs", self.flags), ("Options", [*self.settings, *_help_option(self, ctx)])):
            records = [record for param in params if (record := param.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def invoke(self, ctx: click.Context) -> None:
        options = _options(ctx)
        for pair in options.env:
            key, value = split_pair(pair, "--env", "KEY=VALUE")
            os.environ[key] = value
        run = Run.new(options.raw_output_data_prefix)
        literals = self._literals(ctx, options, run)
        outcome = self._outcome(literals, run, options)
        text = results.shown(outcome.outputs, self.entity.interface, run.place, options.output)
        if text:
            click.echo(text)
        if not options.quiet:
            _farewell(self.entity, outcome, run)

    def _literals(self, ctx: click.Context, options: Options, run: Run) -> LiteralMap:
        given = {
            str(param.name).removeprefix(inputs.PREFIX): ctx.params[str(param.name)]
            for param in self.flags
            if ctx.params.get(str(param.name)) is not None
        }
        source = ctx.params.get("stdin") or options.inputs_file
        try:
            document = inputs.read_document(source) if source else {}
            return inputs.literals(self.entity, given, document, run.place, datetime.now(UTC))
        except ConversionError as exc:
            raise click.UsageError(str(exc), ctx) from None
        except inputs.InputFaults as exc:
            exc.ctx = ctx
            raise

    def _outcome(self, literals: LiteralMap, run: Run, options: Options) -> Outcome:
        progress = None if options.quiet else Progress()
        pairs = dict(split_pair(pair, "--answer", "GATE=VALUE") for pair in options.answer)
        try:
            settings = Settings(
                cache=options.cache,
                overwrite_cache=options.overwrite_cache,
                answers=answers.typed(self.entity, pairs, run.place) if pairs else {},
                observe=progress.tell if progress else None,
            )
            with progress.watching() if progress else nullcontext():
                return run_entity(self.entity, literals, run, settings)
        except ConfigError as exc:
            raise click.UsageError(str(exc)) from None
        except BaseException as exc:  # noqa: BLE001 - the boundary to the user's code, which may raise anything
            _fail(exc, f"{kind_of(self.entity)} {self.entity.short_name}", run, verbose=options.verbose)


@click.command(cls=RunCommand, params=run_options(), subcommand_metavar="FILE|MODULE [ENTITY] [INPUTS]...")
def run(**_: Any) -> None:
    """Run a task or workflow of a file or module, here and now.

    Inputs are flags: alula run flows.py train --rounds 3. Without ENTITY, what the file has is listed.
    """


def loaded(target: str, ctx: click.Context) -> Program:
    """The program in a file or module; what its code raises is shown, and ends the command."""
    try:
        return load(target)
    except ConfigError as exc:
        raise click.UsageError(str(exc), ctx) from None
    except BaseException as exc:  # noqa: BLE001 - the boundary to the user's code, which may raise anything
        if ctx.resilient_parsing:
            raise click.exceptions.Exit(1) from None
        _fail(exc, f"loading {target}", None, verbose=bool(ctx.params.get("verbose")))


def split_pair(text: str, option: str, wanted: str) -> tuple[str, str]:
    """`KEY=VALUE` as key and value. Raises a usage error."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"{option} {text!r} is not of the form {wanted}")
    return key, value


def _options(ctx: click.Context) -> Options:
    """What was given after ENTITY, else before FILE."""
    chain: list[dict[str, Any]] = []
    at: click.Context | None = ctx
    while at is not None and at.command is not run.callback and len(chain) < 3:
        chain.append(at.params)
        at = at.parent

    def last(name: str) -> Any:
        return next((params[name] for params in chain if params.get(name)), None)

    def both(name: str) -> tuple[str, ...]:
        return tuple(value for params in reversed(chain) for value in params.get(name) or ())

    return Options(
        inputs_file=last("inputs_file") or "",
        output=results.Format(last("output") or "table"),
        answer=both("answer"),
        env=both("env"),
        cache=not last("no_cache"),
        overwrite_cache=bool(last("overwrite_cache")),
        raw_output_data_prefix=last("raw_output_data_prefix") or "",
        quiet=bool(last("quiet")),
        verbose=bool(last("verbose")),
    )


def _fail(exc: BaseException, title: str, run: Run | None, *, verbose: bool) -> NoReturn:
    if isinstance(exc, KeyboardInterrupt):
        click.echo(f"{click.style('✗', fg='red')} {title} aborted", err=True)
    else:
        click.echo(card.card(exc, title, verbose=verbose), err=True)
        _say_reports(run)
    raise click.exceptions.Exit(card.exit_code(exc)) from None


def _farewell(entity: Entity, outcome: Outcome, run: Run) -> None:
    took = click.style(f"  {outcome.seconds:.1f} s", dim=True) if outcome.seconds >= 0.1 else ""
    click.echo(f"{click.style('✓', fg='green')} {kind_of(entity)} {entity.short_name} succeeded{took}", err=True)
    _say_reports(run)


def _say_reports(run: Run | None) -> None:
    if run is not None and run.reports.is_dir():
        for path in sorted(run.reports.iterdir()):
            click.echo(f"  report: {path}", err=True)


def _summary(entity: Entity) -> str:
    short = entity.interface.doc.short
    return f"{kind_of(entity).capitalize()} {entity.short_name}" + (f": {short}" if short else "")


def _help_option(command: click.Command, ctx: click.Context) -> list[click.Option]:
    found = command.get_help_option(ctx)
    return [found] if found is not None else []
