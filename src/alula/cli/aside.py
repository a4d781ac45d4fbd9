"""What is said on standard error beside the work: where it has no place, the work goes on without it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import click


def aside(text: str) -> None:
    """Say something on standard error, if that takes it: a full disk or a reader that has left is no reason to stop."""
    with suppress(OSError):
        click.echo(text, err=True)


def give_up() -> None:
    """Drop what standard error still does not take: at the exit of the process it would change the exit code."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        with suppress(OSError):  # it may be no file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
