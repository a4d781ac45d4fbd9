"""Errors of eager workflows."""

from __future__ import annotations

from alula.compat.names import mirror


class EagerException(Exception):
    """What a task that an eager workflow awaits has raised."""


__getattr__, __dir__ = mirror(__name__, {})
