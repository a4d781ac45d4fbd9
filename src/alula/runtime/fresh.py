"""Tasks of flytekit's as processes of their own, started as their containers would be: one for each attempt.

For those who trust no process that ran another task before, and for Pythons that are too old for `pyflyte`. The
workers are forks of a process that has Alula, and import nothing of the user's; the task is their child.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import NoReturn

from alula._kits import bridge
from alula.data.stores import Objects
from alula.errors import AlulaError
from alula.idl import TaskTemplate, containers
from alula.idl import worker as wire
from alula.runtime import commands, staging
from alula.runtime.bundles import fetch_apart
from alula.runtime.foreign import plain_environment
from alula.runtime.forking import Zygote
from alula.runtime.keeper import guarded
from alula.runtime.printed import LogFiles
from alula.runtime.processes import die_with
from alula.runtime.serving import Serving, Stopped, end_by
from alula.runtime.staging import Stage
from alula.runtime.variables import of_attempt, of_template, says_so

_PATH = "PYTHONPATH"


class Fresh(Serving):
    """Runs attempts as child processes.

    Args:
        programs: The directory of flytekit's programs.
    """

    def __init__(self, channel: socket.socket, directory: str, code: wire.Prepare, programs: str) -> None:
        self._programs = programs
        self._objects = Objects()
        self._templates: dict[int, TaskTemplate] = {}
        self._code = staging.code_of(code)
        self._paths = [code.directory, *code.paths] if code.directory else [*code.paths]
        super().__init__(channel, directory)

    @property
    def _files(self) -> LogFiles:
        return self._objects

    def _run(self, job: wire.Run) -> tuple[int, bytes]:
        stage = Stage(job, self._scratch, self._objects)
        try:
            stage.set(self._code)
            words, environment = self._command(job, stage)
            self._in_task = True
            # Not `run`, which would kill the task at once when this process is asked to end.
            code = subprocess.Popen(
                words, env=environment, cwd=stage.work, stdin=subprocess.DEVNULL, start_new_session=True
            ).wait()
        except Stopped:
            raise
        except (AlulaError, OSError) as exc:
            return staging.fault(f"SYSTEM:{type(exc).__name__}", f"the task's process cannot be started: {exc}")
        finally:
            self._in_task = False
        if saved := stage.saved() or self._saved_elsewhere(stage):
            self._say(wire.Progress(job.serial, None, None, saved))
        if code < 0:
            end_by(-code)  # so that whoever looks at how workers end says what became of the task
        if code and ((stage.home is None and not says_so(environment)) or stage.result() is None):
            what = "flytekit could not start, or the task called sys.exit"
            return staging.left_early(f"the task's process ended with exit code {code} ({what})")
        return stage.result() or staging.nothing_left()

    def _saved_elsewhere(self, stage: Stage) -> str:
        """The prefix of a checkpoint that is not on this machine, looked for where another attempt may come."""
        if stage.home is not None or stage.job.attempts < 2:
            return ""

        async def found() -> bool:
            async for _ in self._objects.list(stage.at.checkpoint):
                return True
            return False

        return stage.at.checkpoint if bridge.run(found()) else ""

    def _command(self, job: wire.Run, stage: Stage) -> tuple[list[str], dict[str, str]]:
        """The command line of an attempt, and the variables of its process. Raises ConfigError."""
        if job.content or job.template not in self._templates:
            self._templates[job.template] = TaskTemplate.FromString(job.content)
        template = self._templates[job.template]
        container = containers.of(template)
        command = commands.read([*container.command, *container.args])
        made = {
            **os.environ,
            **of_template(template, container),
            **of_attempt(job.attempt, job.index, job.environment),
            **(staging.variables_of_map(job.index) if command.mapped else {}),
            "TMPDIR": str(stage.temporary),
        }
        made[_PATH] = os.pathsep.join([*self._paths, *filter(None, [made.get(_PATH)])])
        content = template.SerializeToString()
        words = commands.fill(command.words, stage.places(content), job.inputs)
        return [os.path.join(self._programs, command.program), *words], made


def main() -> NoReturn:
    """`python -P -m alula.runtime.fresh FD SPOOL PYTHON`: a keeper; PYTHON has flytekit beside it."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    os.setsid()
    programs = os.path.dirname(os.path.abspath(sys.argv[3]))
    plain_environment()
    os.environ["PATH"] = os.pathsep.join([programs, os.environ["PATH"]])
    os.chdir(sys.argv[2])

    def worker(own: socket.socket, directory: str, code: wire.Prepare) -> NoReturn:
        Fresh(own, directory, code, programs).serve()

    def zygote(own: socket.socket, parent: int) -> NoReturn:
        die_with(parent)
        try:
            Zygote(own, worker, fetch_apart).serve()
        finally:
            os._exit(1)

    guarded(channel, zygote)


if __name__ == "__main__":
    main()
