"""The border of every command: what is wrong is shown as a card, with the exit code that says whose fault it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from alula._kits import lazy
from alula.cli.aside import aside
from alula.cli.card import FAILED, SERVER, USAGE, card
from alula.errors import AlulaError, AuthoringError, Busy, ConfigError, DataError, RequestError, StoreError

if TYPE_CHECKING:
    from alula.cli import bodies
else:
    bodies = lazy.module("alula.cli.bodies")  # many commands read no program


@contextmanager
def reported(what: str, *, verbose: bool = False) -> Iterator[None]:
    """Show what the block raises of ours: trouble of the store, or too much to do there, is 5, what was asked for
    wrongly 2, all else 1. Likewise what the body of a workflow raises, which is the user's."""
    try:
        yield
    except AlulaError as exc:
        aside(card(exc, what, verbose=verbose))
        raise click.exceptions.Exit(code_of(exc)) from None
    except Exception as exc:
        if not bodies.came_of_one(exc):
            raise
        aside(card(exc, what, verbose=verbose))
        raise click.exceptions.Exit(FAILED) from None


def code_of(exc: AlulaError) -> int:
    """The exit code for an error of ours."""
    if isinstance(exc, StoreError | DataError | Busy):
        return SERVER
    if isinstance(exc, RequestError | ConfigError) and not isinstance(exc, AuthoringError):
        return USAGE
    return FAILED
