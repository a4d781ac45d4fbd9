"""Which errors are worth another attempt, and how long an attempt may take."""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from alula.errors import AuthoringError, ConversionError, TaskFailure, TaskTimeout

T = TypeVar("T")


def recoverable(exc: BaseException, retries: int) -> bool:
    """Whether another attempt may succeed.

    An error that says so itself is believed. Any other exception of user code is worth a retry exactly when the task
    asks for retries; what is wrong with the program itself (types, signatures) never is.
    """
    if isinstance(exc, TaskFailure):
        return exc.recoverable
    return retries > 0 and isinstance(exc, Exception) and not isinstance(exc, AuthoringError | ConversionError)


def limit_of(timeout: object, name: str = "timeout") -> timedelta:
    """A timeout as written: a timedelta, or seconds. Raises ValueError for what is neither, or negative."""
    limit = timeout
    if isinstance(timeout, int | float) and not isinstance(timeout, bool):
        limit = timedelta(seconds=timeout)
    if not isinstance(limit, timedelta) or limit < timedelta(0):
        raise ValueError(f"{name} is {timeout!r:.80}, and must be a timedelta or seconds, zero or more")
    return limit


def retries_of(retries: object) -> int:
    """A number of retries as written. Raises ValueError."""
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ValueError(f"retries is {retries!r:.80}, and must be an int, zero or more")
    return retries


def timed_out(name: str, where: str, seconds: float) -> TaskTimeout:
    """The error of an attempt that took too long."""
    return TaskTimeout(
        f"'{name}' took longer than its timeout of {seconds:g} s", where=where, fix="raise timeout=, or do less"
    )


class _Late(BaseException):
    """What interrupts the block: no `Exception`, so that code which catches those does not catch this one.

    Every limit has a subclass of its own, since one may run out inside another.
    """


def in_time(call: Callable[[], T], seconds: float, name: str, where: str) -> T:
    """What `call` returns, interrupted after `seconds` with TaskTimeout. Zero is no limit.

    In the main thread a signal interrupts system calls too; in others the interruption comes with the next bytecode.
    A call that goes on in spite of it has failed all the same, whatever it returns or raises in the end.
    """
    if seconds <= 0:
        return call()
    bell = _bell(seconds)
    try:
        try:
            bell.start()
            result = call()
        finally:
            bell.stop()
    except bell.late:
        bell.stop()  # it may have interrupted the first one
        raise timed_out(name, where, seconds) from None
    except Exception as exc:
        if bell.rang:
            raise timed_out(name, where, seconds) from exc
        raise
    if bell.rang:
        raise timed_out(name, where, seconds)
    return result


class _Bell(ABC):
    """Rings once, unless it is stopped before, by raising `late` in the thread that made it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.late: type[_Late] = type("_Late", (_Late,), {})
        self.rang = self.over = False

    @abstractmethod
    def start(self) -> None:
        """Begin to count. Called once."""

    @abstractmethod
    def stop(self) -> None:
        """Nothing is raised once this has returned. May be called again."""


class _Alarm(_Bell):
    """By the process's one alarm clock, on which somebody else may have time left: they get the rest of it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._begun = time.monotonic()
        self._former = signal.getsignal(signal.SIGALRM)
        self._left, _ = signal.getitimer(signal.ITIMER_REAL)

    def start(self) -> None:
        signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def stop(self) -> None:
        self.over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._former)
        if self._left:
            signal.setitimer(signal.ITIMER_REAL, max(self._left - (time.monotonic() - self._begun), 1e-6))

    def _ring(self, signum: int, frame: object) -> None:
        if not self.over:
            self.rang = True
            raise self.late


class _Timer(_Bell):
    """By a thread that throws into the one that waits."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._thread, self._lock = threading.get_ident(), threading.Lock()
        self._timer = threading.Timer(seconds, self._ring)
        self._timer.daemon = True

    def start(self) -> None:
        self._timer.start()

    def stop(self) -> None:
        with self._lock:
            self.over = True
            if self.rang:
                self._throw(None)  # it may still be on its way
        self._timer.cancel()

    def _ring(self) -> None:
        with self._lock:
            if not self.over:
                self.rang = True
                self._throw(ctypes.py_object(self.late))

    def _throw(self, what: Any) -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), what)


def _bell(seconds: float) -> _Bell:
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        left, interval = signal.getitimer(signal.ITIMER_REAL)
        if interval == 0.0 and (left == 0.0 or left > seconds):
            return _Alarm(seconds)
    return _Timer(seconds)
