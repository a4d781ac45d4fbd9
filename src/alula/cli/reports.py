"""The border of every command: what is wrong is shown as a card, with the exit code that says whose fault it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from alula.cli.aside import aside
from alula.cli.card import FAILED, SERVER, USAGE, card
from alula.errors import AlulaError, AuthoringError, Busy, ConfigError, DataError, RequestError, StoreError


@contextmanager
def reported(what: str, *, verbose: bool = False) -> Iterator[None]:
    """Show what the block raises of ours: trouble of the store, or too much to do there, is 5, what was asked for
    wrongly 2, all else 1."""
    try:
        yield
    except AlulaError as exc:
        aside(card(exc, what, verbose=verbose))
        raise click.exceptions.Exit(code_of(exc)) from None


def code_of(exc: AlulaError) -> int:
    """The exit code for an error of ours."""
    if isinstance(exc, StoreError | DataError | Busy):
        return SERVER
    if isinstance(exc, RequestError | ConfigError) and not isinstance(exc, AuthoringError):
        return USAGE
    return FAILED
