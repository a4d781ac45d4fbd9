"""The warm worker: one process, one attempt after the other, literals in and out over its socket."""

from __future__ import annotations

import contextvars
import faulthandler
import os
import shutil
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from alula._kits import bridge
from alula._kits.frames import Frames, framed
from alula.data.layout import Attempt
from alula.data.stores import Objects
from alula.data.workspace import Workspace, use
from alula.errors import ConversionError, IgnoreOutputs
from alula.idl import ContainerError, DynamicJobSpec, ErrorDocument, ExecutionError, WorkflowExecutionIdentifier
from alula.idl import worker as wire
from alula.runtime import failures
from alula.runtime.arguments import Arguments
from alula.runtime.attempt import execution, perform, read_inputs
from alula.runtime.ear import Ear
from alula.runtime.element import element_inputs
from alula.runtime.leftovers import Leftovers
from alula.runtime.prepared import Prepared, of_attempt
from alula.runtime.printed import Printed, above
from alula.runtime.processes import adopt_orphans
from alula.sdk import current
from alula.sdk.graph import Entity
from alula.sdk.local import LocalRun, place_at
from alula.sdk.progress import Throttled

_LONGEST = 100 * 1024 * 1024
"""Bytes of the outputs of one attempt: what is larger belongs into files."""
_MOST_SENT = 256 * 1024
"""What is longer is written to its file here, and keeps no engine busy with reading it."""
_PIECE = 1 << 16
"""Bytes that are read at once. Beyond 128 KiB every read maps and unmaps memory."""
_OOM_SCORE = "500"
"""When memory runs out, the kernel ends a worker and not its engine."""


class _Stopped(BaseException):
    """Somebody asks this process to end: whatever runs gets the time to clean up."""


class Worker:
    """Runs attempts until its engine hangs up.

    Args:
        channel: To the engine.
        directory: Its own.
    """

    def __init__(self, channel: socket.socket, directory: str) -> None:
        os.setsid()
        adopt_orphans()
        self._pid = os.getpid()
        self._channel = socket.socket(fileno=above(channel.detach()))
        self._ear = Ear(self._channel)
        self._speech = threading.Lock()
        self._scratch = Path(directory, "scratch")
        self._scratch.mkdir()
        self._touched = self._scratch.stat().st_mtime_ns
        self._printed = Printed(str(Path(directory, "log")))
        self._prepared: dict[int, Prepared] = {}
        self._objects = Objects()
        faulthandler.enable(2)
        _reseed()
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
        self._in_task = False
        signal.signal(signal.SIGTERM, self._stop)
        self._leftovers = Leftovers()

    def serve(self) -> NoReturn:
        """Run what the engine sends. Ends with the process."""
        try:
            frames = Frames()
            while True:
                for payload in frames.feed(self._hear()):
                    job = wire.decode(payload)
                    assert isinstance(job, wire.Run)
                    ended = self._attempt(job)
                    self._say(ended)
                    if ended.retire:
                        os._exit(0)
        except _Stopped:
            _end_by_signal()
        except BaseException:  # noqa: BLE001 - the last line of defence: say it where the attempt's log is
            traceback.print_exc(file=self._printed.err)
            os._exit(wire.BROKEN)

    # one attempt

    def _attempt(self, job: wire.Run) -> wire.Ended:
        kind, payload = contextvars.copy_context().run(self._run, job)
        if os.getpid() != self._pid:
            os._exit(0)  # the task forked, and this is the child: the parent answers
        if self._printed.lost:
            os._exit(wire.LOST_SOCKET)
        lost = self._printed.finish(Attempt(job.prefix).log, self._objects, job.log_limit_bytes)
        return wire.Ended(job.serial, kind, payload, self._leftovers.clear() or self._swept(), lost)

    def _run(self, job: wire.Run) -> tuple[int, bytes]:
        """What one attempt gave, or why it failed."""
        phase = failures.Phase.CODE
        progress = _Progress(self._say, job.serial)
        try:
            task = self._task(job)
            phase = failures.Phase.INPUTS
            inputs = read_inputs(job.inputs, job.prefix)
            phase = failures.Phase.CODE
            loaded = task.task()
            entity = loaded.entity
            phase = failures.Phase.TASK
            if loaded.bound is not None:
                inputs = element_inputs(loaded.bound, inputs, os.environ)
            raw = Attempt(job.prefix).raw
            run = LocalRun(place_at(raw, self._objects), cache=False, execution=self._execution(job, progress))
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
        except _Stopped:
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
        changed = self._leftovers.environment(
            {**task.environment, **of_attempt(job.attempt, job.index, job.environment)}
        )
        if changed and (task.own_variables or job.environment):
            self._objects = Objects()  # they may say where stores are, and who asks
        return task

    def _execution(self, job: wire.Run, progress: _Progress) -> current.Execution:
        project, domain, name, _ = job.attempt
        places = Attempt(job.prefix)
        arguments = Arguments(
            inputs=places.inputs,
            output_prefix=places.prefix,
            raw_output_data_prefix=places.raw,
            resolver="",
            loader_args=(),
            checkpoint_path=places.checkpoint,
            prev_checkpoint=job.checkpoint,
        )
        return execution(
            WorkflowExecutionIdentifier(project=project, domain=domain, name=name),
            arguments,
            self._objects,
            progress=progress.tell,
            saved=progress.saved,
        )

    def _swept(self) -> str:
        """Remove the scratch files of an attempt."""
        try:
            if self._scratch.stat().st_mtime_ns != self._touched:
                for left in self._scratch.iterdir():
                    if left.is_dir() and not left.is_symlink():
                        shutil.rmtree(left)
                    else:
                        left.unlink()
                self._touched = self._scratch.stat().st_mtime_ns
        except OSError as exc:
            return f"its scratch files cannot be removed: {exc}"
        return ""

    # the engine

    def _hear(self) -> bytes:
        try:
            self._ear.wait()
            data = self._channel.recv(_PIECE)
        except ConnectionError:
            os._exit(wire.LOST_ENGINE)
        except OSError:
            os._exit(wire.LOST_SOCKET)
        if not data:
            os._exit(0)
        return data

    def _say(self, message: wire.Message) -> None:
        """Tell the engine. Of a process that the task forked, nothing is said."""
        if os.getpid() != self._pid:
            return
        try:
            with self._speech:
                self._channel.sendall(framed(wire.encode(message)))
        except ConnectionError:
            os._exit(wire.LOST_ENGINE)
        except OSError:
            os._exit(wire.LOST_SOCKET)

    def _stop(self, signum: int, frame: object) -> None:
        if self._in_task:
            self._in_task = False  # once: a second signal is the end
            raise _Stopped
        _end_by_signal()


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


def _end_by_signal() -> NoReturn:
    """End as if SIGTERM had met with no handler."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    os.kill(os.getpid(), signal.SIGTERM)
    os._exit(wire.BROKEN)


def _reseed() -> None:
    """Forks of one process would draw the same numbers; Python's own generator is seeded anew by Python."""
    for name in ("numpy.random", "torch"):
        module = sys.modules.get(name)
        if module is not None:
            module.seed()
