"""Modules made of names from elsewhere, and the one error for a name that this layer lacks."""

from __future__ import annotations

import difflib
import dis
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Self

from alula._kits.lazy import exports
from alula.errors import AlulaError

OURS = "alula.compat."

INSTEAD = {
    "flytekit.remote": "use the client of Alula, which comes with a later version",
    "flytekit.clients": "use the client of Alula, which comes with a later version",
    "flytekit.clis": "use the command `alula`",
    "flytekit.interaction": "use the command `alula run`",
    "flytekit.interactive": "use a debugger on a local run",
    "flytekit.bin": "use the command `alula-execute`",
    "flytekit.extend.backend": "write a backend plugin for Alula",
    "flytekit.FlyteRemote": "use the client of Alula, which comes with a later version",
    "flytekit.SensorEngine": "derive sensors from flytekit.sensor.BaseSensor; no engine of their own runs them",
    "flytekit.sensor.sensor_engine": "derive sensors from flytekit.sensor.BaseSensor; no engine of their own runs them",
}
"""By the start of a path: what to do in Alula instead."""


class NotMirrored(AlulaError, ImportError):
    """Alula's flytekit layer has no such module, or a module of it no such name to import."""

    @classmethod
    def module(cls, path: str) -> Self:
        made = cls(f"there is no {path} in Alula's flytekit layer", where="import", fix=_advice(path, ()))
        made.name = path
        return made

    @classmethod
    def attribute(cls, module: str, name: str, known: Mapping[str, Any], where: str) -> Self:
        path = f"{module.removeprefix(OURS)}.{name}"
        return cls(f"there is no {path} in Alula's flytekit layer", where=where, fix=_advice(path, known))


class NoSuchName(AlulaError, AttributeError):
    """The same, for code that asks a module for an attribute."""


def mirror(module: str, table: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A module's `__getattr__` and `__dir__`: names by the path where they live, and a clear error for all others.

    Args:
        module: `__name__` of the module.
        table: Module path to the names that are taken from it, separated by blanks; `theirs=ours` for one that is
            called otherwise there, `theirs=` for the module itself.
    """
    where: dict[str, str] = {}
    for source, names in table.items():
        for word in names.split():
            theirs, equals, ours = word.partition("=")
            where[theirs] = f"{source}:{ours}" if equals else source
    found, listed = exports(module, where)

    def __getattr__(name: str) -> Any:
        if name in where:
            return found(name)
        if name == "__all__":  # for `from module import *`
            return sorted({*where, *(each for each in vars(sys.modules[module]) if not each.startswith("_"))})
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        asking = sys._getframe(1)
        known = {**where, **vars(sys.modules[module])}
        error = NotMirrored.attribute(module, name, known, f"{asking.f_code.co_filename}:{asking.f_lineno}")
        if _imports(asking):
            raise error
        raise NoSuchName(error.what, where=error.where, fix=error.fix)

    return __getattr__, listed


def _imports(frame: FrameType) -> bool:
    """Whether the frame is at `from ... import name`, which would hide the text of an AttributeError."""
    code = frame.f_code.co_code
    return 0 <= frame.f_lasti < len(code) and dis.opname[code[frame.f_lasti]] == "IMPORT_FROM"


def _advice(path: str, known: Any) -> str:
    for start, instead in INSTEAD.items():
        if path == start or path.startswith(start + "."):
            return instead
    near = difflib.get_close_matches(path.rpartition(".")[2], [name for name in known if not name.startswith("_")], 1)
    return f"perhaps {near[0]} is meant" if near else "use its counterpart in `alula`, or report that it is missing"
