"""The harnesses of a package: by entry points, or in a module `conformance` of its own."""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.util import find_spec

from alula._kits import lazy
from alula.errors import PluginError, Unknown
from alula.testing.kit.harness import Harness

GROUP = "alula.conformance"
"""Entry points whose value is a subclass of `Harness`, or a module that has some."""


def harnesses_of(package: str) -> list[Harness]:
    """Those of a distribution, a module, a plugin (the name of an entry point), or `module:Class`.

    Raises:
        Unknown: There are none.
        PluginError: They cannot be imported.
    """
    wanted = _plain(package)
    found: list[object] = []
    for point in lazy.installed(GROUP):
        dist = point.dist.name if point.dist else ""
        if wanted in (_plain(point.name), _plain(dist), _plain(point.value.partition(":")[0].partition(".")[0])):
            found.append(lazy.load_point(point))
    if not found:
        found = _imported(package)
    made = [cls() for value in found for cls in classes_in(value)]
    if not made:
        known = ", ".join(sorted({point.name for point in lazy.installed(GROUP)})) or "none"
        raise Unknown(
            f"{package!r} names no harness to verify a plugin with",
            where=f"looked in the entry points {GROUP!r} (there are: {known}) and in the module {package}.conformance",
            fix="write a subclass of alula.testing.Harness: docs/how-to/verify-a-plugin.md",
        )
    return made


def classes_in(value: object) -> list[type[Harness]]:
    """A harness, or those that a module has."""
    if isinstance(value, type) and issubclass(value, Harness) and not inspect.isabstract(value):
        return [value]
    if not inspect.ismodule(value):
        return []
    own = [one for one in vars(value).values() if isinstance(one, type) and one.__module__ == value.__name__]
    return [cls for one in own for cls in classes_in(one)]


def _imported(package: str) -> list[object]:
    module, _, name = package.partition(":")
    names = [module] if name else [f"{module}.conformance", module]
    for one in (each.replace("-", "_") for each in names):
        try:
            if find_spec(one) is None:
                continue
            there = import_module(one)
        except ModuleNotFoundError as exc:
            if exc.name is not None and (one == exc.name or one.startswith(f"{exc.name}.")):
                continue
            raise _broken(one, exc) from exc
        except Exception as exc:  # someone else's module, which may raise anything
            raise _broken(one, exc) from exc
        found = getattr(there, name, None) if name else there
        if found is not None and classes_in(found):
            return [found]
    return []


def _broken(module: str, exc: Exception) -> PluginError:
    return PluginError(
        f"the harness in {module} could not be loaded: {type(exc).__name__}: {exc}", fix="repair that module"
    )


def _plain(name: str) -> str:
    return name.replace("_", "-").lower()
