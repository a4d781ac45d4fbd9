"""Modules that are imported when they are first used."""

from __future__ import annotations

import sys
from typing import Any

from alula._kits import lazy
from alula.compat.names import mirror


def lazy_module(fullname: str) -> Any:
    """A module that is imported at its first use."""
    return sys.modules.get(fullname) or lazy.module(fullname)


def is_imported(module_name: str) -> bool:
    return module_name in sys.modules


__getattr__, __dir__ = mirror(__name__, {"alula._kits.lazy": "LazyModule"})
