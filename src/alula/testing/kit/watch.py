"""What must hold of a run, looked at with every call and every commit, and once more at the end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from alula.testing.kit.harness import Remote


class Promise(StrEnum):
    """What a run can break."""

    ONE = "at most one live job per attempt"
    NONE = "no live job after the end"
    CLEANED = "every attempt is cleaned up after"
    NAMED = "jobs carry the name of their attempt"
    ENDS = "every execution ends, and as it must"
    OUTPUTS = "outputs once, and right"
    CHARGED = "faults of transport cost the user nothing"
    ABORT = "an abort is acknowledged in time"
    SECRET = "no secret in rows, logs, events or names"
    PHASES = "phases go forward"
    ENGINE = "the engine keeps its promises"


LEAKS = frozenset({Promise.ONE, Promise.NONE, Promise.CLEANED})
"""What a remote that can neither find nor tell a second create may break."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that was broken, and how."""

    promise: Promise
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


@dataclass(slots=True)
class Attempt:
    """One attempt that there may be."""

    execution: str
    number: int
    begun: int = 0
    """How often a job of it has begun."""
    live: bool = False


class Watch:
    """Sees which jobs live, and keeps what is wrong.

    Args:
        again: Whether a job may run anew after it was seen to end, as a process that dies with its engine does.
    """

    def __init__(self, remote: Remote, say: Callable[[str], None], *, again: bool) -> None:
        self.remote, self._say, self.again = remote, say, again
        self.attempts: dict[str, Attempt] = {}
        """By the name that its job must carry."""
        self.closed: set[str] = set()
        """Executions that are over, and cleaned up after."""
        self.breaches: dict[Breach, None] = {}
        self.began: Callable[[str, Attempt], None] = lambda name, attempt: None
        """Told when a job begins."""

    def execution_of(self, name: str) -> str:
        """Whose attempt has this name; empty: nobody's."""
        attempt = self.attempts.get(name)
        return attempt.execution if attempt is not None else ""

    def broken(self, promise: Promise, what: str) -> None:
        breach = Breach(promise, what)
        if breach not in self.breaches:
            self.breaches[breach] = None
            self._say(f"BROKEN {breach}")

    def look(self) -> Sequence[str]:
        """See what lives now; gives the names."""
        names = Counter(self.remote.live())
        for name, count in names.items():
            attempt = self.attempts.get(name)
            if attempt is None:
                self.broken(Promise.NAMED, f"job {name!r} lives, which is the name of no attempt")
                continue
            if count > 1:
                self.broken(Promise.ONE, f"{count} jobs live of attempt {attempt.number} of {attempt.execution}")
            if not attempt.live:
                self._began(name, attempt)
        for name, attempt in self.attempts.items():
            attempt.live = name in names
        self._one_each()
        return tuple(names.elements())

    def _began(self, name: str, attempt: Attempt) -> None:
        attempt.begun += 1
        if attempt.begun > 1 and not self.again:
            self.broken(Promise.ONE, f"attempt {attempt.number} of {attempt.execution} runs again after it had ended")
        if attempt.execution in self.closed:
            self.broken(Promise.NONE, f"a job of {attempt.execution} begins after its end")
        self.began(name, attempt)

    def _one_each(self) -> None:
        live = Counter(attempt.execution for attempt in self.attempts.values() if attempt.live)
        for execution, count in live.items():
            if count > 1:
                self.broken(Promise.ONE, f"jobs of {count} attempts of {execution} live at the same time")

    def close(self, execution: str) -> None:
        """The store says that nothing is left of it."""
        self.closed.add(execution)
        self.left(execution)

    def left(self, execution: str) -> None:
        """See that nothing lives of it."""
        for name in self.look():
            if name in self.attempts and self.attempts[name].execution == execution:
                self.broken(Promise.NONE, f"a job of {execution} lives after its end")


class Ears(logging.Handler):
    """Hears every log line while a run goes on: secrets in it, and complaints of the engine about itself."""

    def __init__(self, leaked: Callable[[str, str], None], complained: Callable[[str], object]) -> None:
        super().__init__(logging.DEBUG)
        self._leaked, self._complained = leaked, complained
        self._form = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        extra = {name: value for name, value in record.__dict__.items() if name not in _USUAL}
        text = f"{self._form.format(record)} {extra}"
        self._leaked(text, f"the log of {record.name}")
        if record.levelno >= logging.ERROR and record.name.startswith("alula.engine"):
            error: Any = record.exc_info[1] if record.exc_info else None
            self._complained(f"{record.getMessage()}: {error!r}")


_USUAL = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__)
