"""A cluster by its commands: `sbatch`, `squeue`, `scancel`, and `sacct` where there is accounting."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO

from alula._kits.aio import to_thread
from alula.backends.slurm.config import SlurmSettings
from alula.backends.slurm.transport import SlurmState, Submission, refused
from alula.errors import RemoteError

_ROW = "JobID:|,ArrayJobID:|,Name:|,State:|,Reason:|,exit_code:|,NodeList:|"
_ACCOUNTED = "JobIDRaw,JobID,JobName,State,Reason,ExitCode,NodeList"
_UNKNOWN = "invalid job id"
_VARIABLES = "--export-file"
"""Stands for the option with the descriptor of a file."""
_MANY = 500
"""Ids in one command line."""
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SLURM_CONF", "SLURM_JWT")
"""Variables that Slurm's commands need. Others, `SBATCH_*` and those of a job that the engine runs in, would change
what they do."""


class Commands:
    """Runs Slurm's commands, each as a process of its own with a time limit."""

    def __init__(self, settings: SlurmSettings) -> None:
        self._settings = settings
        self._accounting = True
        """Until it turns out that there is none."""

    async def submit(self, job: Submission) -> int:
        argv = ["--parsable", f"--job-name={job.name}", f"--comment={job.comment}", "--no-requeue"]
        argv += [f"--chdir={job.directory}", f"--output={job.log}", "--open-mode=append"]
        # Neither on the command line nor in the environment of sbatch itself, which variables of a user may not change.
        argv += [_VARIABLES]
        argv += [f"--{name}" if value is True else f"--{name}={value}" for name, value in job.options.items() if value]
        with tempfile.TemporaryFile() as variables:
            await to_thread(_write, variables, job.environment)
            code, out, err = await self._call("sbatch", *argv, stdin=job.script, variables=variables.fileno())
        found = re.match(r"(\d+)(?:;|\s|$)", out)
        if code or found is None:
            raise refused(err or out, f"sbatch --job-name={job.name}")
        return int(found[1])

    async def named(self, name: str) -> list[SlurmState]:
        return await self._queue("--states=all", f"--name={name}") or await self._accounted(f"--name={name}")

    async def states(self, ids: Sequence[int]) -> list[SlurmState]:
        found: list[SlurmState] = []
        for start in range(0, len(ids), _MANY):
            some = ids[start : start + _MANY]
            there = await self._queue("--states=all", f"--jobs={','.join(map(str, some))}")
            known = {job.id for job in there}
            gone = [id for id in some if id not in known]
            found += there
            if gone:
                found += await self._accounted(f"--jobs={','.join(map(str, gone))}")
        return found

    async def live(self) -> list[SlurmState]:
        return await self._queue("--me")

    async def cancel(self, ids: Sequence[int]) -> None:
        code, _, err = await self._call("scancel", "--full", *map(str, ids))
        if code and _UNKNOWN not in err.lower():
            raise RemoteError(f"scancel failed: {_last(err)}", where=f"Slurm job {', '.join(map(str, ids))}")

    async def aclose(self) -> None: ...

    async def _queue(self, *options: str) -> list[SlurmState]:
        code, out, err = await self._call("squeue", "--noheader", "--array", f"--Format={_ROW}", *options)
        if code:
            if _UNKNOWN in err.lower():
                return []
            raise RemoteError(f"squeue failed: {_last(err)}", where=" ".join(options)[:200])
        return [made for line in out.splitlines() if (made := _state(line)) is not None]

    async def _accounted(self, *options: str) -> list[SlurmState]:
        """What the accounting remembers, of jobs that the controller has forgotten."""
        if not self._accounting:
            return []
        asked = ["-nXP", f"--format={_ACCOUNTED}", "--starttime=now-30days", *options]
        try:
            code, out, err = await self._call("sacct", *asked)
        except FileNotFoundError:
            code, out, err = 1, "", "disabled"
        if code:
            if "disabled" in err.lower():
                self._accounting = False
                return []
            raise RemoteError(f"sacct failed: {_last(err)}", where=" ".join(options)[:200])
        return [made for line in out.splitlines() if (made := _account(line)) is not None]

    async def _call(
        self, program: str, *argv: str, stdin: str = "", variables: int | None = None
    ) -> tuple[int, str, str]:
        """Run a command. Raises RemoteError if it takes too long; it does not outlive a call that is given up."""
        settings = self._settings
        environ = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        if settings.conf:
            environ["SLURM_CONF"] = settings.conf
        named = os.path.join(settings.commands, program)
        path = await to_thread(_found, named, environ.get("PATH", os.defpath))
        process = await asyncio.create_subprocess_exec(
            path,
            *(f"--export-file={variables}" if word == _VARIABLES else word for word in argv),
            stdin=-1,
            stdout=-1,
            stderr=-1,
            env=environ,
            cwd="/",
            pass_fds=[] if variables is None else [variables],
        )
        try:
            async with asyncio.timeout(settings.timeout.total_seconds()):
                out, err = await process.communicate(stdin.encode())
        except TimeoutError as exc:
            raise RemoteError(
                f"{program} did not answer in {settings.timeout.total_seconds():g} s",
                fix="see whether the controller is up: scontrol ping",
            ) from exc
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")


def _found(program: str, path: str) -> str:
    """Where a program is. Raises RemoteError."""
    for directory in [""] if os.sep in program else path.split(os.pathsep):
        here = os.path.join(directory, program)
        if os.access(here, os.X_OK):
            return here
    if os.path.basename(program) == "sacct":
        raise FileNotFoundError(program)
    raise RemoteError(
        f"there is no {program} on this machine",
        where=path,
        fix="install Slurm's client, name its directory as `commands` in [backends.slurm], or the `url` of slurmrestd",
    )


def _write(file: IO[bytes], variables: Mapping[str, str]) -> None:
    """As `sbatch --export-file` reads them, from the beginning."""
    file.write(b"".join(f"{name}={value}\0".encode() for name, value in variables.items()))
    file.flush()
    file.seek(0)


def _state(line: str) -> SlurmState | None:
    parts = [part.strip() for part in line.split("|")]
    if len(parts) < 7 or not parts[0].isdecimal():
        return None
    array = parts[1]
    id = int(array) if array.isdecimal() and int(array) else int(parts[0])
    reason = "" if parts[4] in ("None", "(null)") else parts[4]
    status = int(parts[5]) if parts[5].isdecimal() else 0
    return SlurmState(id, parts[2], parts[3].split()[0], reason, status, parts[6])


def _account(line: str) -> SlurmState | None:
    parts = [part.strip() for part in line.split("|")]
    base = re.match(r"\d+", parts[1]) if len(parts) >= 7 else None
    if base is None:
        return None
    code, _, signal = parts[5].partition(":")
    status = (int(code) << 8 if code.isdecimal() else 0) | (int(signal) if signal.isdecimal() else 0)
    reason = "" if parts[4] in ("None", "") else parts[4]
    return SlurmState(int(base[0]), parts[2], parts[3].split()[0], reason, status, parts[6])


def _last(err: str) -> str:
    return " ".join(err.split())[-300:] or "it said nothing"
