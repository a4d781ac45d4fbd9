"""`alula.progress`: a running task says how far it is."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from alula.errors import CallError
from alula.idl import Struct
from alula.sdk import current

_OBSERVED_SECONDS = 1.0
_LONGEST = 1_000
"""Characters of a message that are shown."""

Send = Callable[[float | None, str | None], None]
"""Takes the share that is done, from 0 to 1, and a message; None where nothing is said."""


def progress(done: float, total: float | None = None, message: str = "") -> None:
    """Say how far this task is, as often as you like: whoever watches sees it some ten times a second at most.

    Args:
        done: How much is done: of `total`; without one, a share if it is a float from 0 to 1, else a count.
        total: How much there is to do.
        message: What the task is at.

    Raises:
        CallError: an argument is no number, or negative.

    Example:
        for i, file in enumerate(files):
            alula.progress(i, len(files), file.name)
    """
    share, counted = _share(done, total)
    context = current.current_context()
    tell = context.execution.progress
    if tell is not None:
        said = " ".join(word for word in (counted, message) if word)
        if not said.isascii():  # names of files may be no UTF-8
            said = said.encode(errors="backslashreplace").decode()
        tell(context, share, said[:_LONGEST] or None)


def as_struct(done: float | None, message: str | None) -> Struct:
    """Progress as the message in a container's progress file."""
    made = Struct()
    if done is not None:
        made["done"] = done
    if message is not None:
        made["message"] = message
    return made


def observer(tell: Callable[[str, str, str], None]) -> Callable[[current.Context, float | None, str | None], None]:
    """What a local run tells its observer: once a second for each task, and when all is done."""
    told: WeakKeyDictionary[current.Context, float] = WeakKeyDictionary()

    def say(context: current.Context, done: float | None, message: str | None) -> None:
        now = time.monotonic()
        if done == 1 or now - told.get(context, -math.inf) >= _OBSERVED_SECONDS:
            told[context] = now
            share = "" if done is None else f"{done:.0%}"
            tell("progress", context.task_id.name, " ".join(word for word in (share, message) if word))

    return say


class Throttled:
    """Hands on what it is told, but not more often than it may; the last word always arrives.

    Args:
        send: Gets it, one call at a time.
        seconds: Between two calls.
    """

    def __init__(self, send: Send, seconds: float = 0.1) -> None:
        self._send, self._seconds = send, seconds
        self._lock = threading.Lock()
        self._latest = -math.inf
        self._waiting: list[tuple[float | None, str | None]] = []
        self._timer: threading.Timer | None = None

    def __call__(self, done: float | None, message: str | None) -> None:
        with self._lock:
            left = self._latest + self._seconds - time.monotonic()
            if left <= 0:
                self._pass_on(done, message)
                return
            self._waiting = [(done, message)]
            if self._timer is None:
                self._timer = threading.Timer(left, self._late)
                self._timer.name, self._timer.daemon = "alula-progress", True
                self._timer.start()

    def close(self) -> None:
        """Nothing is handed on any more."""
        with self._lock:
            self._waiting = []
            if self._timer is not None:
                self._timer.cancel()

    def _late(self) -> None:
        with self._lock:
            self._timer = None
            for done, message in self._waiting:
                self._pass_on(done, message)

    def _pass_on(self, done: float | None, message: str | None) -> None:
        self._waiting, self._latest = [], time.monotonic()
        self._send(done, message)


def _share(done: object, total: object) -> tuple[float | None, str]:
    """The share that is done, if that is known, else the count as a word."""
    faults = [
        f"{name}={value!r:.80}"
        for name, value in (("done", done), ("total", total))
        if not (value is None and name == "total") and not _is_amount(value)
    ]
    if faults:
        raise CallError(
            f"progress takes numbers, zero or more, got {', '.join(faults)}",
            where="alula.progress(...)",
            fix="write progress(done, total), such as progress(3, 10)",
        )
    assert isinstance(done, int | float)
    if isinstance(total, int | float):
        return (min(1.0, done / total) if total else 1.0), ""
    if isinstance(done, float) and done <= 1:
        return done, ""
    return None, f"{done:g}"


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
