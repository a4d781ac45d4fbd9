"""`alula plugin`: what there is to do with backend plugins; each command in a module of its own, loaded when called."""

from __future__ import annotations

import click

from alula.cli.groups import LazyGroup

COMMANDS = {
    "list": ("alula.cli.plugin_list:list_", "Show what is installed, what it runs, and why it does not."),
    "limit": ("alula.cli.plugin_limit:limit", "Show and change how hard a plugin may lean on its remote."),
    "new": ("alula.cli.plugin_new:new", "Write an installable package, with tests that pass."),
    "schema": ("alula.cli.plugin_schema:schema", "Print what tasks of a plugin must carry, as JSON Schema."),
    "verify": ("alula.cli.plugin_verify:verify", "Try everything that can go wrong at each call, and grade it."),
}
"""Command to where it is, and what it does in one line."""


class _Commands(LazyGroup):
    table = COMMANDS


@click.group(cls=_Commands)
def plugin() -> None:
    """Look after backend plugins."""
