"""Which errors are worth another attempt, and how long an attempt may take."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from alula.errors import AuthoringError, ConversionError, TaskFailure, TaskTimeout


def recoverable(exc: BaseException, retries: int) -> bool:
    """Whether another attempt may succeed.

    An error that says so itself is believed. Any other exception of user code is worth a retry exactly when the task
    asks for retries; what is wrong with the program itself (types, signatures) never is.
    """
    if isinstance(exc, TaskFailure):
        return exc.recoverable
    return retries > 0 and isinstance(exc, Exception) and not isinstance(exc, AuthoringError | ConversionError)


@contextmanager
def deadline(seconds: float, name: str, where: str) -> Iterator[None]:
    """Interrupt the block after `seconds` with TaskTimeout. Zero is no limit.

    In the main thread a signal interrupts system calls too; in others the interruption comes with the next bytecode.
    """
    if seconds <= 0:
        yield
        return
    late = TaskTimeout(
        f"'{name}' took longer than its timeout of {seconds:g} s", where=where, fix="raise timeout=, or do less"
    )
    free = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    if free and signal.getitimer(signal.ITIMER_REAL)[0] == 0.0:
        with _alarm(seconds, late):
            yield
    else:
        with _watch(seconds, late):
            yield


@contextmanager
def _alarm(seconds: float, late: TaskTimeout) -> Iterator[None]:
    def ring(signum: int, frame: object) -> None:
        raise late

    former = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


class _Late(BaseException):
    """What is thrown into another thread; a class, since an instance cannot be."""


@contextmanager
def _watch(seconds: float, late: TaskTimeout) -> Iterator[None]:
    thread, lock, state = threading.get_ident(), threading.Lock(), {"over": False}

    def ring() -> None:
        with lock:
            if not state["over"]:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(_Late))

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield
    except _Late:
        raise late from None
    finally:
        timer.cancel()
        with lock:
            state["over"] = True
