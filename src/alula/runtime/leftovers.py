"""What an attempt may leave behind in its process, and how the next one finds it as if nothing had been."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from _signal import getsignal as _handler  # type: ignore[import-not-found] # without the search for names in an enum
from _signal import pthread_sigmask as _mask
from collections.abc import Mapping
from resource import getrlimit as _limit
from typing import Any

from alula.runtime.processes import has_children

_HARMLESS_THREADS = ("alula-", "asyncio_", "pydevd")
"""Beginnings of names: threads of the bridge, and of the pools that its loops keep."""
_SIGNALS = tuple(
    map(int, (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGCHLD, signal.SIGHUP, signal.SIGUSR1))
)
_GROWTH_BYTES = 512 * 1024 * 1024
"""A process that holds so much more than at its start is replaced."""
_LIMITS = {
    getattr(resource, name): name
    for name in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_STACK")
}
"""What may end or fail an attempt that has not set it. To look at one takes 0.3 µs, so others are left out."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Leftovers:
    """The state of this process as it was before any attempt, put back after each.

    Args:
        harmless: Beginnings of names of further threads that may stay.
    """

    def __init__(self, harmless: tuple[str, ...] = ()) -> None:
        self._harmless = (*_HARMLESS_THREADS, *harmless)
        self._cwd = os.getcwd()
        os.umask(umask := os.umask(0o022))
        self._umask = umask
        self._path = list(sys.path)
        self._handlers = {signum: _handler(signum) for signum in _SIGNALS}
        self._environment = dict(os.environ)
        self._applied: Mapping[str, str] | None = None
        self._expected: dict[Any, Any] = {}
        self._threads = threading.active_count()
        self._recursion = sys.getrecursionlimit()
        self._limits = [(kind, _limit(kind)) for kind in _LIMITS]
        self._priority = os.getpriority(os.PRIO_PROCESS, 0)
        # It stays where programs close: who closes it has closed what pools and loops of this process hold, too.
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC) if sys.platform == "linux" else -1
        self._resident = self._resident_bytes()

    @property
    def untouched(self) -> bool:
        """The variables of this process are what `environment` made them."""
        return _raw() == self._expected

    def environment(self, added: Mapping[str, str]) -> bool:
        """Make the variables of this process what they were, and these; whether that changed any."""
        if added == self._applied and self.untouched:
            return False
        wanted = {**self._environment, **added}
        for name in [name for name in os.environ if name not in wanted]:
            del os.environ[name]
        for name, value in wanted.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
        self._applied, self._expected = added, dict(_raw())
        return True

    def deepen(self) -> None:
        """Let calls be nested as deep as before, also those that end the attempt."""
        if sys.getrecursionlimit() != self._recursion:
            sys.setrecursionlimit(self._recursion)

    def clear(self) -> str:
        """Put back what can be put back; why no other attempt may run in this process, if that is not all."""
        if has_children():
            return "the task left processes behind"
        if threading.active_count() > self._threads and (left := self._strange_threads()):
            return f"the task left threads behind: {', '.join(left)}"
        if _mask(signal.SIG_BLOCK, ()):
            return "the task left signals blocked"
        for signum, handler in self._handlers.items():
            if _handler(signum) is not handler:
                return f"the task left a handler for {signal.Signals(signum).name}"
        for kind, limit in self._limits:
            if _limit(kind) != limit:
                return f"the task left another {_LIMITS[kind]}"
        if os.getpriority(os.PRIO_PROCESS, 0) != self._priority:
            return "the task left another priority"
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.umask(self._umask)
        if sys.path != self._path:
            sys.path[:] = self._path
        return self._back_home() or self._grown()

    def _strange_threads(self) -> list[str]:
        main = threading.main_thread()
        others = [one for one in threading.enumerate() if one is not main]
        return [one.name for one in others if not one.name.startswith(self._harmless)]

    def _back_home(self) -> str:
        try:
            if os.getcwd() != self._cwd:
                os.chdir(self._cwd)
        except OSError as exc:
            return f"its working directory is gone: {exc}"
        return ""

    def _grown(self) -> str:
        try:
            grown = self._resident_bytes() - self._resident
        except (OSError, ValueError, IndexError):  # it leads nowhere, or to a file of the task's
            return "the task closed file descriptors that are not its own"
        return f"it grew by {grown >> 20} MiB" if grown > _GROWTH_BYTES else ""

    def _resident_bytes(self) -> int:
        return int(os.pread(self._statm, 128, 0).split()[1]) * _PAGE if self._statm >= 0 else 0


def _raw() -> dict[Any, Any]:
    """The variables as `os.environ` keeps them: to compare them there costs a microsecond, and through it fifty."""
    found: dict[Any, Any] = os.environ._data  # type: ignore[attr-defined]
    return found
