"""Where an entity is found again in this program: the module and the variable that hold it."""

from __future__ import annotations

import sys
from operator import attrgetter
from typing import Any


def address_of(entity: object) -> tuple[str, str] | None:
    """Module and dotted name under which an object is found; None: under none, like a function inside a function."""
    fn = getattr(entity, "fn", entity)
    module, name = getattr(fn, "__module__", ""), getattr(fn, "__qualname__", "")
    if name and "<locals>" not in name and _found(module, name) is entity:
        return module, name
    for module, found in list(sys.modules.items()):
        for name, value in list(getattr(found, "__dict__", {}).items()):
            if value is entity:
                return module, name
    return None


def at(module: str, name: str) -> Any:
    """The object of an address. Raises ImportError, AttributeError."""
    if module not in sys.modules:
        __import__(module)
    return attrgetter(name)(sys.modules[module])


def _found(module: str, name: str) -> Any:
    try:
        return attrgetter(name)(sys.modules.get(module))
    except AttributeError:
        return None
