"""The user's program, for a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from alula._kits import lazy
from alula.cli.aside import aside
from alula.cli.program import Program, load
from alula.errors import ConfigError

if TYPE_CHECKING:
    from alula.cli import card
else:
    card = lazy.module("alula.cli.card")  # only for a program that fails


def loaded(target: str, ctx: click.Context) -> Program:
    """The program in a file or module; what its code raises is shown, and ends the command."""
    try:
        return load(target)
    except ConfigError as exc:
        raise click.UsageError(str(exc), ctx) from None
    except BaseException as exc:  # noqa: BLE001 - the boundary to the user's code, which may raise anything
        if ctx.resilient_parsing:
            raise click.exceptions.Exit(1) from None
        if isinstance(exc, KeyboardInterrupt):
            aside(f"{click.style('✗', fg='red')} loading {target} aborted")
        else:
            aside(card.card(exc, f"loading {target}", verbose=bool(ctx.params.get("verbose"))))
        raise click.exceptions.Exit(card.exit_code(exc)) from None
