"""A user's program in a simulation: its tasks run here, for real, and take as long as they are told to."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from alula._kits import bridge
from alula._kits.units import duration
from alula.data.layout import Attempt
from alula.data.objects import ObjectStore
from alula.errors import CallError, ConversionError
from alula.idl import ContainerError, DynamicJobSpec, ExecutionError, LiteralMap, WorkflowExecutionIdentifier
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.runner import Failed, Job, Succeeded
from alula.runtime import failures
from alula.runtime.attempt import Loaded, perform
from alula.runtime.element import element_inputs
from alula.runtime.prepared import Prepared
from alula.runtime.variables import of_attempt
from alula.sdk import current
from alula.sdk.bind import conversion_fault
from alula.sdk.graph import Entity
from alula.sdk.launch_plan import LaunchPlan
from alula.sdk.local import LocalRun, place_at
from alula.sdk.signature import caller
from alula.sdk.task import names_of
from alula.sdk.workflow import BaseWorkflow
from alula.testing.sim.runners import Deed
from alula.types import maps

Span = str | timedelta | float
"""`3 days`, `1h30m`, a timedelta, or seconds."""


def seconds(span: Span) -> float:
    """How many seconds that is. Raises ValueError for a text that is no duration."""
    if isinstance(span, str):
        span = duration(span)
    return span.total_seconds() if isinstance(span, timedelta) else float(span)


_SIMULATED = AttemptFailure("USER:Simulated", "it fails in this simulation", recoverable=True)


@dataclass(slots=True)
class Behaviour:
    """How attempts of a task go in a simulation."""

    takes: float = 1.0
    waits: float = 0.0
    """Seconds before they start to run."""
    failures: int = 0
    """So many attempts of each node fail, the first ones."""
    failure: AttemptFailure = _SIMULATED
    result: Callable[[], bytes] | None = None
    """In place of what the task gives."""


def find_script() -> None:
    """Let tasks of a script that runs as `__main__` be found under the names by which they are called."""
    main = sys.modules.get("__main__")

    def probe() -> None: ...

    probe.__module__ = "__main__"
    name, _ = names_of(probe)
    if main is not None and name != "__main__":
        sys.modules.setdefault(name, main)


class Programs:
    """Runs the tasks of programs, as the engine's workers would, in this process.

    Args:
        objects: Where files are.
        now: The time.
    """

    def __init__(self, objects: ObjectStore, now: Callable[[], datetime]) -> None:
        self._objects, self._now = objects, now
        self._behaviours: dict[str, Behaviour] = {}
        self._tasks: dict[bytes, Prepared] = {}
        self._scratch = Path(tempfile.gettempdir())

    def of(self, task: Any) -> Behaviour:
        """How attempts of a task go, mapped or not: to be changed. Raises CallError for what is no task."""
        if not isinstance(task, Entity) or isinstance(task, BaseWorkflow | LaunchPlan):
            raise CallError(
                f"a simulation is told how {task!r} goes, which is no task", where=caller(), fix="tell it of its tasks"
            )
        return self._behaviours.setdefault(task.name, Behaviour())

    def answer(self, task: Entity, values: tuple[object, ...]) -> Callable[[], bytes]:
        """What the task gives if these are its results. Raises CallError, ConversionError."""
        outputs = task.interface.outputs
        if len(values) != len(outputs):
            raise CallError(
                f"'{task.short_name}' is to return {len(values)} value(s), and declares {len(outputs)} output(s)",
                where=caller(),
                fix=f"give one for each of: {', '.join(outputs)}" if outputs else "say returns(task) and no more",
            )
        named = dict(zip(outputs, values, strict=True))
        converters = {name: one.converter for name, one in outputs.items()}
        place = place_at("memory://simulated", self._objects)

        def give() -> bytes:
            return bridge.run(maps.to_literals(named, converters, place)).SerializeToString(deterministic=True)

        try:
            give()
        except ConversionError as exc:
            raise conversion_fault(exc, f"what '{task.short_name}' is to return", caller()) from None
        return give

    def deed(self, job: Job) -> Deed:
        """What an attempt does. Its code runs now, and its outcome is told when its time has passed."""
        way = self._behaviours.get(job.template.id.name) or self._of_mapped(job) or Behaviour()
        if job.id.number < way.failures:
            return Deed(Failed(way.failure), queued=way.waits, runs=way.takes)
        if way.result is not None:
            return Deed(Succeeded(way.result()), queued=way.waits, runs=way.takes)
        return Deed(self._run(job), queued=way.waits, runs=way.takes)

    def _of_mapped(self, job: Job) -> Behaviour | None:
        """How the task goes that a map runs for each item; a map has a name of its own."""
        if job.index < 0 or not self._behaviours:
            return None
        try:
            return self._behaviours.get(self._prepared(job).task().entity.name)
        except BaseException:  # noqa: BLE001 - the border to the user's code; running it tells what is wrong
            return None

    def _run(self, job: Job) -> Succeeded | Failed:
        phase, loaded = failures.Phase.CODE, None
        try:
            prepared = self._prepared(job)
            loaded = prepared.task()
            phase = failures.Phase.TASK
            made = self._perform(job, loaded, prepared)
        except BaseException as exc:  # noqa: BLE001 - the border to the user's code, which may raise anything
            retries = loaded.retries if loaded is not None else job.attempts - 1
            return Failed(_failure(failures.document(exc, phase=phase, retries=retries, at=self._now()).error))
        content = made.SerializeToString(deterministic=True)
        return Succeeded(futures=content) if isinstance(made, DynamicJobSpec) else Succeeded(content)

    def _prepared(self, job: Job) -> Prepared:
        content = job.template.SerializeToString(deterministic=True)
        if content not in self._tasks:
            self._tasks[content] = Prepared(content, self._scratch)
        return self._tasks[content]

    def _perform(self, job: Job, loaded: Loaded, prepared: Prepared) -> LiteralMap | DynamicJobSpec:
        id, places = job.id, Attempt(job.prefix)
        attempt = id.project, id.domain, id.execution, id.number
        environ = {**prepared.environment, **of_attempt(attempt, job.index, job.environment)}
        inputs = LiteralMap.FromString(job.inputs)
        if loaded.bound is not None:
            inputs = element_inputs(loaded.bound, inputs, environ)
        execution = current.Execution(
            id=WorkflowExecutionIdentifier(project=id.project, domain=id.domain, name=id.execution),
            local=False,
            raw_output_prefix=places.raw,
            output_metadata_prefix=places.prefix,
            objects=self._objects,
            checkpoint_destination=places.checkpoint,
            checkpoint_previous=job.checkpoint,
        )
        run = LocalRun(place_at(places.raw, self._objects), cache=False, execution=execution)
        return perform(loaded.entity, inputs, run, environ)


def _failure(error: ContainerError) -> AttemptFailure:
    system = error.origin == ExecutionError.SYSTEM
    return AttemptFailure(
        error.code,
        error.message,
        FailureKind.SYSTEM if system else FailureKind.USER,
        recoverable=error.kind == ContainerError.RECOVERABLE,
    )
