"""`alula image`: what there is to do with container images; each command is loaded when it is called."""

from __future__ import annotations

import click

from alula.cli.groups import LazyGroup

COMMANDS = {
    "build": ("alula.cli.image_build:build", "Build what the tasks of a file or module say that they need."),
}
"""Command to where it is, and what it does in one line."""


class _Commands(LazyGroup):
    table = COMMANDS


@click.group(cls=_Commands)
def image() -> None:
    """Build the images of tasks that run in containers."""
