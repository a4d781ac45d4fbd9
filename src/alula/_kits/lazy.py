"""Imports that wait until they are needed: entry points by group and name, names of a module (PEP 562), modules."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from alula.errors import PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@cache
def installed(group: str) -> tuple[EntryPoint, ...]:
    """Every entry point of a group, also those that share a name; read from disk once per process."""
    from importlib import metadata  # 15 ms that a program without plugins need not pay

    return tuple(metadata.entry_points(group=group))


@cache
def entry_points(group: str) -> Mapping[str, EntryPoint]:
    """The entry points of a group by name. Of several with one name the first; `load` refuses such a name."""
    found: dict[str, EntryPoint] = {}
    for point in installed(group):
        found.setdefault(point.name, point)
    return MappingProxyType(found)


@cache
def load(group: str, name: str) -> Any:
    """The object behind the one entry point of that name, imported once.

    Raises:
        PluginError: no such entry point, more than one, or its import failed.
    """
    points = [point for point in installed(group) if point.name == name]
    if not points:
        known = ", ".join(sorted(entry_points(group))) or "none"
        raise PluginError(
            f"no plugin {name!r} in the entry-point group {group!r}",
            where=f"installed in that group: {known}",
            fix="install the distribution that provides it, or correct the name",
        )
    if len(points) > 1:
        owners = " and ".join(sorted(f"{distribution(point)} ({point.value})" for point in points))
        raise PluginError(
            f"the plugin {name!r} of the entry-point group {group!r} is provided {len(points)} times",
            where=owners,
            fix="uninstall all of these distributions but one",
        )
    return load_point(points[0])


@cache
def load_all(group: str, name: str) -> tuple[Any, ...]:
    """The objects behind all entry points of that name, for groups in which a name may be shared; may be empty.

    Raises:
        PluginError: an import failed.
    """
    return tuple(load_point(point) for point in installed(group) if point.name == name)


def load_point(point: EntryPoint) -> Any:
    """The object behind one entry point.

    Raises:
        PluginError: its import failed.
    """
    try:
        return point.load()
    except Exception as exc:  # the border to someone else's module, which may raise anything
        raise PluginError(
            f"the plugin {point.name!r} of the entry-point group {point.group!r} could not be loaded: "
            f"{type(exc).__name__}: {exc}",
            where=f"{distribution(point)}, {point.value}",
            fix="repair or uninstall that distribution",
        ) from exc


def distribution(point: EntryPoint) -> str:
    """The distribution that provides an entry point, with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"


class LazyModule:
    """Stands for a module, and imports it when the first of its attributes is read."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(import_module(self._name), attribute)
        setattr(self, attribute, value)  # the next access does not come here
        return value


def module(name: str) -> Any:
    """A module that is imported at its first use. For a type checker, import it under `TYPE_CHECKING` as well."""
    return LazyModule(name)


def settle() -> None:
    """All that this process has by now lasts: the garbage collector does not look at it before the end."""
    gc.freeze()
    atexit.unregister(gc.unfreeze)
    atexit.register(gc.unfreeze)  # some libraries tell the user of each object that outlives the interpreter


@contextmanager
def lasting() -> Iterator[None]:
    """What is imported in the block lasts: the garbage collector looks at it neither now nor later.

    For programs, not for libraries: it holds for all that the process has at the end of the block.
    """
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        settle()
        if looked:
            gc.enable()


def exports(name_of_module: str, where: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A module's `__getattr__` and `__dir__`, which import each name when it is first used.

    Args:
        name_of_module: `__name__` of the module that exports.
        where: Name to the module that defines it; to `module:attribute` if it has another name there; to `module:` if
            the name stands for the module itself.

    Example:
        __getattr__, __dir__ = exports(__name__, {"File": "alula.types.files"})
    """

    def here() -> ModuleType:
        return sys.modules[name_of_module]

    def __getattr__(name: str) -> Any:
        target = where.get(name)
        if target is None:
            raise AttributeError(f"module {name_of_module!r} has no attribute {name!r}", name=name, obj=here())
        source, colon, attribute = target.partition(":")
        found = import_module(source)
        value = found if colon and not attribute else getattr(found, attribute or name)
        setattr(here(), name, value)  # the next access does not come here
        return value

    def __dir__() -> list[str]:
        return sorted({*vars(here()), *where})

    return __getattr__, __dir__
