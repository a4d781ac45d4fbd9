"""Which plugin runs a task, where somebody has said so beside its type; flyteidl has no field in a task for that."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

_PLUGINS, _OR_USUAL = "alula/plugins", "alula/plugins-or-usual"
"""In `TaskTemplate.config`."""


@dataclass(frozen=True, slots=True)
class Route:
    """Names of plugins, the first of which that is there runs the task."""

    plugins: tuple[str, ...]
    or_usual: bool = False
    """Where none of them is there, whoever else runs such tasks does; else nobody does."""


def write_route(into: MutableMapping[str, str], route: Route) -> None:
    """Note who runs a task."""
    into[_PLUGINS] = ",".join(route.plugins)
    if route.or_usual:
        into[_OR_USUAL] = "true"


def read_route(config: Mapping[str, str]) -> Route | None:
    """Who runs a task; None: whoever runs such tasks."""
    named = config.get(_PLUGINS, "") if config else ""
    return Route(tuple(named.split(",")), _OR_USUAL in config) if named else None
