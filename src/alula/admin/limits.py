"""How hard plugins may lean on their remotes, changed while engines run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from alula._kits.units import duration
from alula.admin.desk import Desk
from alula.errors import RequestError
from alula.plugin.webapi import Limits

_PREFIX = "backends."
_READ: Mapping[str, Callable[[str], Any]] = {"int": int, "float": float, "timedelta": duration}
NAMES = tuple(one.name for one in fields(Limits) if str(one.type) in _READ)
"""Limits that can be changed."""


@dataclass(frozen=True, slots=True)
class LimitView:
    plugin: str
    limit: str
    value: str


async def limits(desk: Desk, plugin: str = "") -> list[LimitView]:
    """What was changed, of one plugin or of all; what is not here is as the plugin says."""
    found = []
    for key, value in (await desk.store.knobs()).items():
        name, _, limit = key.removeprefix(_PREFIX).rpartition(".")
        if key.startswith(_PREFIX) and limit in NAMES and plugin in ("", name):
            found.append(LimitView(name, limit, value))
    return found


async def set_limit(desk: Desk, plugin: str, limit: str, value: str) -> None:
    """Change a limit of a plugin, in all engines of the store within seconds.

    Args:
        value: Empty: as the plugin says.

    Raises:
        RequestError: There is no such limit, or it takes no such value.
    """
    if limit not in NAMES:
        raise RequestError(f"there is no limit {limit!r}", fix=f"there are: {', '.join(NAMES)}")
    if value:
        kind = next(str(one.type) for one in fields(Limits) if one.name == limit)
        try:
            read = _READ[kind](value)
        except ValueError as exc:
            raise RequestError(f"{limit} of plugin {plugin} is not changed: {exc}", fix=_example(kind)) from exc
        seconds = read.total_seconds() if isinstance(read, timedelta) else read
        if not (math.isfinite(seconds) and seconds > 0):
            raise RequestError(f"{limit} of plugin {plugin} cannot be {value}", fix=_example(kind))
    await desk.store.set_knob(f"{_PREFIX}{plugin}.{limit}", value)


def _example(kind: str) -> str:
    return "a duration above 0, such as 30s" if kind == "timedelta" else "a number above 0"
