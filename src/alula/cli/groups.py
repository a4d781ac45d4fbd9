"""Groups of commands that are imported when they are called: help needs none of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import ClassVar

import click

from alula._kits import lazy

Table = Mapping[str, tuple[str, str]]
"""Command to where it is (`module:name`), and what it does in one line."""


class LazyGroup(click.Group):
    """A group whose commands stand in a table. Subclass it and give the table."""

    table: ClassVar[Table]
    needs: ClassVar[Mapping[str, str]] = {}
    """What to say where a library is missing that a command cannot do without; by the name of its package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.loaded(self.table[cmd_name][0]) if cmd_name in self.table else None

    def loaded(self, where: str) -> click.Command:
        """The command at `module:name`."""
        module, _, name = where.partition(":")
        try:
            with lazy.lasting():
                found: click.Command = getattr(import_module(module), name)
        except ModuleNotFoundError as exc:
            said = self.needs.get((exc.name or "").partition(".")[0])
            if said is None:
                raise
            raise click.ClickException(said) from exc
        return found

    def lines(self) -> list[tuple[str, str]]:
        """Each command, and what it does."""
        return [(name, said) for name, (_, said) in self.table.items()]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(self.lines())
