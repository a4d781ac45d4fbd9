"""Sensors: tasks that wait until something is so. `FileSensor` is one; write your own with `BaseSensor`."""

from __future__ import annotations

import inspect
import time
import typing
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Unpack

from alula._kits import bridge
from alula._kits.aio import to_thread
from alula.data import uris
from alula.data.workspace import workspace
from alula.errors import SignatureError, TaskFailure
from alula.idl import TaskTemplate
from alula.sdk.attempts import limit_of
from alula.sdk.instance import InstanceTask
from alula.sdk.options import TaskKeywords
from alula.sdk.progress import progress
from alula.sdk.resources import Resources

_DEFAULT_TIMEOUT = timedelta(days=7)


class BaseSensor(InstanceTask):
    """Waits until `poke` says yes. Its inputs are the parameters of `poke`; it has no outputs.

    `poke` runs in a worker, again and again with growing pauses, until the timeout; a sensor asks for little of a core,
    so that many fit on a machine. An exception in `poke` fails the attempt.

    Args:
        name: Full name, unique in the project.
        interval: The first pause.
        longest_interval: The longest pause; each is half as long again as the one before.
        task_type: Chooses what runs it: `sensor` for an agent that has its class.
        keywords: Settings as of `@task`. `timeout` is how long to wait: 7 days unless it is given, since nothing should
            wait for ever.

    Raises:
        SignatureError: a parameter of `poke` has no type.

    Example:
        class Market(BaseSensor):
            async def poke(self, exchange: str) -> bool:
                return await is_open(exchange)

        wait = Market(name="market", timeout=timedelta(hours=8))
    """

    task_type: ClassVar[str] = "python-task"

    def __init__(
        self,
        name: str,
        *,
        interval: timedelta = timedelta(seconds=1),
        longest_interval: timedelta = timedelta(minutes=1),
        sensor_config: Any = None,
        task_type: str = "",
        **keywords: Unpack[TaskKeywords],
    ) -> None:
        self.interval, self.longest_interval, self.sensor_config = interval, longest_interval, sensor_config
        if task_type:
            self.task_type = task_type  # type: ignore[misc]  # of each task here, of the class elsewhere
        keywords["timeout"] = keywords.get("timeout") or _DEFAULT_TIMEOUT
        self.limit = limit_of(keywords["timeout"])
        if not {"requests", "resources"} & keywords.keys():
            keywords["requests"] = Resources(cpu="50m", mem="64Mi")
        super().__init__(name, _parameters(type(self), name), None, **keywords)

    @abstractmethod
    def poke(self, *args: Any, **inputs: Any) -> bool | Awaitable[bool]:
        """Whether it is so now. May be `async`. Must be harmless to repeat."""

    def execute(self, **inputs: Any) -> None:
        begun, pause, looks = time.monotonic(), self.interval.total_seconds(), 0
        while True:
            said = self.poke(**inputs)
            if bridge.run(said) if inspect.isawaitable(said) else said:
                return
            looks += 1
            left = begun + self.limit.total_seconds() - time.monotonic()
            if left <= min(1.0, self.limit.total_seconds() / 10):  # the engine's own timeout would say less
                raise TaskFailure(
                    f"'{self.name}' is not so after {self.limit}; looked {looks} times",
                    where=self.where,
                    fix="raise timeout=, or see what it waits for",
                    code="SensorTimeout",
                    recoverable=True,
                )
            progress(0, message=f"not yet; looked {looks} time{'s' if looks > 1 else ''}")
            time.sleep(min(pause, max(0.0, left - min(1.0, self.limit.total_seconds() / 10))))
            pause = min(1.5 * pause, self.longest_interval.total_seconds())


class FileSensor(BaseSensor):
    """Waits until there is a file: `FileSensor(name="wait")(path="s3://bucket/ready.csv")`.

    Directories, and prefixes that hold files, count as well. No worker is needed: the engine looks by itself.

    Args:
        name: Full name, unique in the project.
        keywords: Settings as of `@task`. `timeout` is how long to wait: 7 days unless it is given.
    """

    task_type: ClassVar[str] = "sensor"
    runs_user_code: ClassVar[bool] = False

    async def poke(self, path: str) -> bool:
        objects = workspace().objects
        if not uris.is_remote(path):
            return await to_thread(Path(path.removeprefix("file://")).exists)
        if await objects.exists(path):
            return True
        async for _ in objects.list(path):
            return True
        return False

    def fill(self, template: TaskTemplate, env: Mapping[str, str], image: Callable[[Any], str]) -> None:
        # What flytekit's agent reads, so that a platform with that agent runs it, too.
        template.custom.update(
            {"sensor_module": "flytekit.sensor.file_sensor", "sensor_name": "FileSensor", "sensor_config": None}
        )
        template.custom["inputs"] = None


def _parameters(sensor: type[BaseSensor], name: str) -> dict[str, Any]:
    """The inputs: what `poke` takes."""
    hints = typing.get_type_hints(sensor.poke, include_extras=True)
    found: dict[str, Any] = {}
    for one in list(inspect.signature(sensor.poke).parameters.values())[1:]:
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) or one.name not in hints:
            raise SignatureError(
                f"the parameter '{one.name}' of {sensor.__name__}.poke has no type",
                where=f"sensor '{name}'",
                fix="write each parameter out, with its type: async def poke(self, path: str) -> bool",
            )
        kind = hints[one.name]
        found[one.name] = kind if one.default is one.empty else (kind, one.default)
    return found
