"""What became of a worker that died with an attempt in its hands, as a failure that says so."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from alula.backends.pool.needs import shown_bytes
from alula.idl import worker as wire
from alula.plugin.failure import AttemptFailure, FailureKind

_CRASHES = {
    "SIGSEGV": "it touched memory that is not its own",
    "SIGBUS": "it touched memory that is not there",
    "SIGILL": "it came to an instruction that this processor does not know",
    "SIGABRT": "it aborted itself",
    "SIGFPE": "it divided by zero in native code",
}


def of(status: int, *, out_of_memory: bool) -> AttemptFailure:
    """The failure of an attempt whose worker ended with this status of waitpid(2), and nobody here ended it.

    Args:
        out_of_memory: Whether the kernel says that it killed somebody for memory meanwhile.
    """
    if not os.WIFSIGNALED(status):
        return _exited(os.waitstatus_to_exitcode(status))
    name = signal_name(os.WTERMSIG(status))
    if name == "SIGKILL" and out_of_memory:
        return AttemptFailure(
            "OutOfMemory",
            "the machine ran out of memory, and the kernel killed the task: give it a memory request, so that fewer "
            "tasks run beside it, or let it use less",
            FailureKind.USER,
            True,
        )
    if name in ("SIGKILL", "SIGTERM"):
        return AttemptFailure(
            "Killed",
            f"the task's process was killed with {name}, and not by Alula: somebody on this machine did it, or the "
            "machine is short of memory",
            FailureKind.SYSTEM,
            True,
        )
    why = f": {_CRASHES[name]}" if name in _CRASHES else ""
    return AttemptFailure(
        f"USER:{name}",
        f"the task's process died of {name}{why}. Its log ends with where that was, if Python could tell",
        FailureKind.USER,
        True,
    )


def signal_name(number: int) -> str:
    """Its name, as `kill -l` shows it."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN{number - signal.SIGRTMIN:+}"


def _exited(code: int) -> AttemptFailure:
    if code == wire.LOST_SOCKET:
        return stream_lost()
    if code == wire.BROKEN:
        what = "the worker met an error of its own, and not the task's: the log of the attempt ends with it"
        return AttemptFailure("WorkerBroken", what, FailureKind.SYSTEM, True)
    return AttemptFailure(
        "USER:Exited",
        f"the task ended its process with exit code {code} before it returned: something called os._exit, or native "
        "code called exit. Raise an exception instead",
        FailureKind.USER,
        True,
    )


def stream_lost() -> AttemptFailure:
    """The failure of an attempt whose worker lives, or did until now, and cannot answer any more."""
    return AttemptFailure(
        "USER:ConnectionClosed",
        "the task closed the file descriptor by which its worker answers, or replaced its process by another program: "
        "close only what the task has opened, and start programs with subprocess",
        FailureKind.USER,
        True,
    )


def over_limit(used_bytes: int, limit_bytes: int) -> AttemptFailure:
    """The failure of a task that held more memory than it may."""
    return AttemptFailure(
        "OutOfMemory",
        f"the task and its subprocesses held {shown_bytes(used_bytes)} of memory, and their limit is "
        f"{shown_bytes(limit_bytes)}: raise limits mem of the task, or let it use less",
        FailureKind.USER,
        True,
    )


def zygote_lost(problem: str) -> AttemptFailure:
    """The failure of an attempt whose worker went down with its zygote, or never came up."""
    return AttemptFailure("WorkersLost", problem, FailureKind.SYSTEM, True)


def kernel_kills() -> int:
    """How many processes the kernel has killed for memory so far: of this machine, and of our own control group."""
    total = 0
    for path in ("/proc/vmstat", *_own_groups()):
        with suppress(OSError, ValueError, IndexError), open(path, encoding="ascii", errors="replace") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    return total


def _own_groups() -> list[str]:
    with suppress(OSError, IndexError), open("/proc/self/cgroup", encoding="utf-8", errors="replace") as file:
        paths = [line.strip().split(":", 2)[2] for line in file if line.startswith("0::")]
        return [f"/sys/fs/cgroup{path.rstrip('/')}/memory.events" for path in paths]
    return []
