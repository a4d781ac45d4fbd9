"""`alula container verify FILE TASK --x 1`: a container task's command as a plain process, with the very same files."""

from __future__ import annotations

import shlex
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from alula.cli import inputs, results
from alula.cli.execution import Run
from alula.cli.loading import loaded
from alula.cli.options import split_pair
from alula.cli.program import Program
from alula.containers.files.processes import Around, Rehearsal, rehearse
from alula.errors import AlulaError, ConfigError
from alula.idl import LiteralMap, TaskTemplate, containers
from alula.sdk.compiler import SerializationSettings
from alula.sdk.graph import Entity
from alula.sdk.serialize import serialize
from alula.types import maps

_PAIR = "INSIDE=HERE"


class _Files(click.Group):
    """`alula container verify`: its commands are files and modules."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _Tasks(cmd_name, loaded(cmd_name, ctx))


class _Tasks(click.Group):
    """`alula container verify FILE`: its commands are the container tasks of the file."""

    def __init__(self, name: str, program: Program) -> None:
        super().__init__(name, subcommand_metavar="TASK [INPUTS]...", help=f"Verify a container task of {name}.")
        self._program = program

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in self._program.own if _is_container(self._program.entities[name])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        try:
            entity = self._program.find(cmd_name)
        except ConfigError as exc:
            raise click.UsageError(str(exc), ctx) from None
        if not _is_container(entity):
            known = ", ".join(self.list_commands(ctx)) or "none"
            raise click.UsageError(f"{cmd_name!r} is no container task; container tasks here: {known}", ctx)
        return _Verify(cmd_name, entity)


class _Verify(click.Command):
    """One flag for each input, and how the process is run."""

    def __init__(self, name: str, entity: Entity) -> None:
        self._entity, self._flags = entity, inputs.options(entity)
        taken = {spelling for flag in self._flags for spelling in [*flag.opts, *flag.secondary_opts]}
        settings = [one for one in _settings() if not taken & set(one.opts)]
        super().__init__(name, params=[*self._flags, *settings], options_metavar="[INPUTS] [OPTIONS]")

    def invoke(self, ctx: click.Context) -> None:
        given = ctx.params
        run = Run.new()
        try:
            literals = _literals(self._entity, self._flags, given, run)
            template = _template(self._entity)
        except (AlulaError, inputs.InputFaults) as exc:
            raise click.UsageError(str(exc), ctx) from None
        with tempfile.TemporaryDirectory(prefix="alula-verify-") as scratch:
            folder = Path(given.get("keep") or scratch).absolute()
            if folder.exists() and any(folder.iterdir()):
                raise click.UsageError(f"--keep: the directory {folder} is not empty", ctx)
            around = Around(
                folder,
                run.prefix,
                Path(given.get("directory") or ".").absolute(),
                paths=dict(split_pair(pair, "--map", _PAIR) for pair in given.get("map") or ()),
                environ=dict(split_pair(pair, "--env", "KEY=VALUE") for pair in given.get("env") or ()),
                timeout_seconds=given.get("timeout") or 0,
            )
            try:
                found = rehearse(template, literals, run.objects, around)
            except AlulaError as exc:
                _say("✗", "red", f"container task {self._entity.short_name} cannot be tried out")
                click.echo(str(exc), err=True)
                raise click.exceptions.Exit(1) from None
            self._report(found, run, given)
        if found.failure is not None:
            raise click.exceptions.Exit(1)

    def _report(self, found: Rehearsal, run: Run, given: dict[str, Any]) -> None:
        title = f"container task {self._entity.short_name}"
        if found.outputs is not None:
            form = results.Format(given.get("output") or results.Format.TABLE)
            text = results.shown(found.outputs, self._entity.interface, run.place, form)
            if text:
                click.echo(text)
            _say("✓", "green", f"{title} did what it should")
        else:
            _say("✗", "red", f"{title} failed")
            click.echo(f"  {found.failure}", err=True)
        click.echo(f"  ran: {shlex.join(found.words)}", err=True)
        for hint in found.hints:
            click.echo(f"  hint: {hint}", err=True)
        click.echo("  In a container it would differ:", err=True)
        for one in found.differences:
            click.echo(f"  - {one}", err=True)


@click.command(cls=_Files, subcommand_metavar="FILE|MODULE TASK [INPUTS]...")
def verify() -> None:
    """Run the command of a container task on this machine, without a container engine.

    Its inputs are laid out as the very files that a container gets, and its outputs are read as from a container. What
    a container would have otherwise is listed.
    """


def _settings() -> list[click.Option]:
    forms = click.Choice([form.value for form in results.Format])
    return [
        click.Option(["--inputs-file"], metavar="FILE", help="JSON or YAML with inputs; - is standard input."),
        click.Option(["--map"], multiple=True, metavar=_PAIR, help="A directory of the image, and one here."),
        click.Option(["--env"], multiple=True, metavar="KEY=VALUE", help="Set an environment variable. Repeatable."),
        click.Option(["--directory"], metavar="DIR", help="Where the process starts.  [default: here]"),
        click.Option(["--timeout"], type=float, metavar="SECONDS", help="Stop it then.  [default: as the task says]"),
        click.Option(["--keep"], metavar="DIR", help="Leave the files in this directory, which must be empty."),
        click.Option(["-o", "--output"], type=forms, help="How to print the outputs.  [default: table]"),
    ]


def _literals(entity: Entity, flags: list[inputs.InputFlag], given: dict[str, Any], run: Run) -> LiteralMap:
    """All inputs. Raises ConversionError, InputFaults."""
    texts = {
        str(flag.name).removeprefix(inputs.PREFIX): given[str(flag.name)]
        for flag in flags
        if given.get(str(flag.name)) is not None
    }
    document = inputs.read_document(given["inputs_file"]) if given.get("inputs_file") else {}
    found = inputs.literals(entity, texts, document, run.place, datetime.now(UTC))
    for name, one in entity.interface.inputs.items():
        if name not in found.literals:
            found.literals[name].CopyFrom(maps.literal(one.default, one.converter, run.place))
    return found


def _template(entity: Entity) -> TaskTemplate:
    """Raises AlulaError."""
    specs = serialize(entity, SerializationSettings(builds=False)).tasks
    return specs[entity.name].template


def _is_container(entity: Entity) -> bool:
    """Whether an entity is a task whose command is all that there is to it."""
    try:
        return containers.files_of(_template(entity)).enabled
    except (AlulaError, KeyError):
        return False


def _say(mark: str, color: str, text: str) -> None:
    click.echo(f"{click.style(mark, fg=color)} {text}", err=True)
