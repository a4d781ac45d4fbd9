"""`alula run FILE ENTITY --input ...`: run a task or workflow, and print what it returns."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alula._kits import lazy
from alula.cli import inputs
from alula.cli.execution import Run
from alula.cli.listing import listing
from alula.cli.loading import loaded
from alula.cli.options import Options, options_of, run_options, split_pair
from alula.cli.program import Program, kind_of
from alula.errors import ConfigError, ConversionError
from alula.idl import LiteralMap
from alula.sdk.graph import Entity
from alula.types.transformer import Place

if TYPE_CHECKING:
    from click import shell_completion

    from alula.cli import local, remote_run, submit
else:
    shell_completion = lazy.module("click.shell_completion")  # only a shell that completes comes there
    local = lazy.module("alula.cli.local")  # one of the two ways to run
    remote_run = lazy.module("alula.cli.remote_run")
    submit = lazy.module("alula.cli.submit")


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
        stdin = click.Argument(["stdin"], type=_Dash(entity), required=False, metavar="[-]")
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
        options = options_of(ctx)
        os.environ.update(options.environment)
        if options.remote:
            code = remote_run.run(
                self.entity, self._program, options, lambda place: self._literals(ctx, options, place)
            )
        else:
            code = self._here(ctx, options) if options.local else self._durably(ctx, options)
        if code:
            raise click.exceptions.Exit(code)

    def _here(self, ctx: click.Context, options: Options) -> int:
        one = Run.new(options.raw_output_data_prefix)
        return local.run(self.entity, self._literals(ctx, options, one.place), one, options)

    def _durably(self, ctx: click.Context, options: Options) -> int:
        with lazy.lasting():
            run = submit.run  # imports it
        return run(self.entity, self._program, options, lambda place: self._literals(ctx, options, place))

    def _literals(self, ctx: click.Context, options: Options, place: Place) -> LiteralMap:
        given = {
            str(param.name).removeprefix(inputs.PREFIX): ctx.params[str(param.name)]
            for param in self.flags
            if ctx.params.get(str(param.name)) is not None
        }
        source = ctx.params.get("stdin") or options.inputs_file
        try:
            document = inputs.read_document(source) if source else {}
            return inputs.literals(self.entity, given, document, place, datetime.now(UTC))
        except ConversionError as exc:
            raise click.UsageError(str(exc), ctx) from None
        except inputs.InputFaults as exc:
            exc.ctx = ctx
            raise


class _Dash(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """The lone dash for standard input: the one word that no flag is before."""

    name = "dash"

    def __init__(self, entity: Entity) -> None:
        self._entity = entity

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value == "-":
            return value
        names = list(self._entity.interface.inputs)
        flag = f"inputs are flags, such as {inputs.flags(names[0])[0]} {value}" if names else ""
        said = flag or f"{self._entity.short_name} has no inputs"
        raise click.UsageError(f"{value!r} is not understood: {said}", ctx)


@click.command(cls=RunCommand, params=run_options(), subcommand_metavar="FILE|MODULE [ENTITY] [INPUTS]...")
def run(**_: Any) -> None:
    """Run a task or workflow of a file or module.

    Inputs are flags: alula run flows.py train --rounds 3. Without ENTITY, what the file has is listed. Every step is
    written down: the same command with the same --name goes on after a crash, and does nothing twice.
    """


def _summary(entity: Entity) -> str:
    short = entity.interface.doc.short
    return f"{kind_of(entity).capitalize()} {entity.short_name}" + (f": {short}" if short else "")


def _help_option(command: click.Command, ctx: click.Context) -> list[click.Option]:
    found = command.get_help_option(ctx)
    return [found] if found is not None else []
