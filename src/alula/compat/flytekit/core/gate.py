"""Gates over flytekit's promises."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from alula.compat.adopt import adopted
from alula.compat.declared import declared
from alula.compat.flytekit.core.promise import unwrapped, wrapped
from alula.compat.names import mirror
from alula.sdk import gate


def wait_for_input(name: str, timeout: timedelta, expected_type: Any) -> Any:
    """A value that a person gives."""
    with adopted():
        return wrapped(gate.wait_for_input(name, timeout, declared(expected_type)))


def sleep(duration: timedelta) -> Any:
    """Wait before what is ordered after it."""
    with adopted():
        return wrapped(gate.sleep(duration))


def approve(upstream_item: Any, name: str, timeout: timedelta) -> Any:
    """The same value, once a person has approved of it."""
    with adopted():
        return wrapped(gate.approve(unwrapped(upstream_item), name, timeout))


__getattr__, __dir__ = mirror(__name__, {"alula.sdk.gate": "Gate DEFAULT_TIMEOUT"})
