"""Which adapter makes a Core plugin of a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alula._kits import lazy
from alula.errors import PluginError
from alula.hosting.adapter import Means
from alula.hosting.k8s.settings import ClusterSettings
from alula.hosting.settings import settings
from alula.plugin import typed
from alula.plugin.core import CorePlugin, Plugin, PluginInfo, SyncPlugin
from alula.plugin.k8s import K8sPlugin
from alula.plugin.webapi import WebApiPlugin

if TYPE_CHECKING:
    from alula.hosting import sync, webapi
    from alula.hosting.k8s import adapter as k8s
else:  # a run without plugins needs none of them
    k8s, sync, webapi = (lazy.module(f"alula.hosting.{name}") for name in ("k8s.adapter", "sync", "webapi"))

CLUSTER = "k8s"
"""The section that all plugins of Kubernetes share."""

KINDS: tuple[tuple[type, str], ...] = (
    (CorePlugin, "core"),
    (WebApiPlugin, "webapi"),
    (K8sPlugin, "k8s"),
    (SyncPlugin, "sync"),
)
"""Kinds of plugin, and what they are called."""


def kind_of(plugin: object) -> str:
    """`core`, `webapi`, ... of a plugin or its class; empty: it is none."""
    made = plugin if isinstance(plugin, type) else type(plugin)
    return next((name for kind, name in KINDS if issubclass(made, kind)), "")


def adapt(plugin: Plugin, means: Means) -> CorePlugin[Any]:
    """A plugin as a Core plugin. Raises PluginError for what is none, or lacks what its kind must have."""
    if not isinstance(getattr(plugin, "info", None), PluginInfo):
        raise PluginError(f"{type(plugin).__qualname__} has no `info`", fix="set `info = PluginInfo(...)` in the class")
    match plugin:
        case CorePlugin():
            _keepable(plugin, "state_type")
            return plugin
        case WebApiPlugin():
            _keepable(plugin, "key_type")
            return webapi.WebApiAdapter(plugin, means)
        case K8sPlugin():
            return k8s.K8sAdapter(plugin, means, settings(means.section(CLUSTER), ClusterSettings, what=CLUSTER))
        case SyncPlugin():
            return sync.SyncAdapter(plugin, means)
    raise PluginError(
        f"{type(plugin).__qualname__} is no plugin of a known kind",
        fix=f"derive it from one of the contracts in alula.plugin: {', '.join(name for _, name in KINDS)}",
    )


def _keepable(plugin: Plugin, name: str) -> None:
    """See that what is kept of attempts can be kept, before there is a job of which nothing is. Raises PluginError."""
    kind = getattr(plugin, name, None)
    where = f"{type(plugin).__qualname__}.{name}"
    if kind is None:
        raise PluginError(f"{where} is missing", fix=f"name a frozen dataclass of plain values: `{name} = Key`")
    try:
        typed.check(kind)
    except PluginError as exc:
        raise PluginError(f"{where}, {getattr(kind, '__name__', kind)}: {exc.what}", fix=exc.fix) from exc
