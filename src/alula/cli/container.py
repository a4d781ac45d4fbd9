"""`alula container`: what there is to do with container tasks; each command in a module of its own."""

from __future__ import annotations

import click

from alula.cli.groups import LazyGroup

COMMANDS = {
    "verify": ("alula.cli.container_verify:verify", "Run a task's command here as a plain process, with its files."),
}
"""Command to where it is, and what it does in one line."""


class _Commands(LazyGroup):
    table = COMMANDS


@click.group(cls=_Commands)
def container() -> None:
    """Look after container tasks."""
