"""What Linux offers to keep track of processes; elsewhere the same calls do as much as there is."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

LINUX = sys.platform.startswith("linux")

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)
_PAGE = os.sysconf("SC_PAGE_SIZE")


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent dies; end at once if that has happened already."""
    if LINUX:
        _libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent dies, daemons included."""
    if LINUX:
        _libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def flush_c() -> None:
    """Write what C code has buffered for stdout and stderr."""
    _libc.fflush(None)


def keep_from_forks(signum: int, handler: Callable[[int, FrameType | None], None]) -> None:
    """Let what this process forks have no such handler of a signal, from its first moment on.

    Python calls handlers between two steps of its own: a child that is told to end right before it waits for something,
    or before it is set up, would not hear of it, and whoever waits for its end waits for ever.
    """
    open_in = threading.local()

    def before() -> None:
        open_in.parent = signum not in signal.pthread_sigmask(signal.SIG_BLOCK, [signum])

    def after() -> None:
        if open_in.parent:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signum])

    def in_child() -> None:
        if signal.getsignal(signum) == handler:
            signal.signal(signum, signal.SIG_DFL)
        after()

    os.register_at_fork(before=before, after_in_parent=after, after_in_child=in_child)


def has_children() -> bool:
    """Whether any child lives; those that are dead already are forgotten."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True


@dataclass(frozen=True, slots=True)
class Process:
    """One row of the process table."""

    pid: int
    parent: int
    dead: bool
    """It has ended, and its parent has not looked yet."""
    started: int
    """Ticks since the machine started: with the pid it names one process for good."""
    resident_bytes: int


class Table:
    """All processes of this machine at one moment."""

    def __init__(self, rows: Iterable[Process] | None = None) -> None:
        self.by_pid = {row.pid: row for row in (_rows() if rows is None else rows)}
        self._children: dict[int, list[Process]] = {}
        for row in self.by_pid.values():
            self._children.setdefault(row.parent, []).append(row)

    def children(self, pid: int) -> list[Process]:
        return self._children.get(pid, [])

    def alive(self, pid: int) -> bool:
        row = self.by_pid.get(pid)
        return row is not None and not row.dead

    def tree(self, pid: int) -> list[Process]:
        """A process, if it is there, and all of its descendants, parents first."""
        found = [self.by_pid[pid]] if pid in self.by_pid else []
        seen = {pid}
        for row in found:
            new = [child for child in self.children(row.pid) if child.pid not in seen]
            seen.update(child.pid for child in new)
            found += new
        return found


def _rows() -> list[Process]:
    if not LINUX:
        return _rows_by_ps()
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError, ValueError, IndexError):
                found.append(_row(int(name)))
    return found


def _row(pid: int) -> Process:
    with open(f"/proc/{pid}/stat", "rb") as file:
        text = file.read()
    # The name in parentheses may hold anything. Source: proc(5), /proc/pid/stat.
    fields = text[text.rindex(b")") + 2 :].split()
    return Process(pid, int(fields[1]), fields[0] in (b"Z", b"X"), int(fields[19]), int(fields[21]) * _PAGE)


def _rows_by_ps() -> list[Process]:
    with os.popen("ps -A -o pid=,ppid=,state=,rss=") as listing:
        rows = [line.split() for line in listing]
    return [Process(int(p), int(pp), s.startswith("Z"), 0, int(rss) * 1024) for p, pp, s, rss in rows]


def shared_out_bytes(pids: Iterable[int]) -> int:
    """Memory of several processes together, each shared page counted once among those who share it."""
    total = 0
    for pid in pids:
        with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith(b"Pss:")) * 1024
    return total


def signal_all(rows: Iterable[Process], signum: int) -> None:
    """Send a signal to each that is still there."""
    for row in rows:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(row.pid, signum)
