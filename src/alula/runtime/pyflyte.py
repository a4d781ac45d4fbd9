"""Warm workers with the real flytekit: what `pyflyte-execute` does, without an interpreter that starts for it.

Everything here runs in an environment that has flytekit, and of Alula's dependencies only those that flytekit has too
(`foreign` begins it). The commands are flytekit's own, called in this process as the operating system would call them:
their options are the contract, and what they leave are the files of a container.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from alula.data.layout import Attempt
from alula.data.stores import Objects
from alula.idl import TaskTemplate, containers
from alula.idl import worker as wire
from alula.runtime import commands, staging
from alula.runtime.forking import Zygote
from alula.runtime.keeper import guarded
from alula.runtime.printed import LogFiles
from alula.runtime.processes import die_with
from alula.runtime.serving import Serving, Stopped
from alula.runtime.staging import Stage
from alula.runtime.variables import of_attempt, of_template, says_so

_ENTRYPOINT = "flytekit.bin.entrypoint"
_PROGRAMS = {commands.EXECUTE: "execute_task_cmd", commands.EXECUTE_MAPPED: "map_execute_task_cmd"}
"""What flytekit installs under these names."""
_THEIR_THREADS = ("MainThread : loop-runner", "fsspecIO")
"""Loops that flytekit and fsspec start once in a process, and use for everything."""
_FETCH_SECONDS = 600.0


def run(channel: socket.socket, python: str) -> NoReturn:
    """Be a keeper whose zygotes have flytekit.

    Args:
        channel: To the engine.
        python: The interpreter that has Alula, which fetches code bundles.
    """
    for name in (_ENTRYPOINT, "flytekit.core.array_node_map_task", "flytekit.deck.renderer"):
        import_module(name)
    import_module("flytekit.core.type_engine").TypeEngine.lazy_import_transformers()
    entrypoint: Any = import_module(_ENTRYPOINT)
    # Its commands print an empty line first, and nothing else in this way: a silent task is to leave no log.
    entrypoint.click = SimpleNamespace(**{**vars(entrypoint.click), "echo": lambda *said, **how: None})

    def fetch(bundle: str, directory: Path) -> str:
        words = [python, "-P", "-m", "alula.runtime.bundles", bundle, str(directory)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as exc:
            return f"the code bundle {bundle} cannot be fetched: {exc}"
        return done.stdout.strip() or ("" if directory.exists() else done.stderr.strip()[-1000:] or "it is not there")

    def zygote(own: socket.socket, parent: int) -> NoReturn:
        die_with(parent)
        try:
            Zygote(own, lambda *given: Warm(*given).serve(), fetch).serve()
        finally:
            os._exit(1)

    guarded(channel, zygote)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A task template that was read."""

    content: bytes
    command: commands.Command
    environment: dict[str, str]


class Warm(Serving):
    """Runs attempts by calling flytekit's own commands in this process."""

    def __init__(self, channel: socket.socket, directory: str, code: wire.Prepare) -> None:
        self._places = _Places()
        self._prepared: dict[int, _Prepared] = {}
        self._once = False
        self._code = staging.code_of(code)
        temporary = str(Path(directory, "scratch", "tmp"))
        os.environ["TMPDIR"] = tempfile.tempdir = temporary
        super().__init__(channel, directory, harmless=_THEIR_THREADS)
        self._job: wire.Run | None = None
        self._listen_to_checkpoints()

    @property
    def _files(self) -> LogFiles:
        return self._places

    def _retires(self, job: wire.Run) -> str:
        return "flytekit compiles a task that makes others once in a process" if self._once else ""

    def _run(self, job: wire.Run) -> tuple[int, bytes]:
        stage = Stage(job, self._scratch, self._places)
        self._job = job
        try:
            task = self._task(job)
            stage.set(self._code)
            os.chdir(stage.work)
            words = commands.fill(task.command.words, stage.places(task.content), job.inputs)
            left = self._call(task.command.program, words)
        except Stopped:
            raise
        except BaseException as exc:  # noqa: BLE001 - flytekit's border: what comes out of it is no error of the task
            traceback.print_exc()
            there = stage.result() if stage.home is not None else None
            return there or staging.fault(f"SYSTEM:{type(exc).__name__}", "".join(traceback.format_exception(exc)))
        finally:
            self._in_task = False
        if left is not None and ((stage.home is None and not says_so(os.environ)) or stage.result() is None):
            return staging.left_early(f"the task called sys.exit({left!r})")
        return stage.result() or staging.nothing_left()

    def _task(self, job: wire.Run) -> _Prepared:
        """The task of a job, this process's variables set as it wants them."""
        if job.content or job.template not in self._prepared:
            template = TaskTemplate.FromString(job.content)
            container = containers.of(template)
            command = commands.read([*container.command, *container.args])
            self._prepared[job.template] = _Prepared(job.content, command, of_template(template, container))
        task = self._prepared[job.template]
        self._once = commands.compiles(task.environment)
        element = staging.variables_of_map(job.index) if task.command.mapped else {}
        attempt = of_attempt(job.attempt, job.index, job.environment)
        self._leftovers.environment({**task.environment, **attempt, **element})
        sys.path += [one for one in task.environment.get("PYTHONPATH", "").split(os.pathsep) if one]
        return task

    def _call(self, program: str, words: list[str]) -> object:
        """Call a command of flytekit's. What it was told to exit with, if it was; else None."""
        command: Any = getattr(import_module(_ENTRYPOINT), _PROGRAMS[program])
        with self._own_directory():
            self._in_task = True
            try:
                command.main(args=words, prog_name=program, standalone_mode=False)
            except SystemExit as exc:
                return exc.code or 0
            finally:
                self._in_task = False
        return None

    def _listen_to_checkpoints(self) -> None:
        """Tell the engine of each checkpoint at once: the next attempt goes on from it however this one ends."""
        kind = import_module("flytekit.core.checkpointer").SyncCheckpoint
        save = kind.save

        def told(checkpoint: object, content: object) -> None:
            save(checkpoint, content)
            if self._job is not None:
                self._say(wire.Progress(self._job.serial, None, None, Attempt(self._job.prefix).checkpoint))

        kind.save = told

    def _own_directory(self) -> Any:
        """flytekit's own temporary files go where they are removed after the attempt."""
        manager = import_module("flytekit.core.context_manager").FlyteContextManager
        access = import_module("flytekit.core.data_persistence").FileAccessProvider
        sandbox = str(self._scratch / "sandbox")
        made = access(local_sandbox_dir=sandbox, raw_output_prefix=os.path.join(sandbox, "raw"))
        return manager.with_context(manager.current_context().with_file_access(made))


class _Places:
    """Logs by flytekit's own ways to store objects."""

    def __init__(self) -> None:
        self._objects = Objects()

    def local_path(self, uri: str) -> Path | None:
        return self._objects.local_path(uri)

    async def write(self, uri: str, data: bytes) -> None:
        """Put one object. Raises what flytekit raises."""
        access = import_module("flytekit.core.data_persistence").FileAccessProvider
        with tempfile.TemporaryDirectory() as sandbox, tempfile.NamedTemporaryFile(dir=sandbox) as file:
            file.write(data)
            file.flush()
            access(local_sandbox_dir=sandbox, raw_output_prefix=sandbox).put_data(file.name, uri, is_multipart=False)
