"""The warm worker of tasks that are written with Alula's own SDK, or run on it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime

from alula._kits import bridge
from alula.data.layout import Attempt
from alula.data.stores import Objects
from alula.data.workspace import Workspace, use
from alula.errors import ConversionError, IgnoreOutputs
from alula.idl import ContainerError, DynamicJobSpec, ErrorDocument, ExecutionError, WorkflowExecutionIdentifier
from alula.idl import worker as wire
from alula.runtime import failures
from alula.runtime.attempt import execution, perform, read_inputs
from alula.runtime.element import element_inputs
from alula.runtime.offloading import fetched, holds_notes
from alula.runtime.prepared import Prepared
from alula.runtime.printed import LogFiles
from alula.runtime.serving import Serving, Stopped
from alula.runtime.variables import of_attempt
from alula.sdk import current
from alula.sdk.graph import Entity
from alula.sdk.local import LocalRun, place_at
from alula.sdk.progress import Throttled

_LONGEST = 100 * 1024 * 1024
"""Bytes of the outputs of one attempt: what is larger belongs into files."""
_MOST_SENT = 256 * 1024
"""What is longer is written to its file here, and keeps no engine busy with reading it."""


class Worker(Serving):
    """Runs attempts in this process."""

    def __init__(self, channel: socket.socket, directory: str) -> None:
        self._prepared: dict[int, Prepared] = {}
        self._wanted: object = None
        """What the variables of this process were last made of."""
        self._objects = Objects()
        super().__init__(channel, directory)

    @property
    def _files(self) -> LogFiles:
        return self._objects

    def _run(self, job: wire.Run) -> tuple[int, bytes]:
        """What one attempt gave, or why it failed."""
        phase = failures.Phase.CODE
        progress = _Progress(self._say, job.serial)
        try:
            task = self._task(job)
            phase = failures.Phase.INPUTS
            inputs = read_inputs(job.inputs, job.prefix)
            if holds_notes(job.inputs):
                bridge.run(fetched(inputs, job.inputs, self._objects))
            phase = failures.Phase.CODE
            loaded = task.task()
            entity = loaded.entity
            phase = failures.Phase.TASK
            if loaded.bound is not None:
                inputs = element_inputs(loaded.bound, inputs, os.environ)
            raw = Attempt(job.prefix, job.user_data).raw
            run = LocalRun(place_at(raw, self._objects), cache=False, execution=self._execution(job, raw, progress))
            with use(Workspace(self._objects, self._scratch, raw)):
                self._in_task = True
                made = perform(entity, inputs, run, os.environ)
                self._in_task = False
            payload = made.SerializeToString(deterministic=True)
            if len(payload) > _LONGEST:
                raise _too_long(entity, len(payload))
            futures = isinstance(made, DynamicJobSpec)
            if len(payload) > _MOST_SENT:
                places = Attempt(job.prefix)
                bridge.run(self._objects.write(places.futures if futures else places.outputs, payload))
                return wire.WRITTEN, b""
            return wire.FUTURES if futures else wire.OUTPUTS, payload
        except Stopped:
            raise
        except IgnoreOutputs:
            return wire.OUTPUTS, b""
        except BaseException as exc:  # noqa: BLE001 - the border to the user's code, which may raise anything
            return wire.ERROR, _document(exc, phase, job.attempts - 1)
        finally:
            self._in_task = False
            progress.close()

    def _task(self, job: wire.Run) -> Prepared:
        """The task of a job, this process's variables set as it wants them."""
        if job.content or job.template not in self._prepared:
            self._prepared[job.template] = Prepared(job.content, self._scratch.parent)
        task = self._prepared[job.template]
        wanted = job.template, job.attempt, job.index, job.environment
        if wanted == self._wanted and self._leftovers.untouched:
            return task
        self._wanted = wanted
        changed = self._leftovers.environment(
            {**task.environment, **of_attempt(job.attempt, job.index, job.environment)}
        )
        if changed and (task.own_variables or job.environment):
            self._objects = Objects()  # they may say where stores are, and who asks
        return task

    def _execution(self, job: wire.Run, raw: str, progress: _Progress) -> current.Execution:
        project, domain, name, _ = job.attempt
        return execution(
            WorkflowExecutionIdentifier(project=project, domain=domain, name=name),
            self._objects,
            prefix=job.prefix,
            raw=raw,
            checkpoint=Attempt(job.prefix).checkpoint,
            former=job.checkpoint,
            progress=progress.tell,
            saved=progress.saved,
        )


class _Progress:
    """What a running task says before its end."""

    def __init__(self, say: Callable[[wire.Message], None], serial: int) -> None:
        self._say, self._serial = say, serial
        self._throttled: Throttled | None = None

    def tell(self, done: float | None, message: str | None) -> None:
        if self._throttled is None:
            self._throttled = Throttled(self._send)
        self._throttled(done, message)

    def saved(self, prefix: str) -> None:
        self._say(wire.Progress(self._serial, None, None, prefix))

    def close(self) -> None:
        if self._throttled is not None:
            self._throttled.close()

    def _send(self, done: float | None, message: str | None) -> None:
        self._say(wire.Progress(self._serial, done, message, None))


def _document(exc: BaseException, phase: failures.Phase, retries: int) -> bytes:
    """What a task raised. An exception whose own code fails when it is looked at still has a name."""
    try:
        return failures.document(exc, phase=phase, retries=retries, at=datetime.now(UTC)).SerializeToString()
    except Exception as broken:  # noqa: BLE001 - the user's exception may do anything
        name = type(exc).__name__
        error = ContainerError(
            code=f"USER:{name}",
            message=f"{name}, which cannot be shown: {type(broken).__name__} was raised in trying to",
            kind=ContainerError.RECOVERABLE if retries > 0 else ContainerError.NON_RECOVERABLE,
            origin=ExecutionError.USER,
        )
        return ErrorDocument(error=error).SerializeToString()


def _too_long(entity: Entity, size: int) -> ConversionError:
    return ConversionError(
        f"the outputs of '{entity.short_name}' are {size:,} bytes, and {_LONGEST:,} is the most",
        where=f"task '{entity.name}'",
        fix="return a File, a Directory or a StructuredDataset: those are kept in files, and passed on by their place",
    )
