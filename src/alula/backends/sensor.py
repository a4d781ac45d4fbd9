"""Waiting for a file: `FileSensor` looks whether an object is there, ever more rarely, and keeps nothing but a date."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from alula._kits.clock import Clock, SystemClock
from alula._kits.units import shown_duration
from alula.data import uris
from alula.errors import Rejected, RemoteError
from alula.idl import LiteralMap, literals
from alula.plugin.context import TaskContext
from alula.plugin.core import CorePlugin, PluginInfo
from alula.plugin.phase import Phase, PhaseInfo, Transition
from alula.plugin.template import as_text

_NAME = "FileSensor"
_MARGIN_SECONDS = 1.0
"""The engine ends the attempt at its timeout, whatever happens; the sensor says why somewhat before."""


@dataclass(frozen=True, slots=True)
class SensorJob:
    """`TaskTemplate.custom` of tasks of type `sensor`, as flytekit's SDK writes it."""

    sensor_module: str = ""
    sensor_name: str = ""
    sensor_config: Mapping[str, Any] | None = None
    inputs: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """`[backends.sensor]`"""

    first: timedelta = timedelta(seconds=1)
    """Between the first look and the second."""
    growth: float = 1.5
    """How much longer each pause is than the one before."""
    longest: timedelta = timedelta(minutes=1)
    """The longest pause."""
    timeout: timedelta = timedelta(days=7)
    """Of sensors whose task has none: nothing waits for ever."""
    schemes: tuple[str, ...] = ("file", "s3", "gs", "az", "memory")
    """Where it looks. `http` is left out, since it would let users have the engine call any address."""
    under: tuple[str, ...] = field(default=())
    """Prefixes; it looks nowhere else. Empty: anywhere."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is kept of a sensor."""

    began: datetime


class FileSensor(CorePlugin[Watch]):
    """Sensors for files and prefixes, thousands in one process: one that waits is a date and a timer."""

    info = PluginInfo("sensor", frozenset({"sensor"}), SensorJob, SensorSettings)
    state_type = Watch

    def __init__(self, settings: SensorSettings | None = None, *, clock: Clock | None = None) -> None:
        self._settings, self._clock = settings or SensorSettings(), clock or SystemClock()

    async def handle(self, task: TaskContext, state: Watch | None) -> Transition[Watch]:
        now = self._clock.now()
        watch = state or Watch(now)
        path = await self._path(task)
        if await _is_there(task, path):
            return Transition(PhaseInfo.succeeded(LiteralMap()), watch, None)
        elapsed = max(0.0, (now - watch.began).total_seconds())
        looks, due = self._schedule(elapsed)
        limit = self._limit(task)
        reason = f"{path} is not there yet; looked {looks} time{'s' if looks > 1 else ''}"
        if elapsed >= limit:
            waited = shown_duration(timedelta(seconds=elapsed))
            text = f"{path} was not there after {waited}; looked {looks + 1} times. Raise timeout=, or see who makes it"
            return Transition(PhaseInfo.failed("SensorTimeout", text, recoverable=True), watch, None)
        pause = max(0.0, min(due, limit) - elapsed)
        return Transition(PhaseInfo(Phase.RUNNING, reason), watch, timedelta(seconds=pause))

    async def abort(self, task: TaskContext, state: Watch | None, reason: str) -> None:
        """Nothing is outside."""

    async def finalize(self, task: TaskContext, state: Watch | None) -> None:
        """Nothing is outside."""

    def _schedule(self, elapsed: float) -> tuple[int, float]:
        """How many looks there were in so many seconds, and at what second the next one is due."""
        settings = self._settings
        pause, longest = settings.first.total_seconds(), settings.longest.total_seconds()
        looks, at = 1, pause
        while at <= elapsed + 1e-3 and pause < longest:
            pause = min(longest, pause * max(1.0, settings.growth))
            looks, at = looks + 1, at + pause
            if settings.growth <= 1:
                break
        if at <= elapsed + 1e-3:
            more = math.floor((elapsed + 1e-3 - at) / pause) + 1
            looks, at = looks + more, at + more * pause
        return looks, at

    def _limit(self, task: TaskContext) -> float:
        """Seconds after which it gives up."""
        own = task.template.metadata.timeout
        seconds = own.seconds + own.nanos / 1e9
        if not seconds:
            return self._settings.timeout.total_seconds()
        return float(seconds - min(_MARGIN_SECONDS, seconds / 10))

    async def _path(self, task: TaskContext) -> str:
        job, given = task.custom(SensorJob), await task.inputs()
        if job.sensor_name != _NAME:
            raise Rejected(
                f"{job.sensor_name or 'this sensor'} is code of its user, and runs neither here nor in the engine",
                fix="route tasks of type `sensor` to an agent that has it, or derive it from BaseSensor of alula.tasks",
            )
        if "path" not in given.literals:
            raise Rejected("a FileSensor takes one input, `path`", where=", ".join(sorted(given.literals)))
        path = as_text(literals.unpacked(given.literals["path"]))
        scheme = uris.scheme(path)
        if scheme not in self._settings.schemes:
            raise Rejected(
                f"{path} is not looked for: sensors look in {', '.join(self._settings.schemes)}",
                fix="have the operator add it to `schemes` in [backends.sensor]",
            )
        if scheme == "file" and not path.removeprefix("file://").startswith("/"):
            raise Rejected(f"{path!r} is a relative path, which means nothing to an engine", fix="give it from / on")
        if self._settings.under and not any(_below(path, one) for one in self._settings.under):
            raise Rejected(
                f"{path} is not looked for: sensors look under {', '.join(self._settings.under)}",
                fix="have the operator add it to `under` in [backends.sensor]",
            )
        return path


def _below(path: str, prefix: str) -> bool:
    steps = path.removeprefix("file://").split("/")
    inside = path == prefix or path.startswith(f"{prefix.rstrip('/')}/")
    return inside and ".." not in steps


async def _is_there(task: TaskContext, path: str) -> bool:
    """An object, a directory, or a prefix with objects."""
    try:
        if await task.objects.exists(path):
            return True
        here = task.objects.local_path(path)
        if here is not None:
            return here.is_dir()
        async for _ in task.objects.list(path):
            return True
    except OSError as exc:
        raise RemoteError(f"{path} cannot be looked for: {exc}", where=path) from exc
    return False
