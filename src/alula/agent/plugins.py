"""Which plugins to serve: by the name of an entry point, of a distribution, or of a module."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from alula._kits import lazy
from alula.errors import ConfigError, PluginError
from alula.plugin.core import PluginInfo, SyncPlugin
from alula.plugin.webapi import WebApiPlugin

GROUP = "alula.backends"
KINDS = (WebApiPlugin, SyncPlugin)
Settings = Callable[[PluginInfo], Any]
"""The settings of a plugin, made from what the operator wrote."""


def find(names: Sequence[str], settings: Settings) -> list[WebApiPlugin[Any, Any] | SyncPlugin]:
    """The plugins of that name, made.

    Raises:
        PluginError: There is none, it does not load, or it is of a kind that cannot be an agent.
    """
    found: dict[type, None] = {}
    for name in names:
        classes = _named(name)
        fit = [one for one in classes if issubclass(one, KINDS)]
        if not fit:
            kinds = ", ".join(one.__name__ for one in classes) or "nothing that is a plugin"
            raise PluginError(
                f"{name} has no plugin that an agent can serve; it has {kinds}",
                fix="derive it from alula.plugin.webapi.WebApiPlugin or alula.plugin.core.SyncPlugin",
            )
        found.update(dict.fromkeys(fit))
    return [_made(one, settings) for one in found]


def _named(name: str) -> list[type]:
    points = lazy.entry_points(GROUP)
    if name in points:
        loaded = lazy.load(GROUP, name)
        return [loaded] if isinstance(loaded, type) else []
    theirs = [point for point in points.values() if point.dist is not None and _same(point.dist.name, name)]
    if theirs:
        return [one for point in theirs if isinstance(one := lazy.load_point(point), type)]
    try:
        module = import_module(name)
    except ImportError as exc:
        if exc.name is None or not (name == exc.name or name.startswith(f"{exc.name}.")):
            raise PluginError(
                f"{name} could not be imported: {exc}", fix="repair it, or install what it needs"
            ) from exc
        known = ", ".join(sorted(points)) or "none"
        raise PluginError(
            f"there is no plugin, package or module {name!r}",
            where=f"installed plugins: {known}",
            fix="install it, correct the name, or start in the directory of the module",
        ) from exc
    return _classes(module)


def _classes(module: ModuleType) -> list[type]:
    """The plugins that a module defines, or names in `__all__`."""
    names: Mapping[str, Any] = vars(module)
    listed = getattr(module, "__all__", None)
    chosen = [names[one] for one in listed if one in names] if listed is not None else list(names.values())
    return [
        one
        for one in chosen
        if isinstance(one, type)
        and not inspect.isabstract(one)
        and isinstance(getattr(one, "info", None), PluginInfo)
        and (listed is not None or one.__module__ == module.__name__)
    ]


def _made(cls: type, settings: Settings) -> Any:
    info: PluginInfo = cls.info  # type: ignore[attr-defined]
    if not info.task_types:
        raise ConfigError(f"plugin {info.name} names no task types, so an agent has nothing to offer of it")
    return cls(settings(info)) if info.settings is not None else cls()


def _same(one: str, other: str) -> bool:
    def plain(name: str) -> str:
        return name.lower().replace("_", "-").replace(".", "-")

    return plain(one) == plain(other)
