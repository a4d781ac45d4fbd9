"""Where an object was made, and which variable holds it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from alula.compat.names import mirror
from alula.sdk.task import names_of


class TrackedInstance:
    """Knows the module that made it, and finds the variable there that holds it."""

    instantiated_in: str | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__new__(cls)
        frame: Any = sys._getframe(1)
        while frame is not None and (frame.f_locals.get("self") is made or _inside(frame)):
            frame = frame.f_back
        made.instantiated_in = frame.f_globals.get("__name__") if frame is not None else None
        return made

    @property
    def lhs(self) -> str:
        """The variable that holds it."""
        module = sys.modules.get(self.instantiated_in or "")
        for name, value in vars(module).items() if module is not None else ():
            if value is self:
                return name
        raise ValueError(f"no variable of module {self.instantiated_in} holds {self!r}")

    def find_lhs(self) -> str:
        return self.lhs

    @property
    def location(self) -> str:
        return f"{self.instantiated_in}.{self.lhs}"


def extract_task_module(f: Any) -> tuple[str, str, str, str]:
    """Full name, module, short name and file of a function, or of an object that a module holds."""
    if isinstance(f, TrackedInstance):
        module, name = f.instantiated_in or "", f.lhs
    else:
        module, name = names_of(f)
    loaded = sys.modules.get(module)
    return f"{module}.{name}", module, name, str(getattr(loaded, "__file__", ""))


def isnested(func: Callable[..., Any]) -> bool:
    return "<locals>" in func.__qualname__


def istestfunction(func: Callable[..., Any]) -> bool:
    module = func.__module__.rpartition(".")[2]
    return module.startswith("test_") or module.endswith("_test")


def is_functools_wrapped_module_level(func: Callable[..., Any]) -> bool:
    wrapped = getattr(func, "__wrapped__", None)
    return wrapped is not None and not isnested(wrapped)


def _inside(frame: Any) -> bool:
    """Whether a frame is this layer's own."""
    return str(frame.f_globals.get("__name__", "")).startswith("alula.")


__getattr__, __dir__ = mirror(__name__, {})
