"""Tracked instances with abstract methods."""

from __future__ import annotations

from abc import ABC

from alula.compat.flytekit.core.tracker import TrackedInstance
from alula.compat.names import mirror


class FlyteTrackedABC(TrackedInstance, ABC):
    """A base for both."""


__getattr__, __dir__ = mirror(__name__, {})
