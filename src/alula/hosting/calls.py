"""Calls into a plugin: each has a name, a deadline, and numbers that say how it goes."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from alula._kits.clock import Clock
from alula._kits.crash import crash_point
from alula._kits.texts import storable
from alula.errors import NotReady, PluginError, Rejected, RemoteError, Throttled

T = TypeVar("T")
_DEAF_SECONDS = 5.0
"""Beyond its deadline, after which a call that still goes on is said to."""
_LEAST_SECONDS = 0.05
"""Before a call that was not ready is made again."""
BROKEN = BaseException
"""What a guest may raise: anything. Where it is awaited, `ours` says whether it is our own cancellation."""


def ours(exc: BaseException) -> bool:
    """Whether it is a cancellation that was asked for, and not one that a guest made up."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs: nobody calls, the coroutine is let go of
        return True
    return isinstance(exc, asyncio.CancelledError) and task is not None and task.cancelling() > 0


class NotYet(Exception):
    """A call must wait for its turn, or for something that the adapter is woken by. No failure.

    Args:
        reason: What it waits for, in words.
        after: Seconds after which to ask again in any case; None: only when woken.
    """

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.after = reason, after


class CallFailed(Exception):
    """A call of a plugin raised, or took too long."""

    def __init__(self, call: str, cause: BaseException, what: str = "") -> None:
        super().__init__(call)
        self.call, self.cause = call, cause
        self.what = what or said(cause)

    def __str__(self) -> str:
        if isinstance(self.cause, Garbage) and self.cause.what == self.what.partition("; ")[0]:
            return self.what  # it names the call that gave it
        return f"{self.call}: {self.what}"


class Garbage(PluginError):
    """A plugin gave what its contract does not allow."""


@dataclass(slots=True)
class Numbers:
    """How the calls of one name go."""

    calls: int = 0
    errors: int = 0
    seconds: float = 0.0
    """In all."""
    slowest: float = 0.0


@dataclass(slots=True)
class Calls:
    """Makes the calls of one plugin.

    Args:
        plugin: Its name.
        timeout: Seconds that a call may take, if nothing else is said.
    """

    plugin: str
    clock: Clock
    timeout: float = 60.0
    numbers: dict[str, Numbers] = field(default_factory=dict)
    """By the name of the call."""
    steps: int = 0
    """Grows with every call; who looks at it sees whether anything goes on."""
    overdue: Callable[[asyncio.Task[Any] | None, str], None] = lambda task, what: None
    """Told of a call that goes on though it was cancelled, and in which task."""

    async def make(self, name: str, call: Callable[[], Awaitable[T]], *, timeout: float | None = None) -> T:  # noqa: ASYNC109
        """What a call gives.

        Raises:
            Rejected, Throttled, NotYet: As the plugin, or its adapter, raised them.
            CallFailed: Anything else.
        """
        seconds = self.timeout if timeout is None else timeout
        number = self.numbers.setdefault(name, Numbers())
        number.calls += 1
        self.steps += 1
        began = self.clock.monotonic()
        limit = asyncio.timeout(seconds if seconds > 0 else None)
        late = self._watch(name, seconds) if seconds > 0 else None
        crash_point(f"call.{name}.before")
        try:
            async with limit:
                answer = call()
                if not inspect.isawaitable(answer):
                    raise Garbage(
                        f"{self.plugin}.{name} gave {short(answer)}, not something to await", fix="write `async def`"
                    )
                given = await answer
            crash_point(f"call.{name}.after")
            return given
        except (Rejected, Throttled, NotYet, CallFailed) as exc:
            number.errors += not isinstance(exc, NotYet)
            raise
        except NotReady as exc:
            raise NotYet(exc.what, max(exc.after, _LEAST_SECONDS)) from exc
        except BROKEN as exc:
            if ours(exc):
                raise
            number.errors += 1
            what = f"no answer within {seconds:g} s" if isinstance(exc, TimeoutError) and limit.expired() else ""
            raise CallFailed(f"{self.plugin}.{name}", exc, what) from exc
        finally:
            if late is not None:
                late.cancel()
            took = self.clock.monotonic() - began
            number.seconds += took
            number.slowest = max(number.slowest, took)

    def _watch(self, name: str, seconds: float) -> asyncio.TimerHandle:
        """See that a call ends some time after it was told to."""
        task = asyncio.current_task()
        what = f"{self.plugin}.{name} goes on, though its {seconds:g} s are over and it was cancelled"
        return asyncio.get_running_loop().call_later(seconds + _DEAF_SECONDS, lambda: self.overdue(task, what))

    def figures(self) -> dict[str, tuple[int, int, float]]:
        """Of each call: how many, how many of them failed, the seconds that they took. Safe from any thread."""
        return {name: (one.calls, one.errors, one.seconds) for name, one in sorted(self.numbers.items())}

    def plainly(self, name: str, call: Callable[[], T]) -> T:
        """What a call without I/O gives. Raises Rejected, CallFailed."""
        number = self.numbers.setdefault(name, Numbers())
        number.calls += 1
        try:
            return call()
        except Rejected:
            number.errors += 1
            raise
        except BROKEN as exc:
            number.errors += 1
            raise CallFailed(f"{self.plugin}.{name}", exc) from exc


def said(exc: BaseException) -> str:
    """An exception in one line, plain: its type counts where its text says little."""
    return storable(_said(exc))


def _said(exc: BaseException) -> str:
    kind = type(exc).__name__
    if isinstance(exc, asyncio.CancelledError):
        return "it was cancelled"
    try:
        text = "; ".join(" ".join(line.split()) for line in str(exc).splitlines() if line.strip())
    except BROKEN as second:  # it is a guest's object
        return f"{kind}, whose text cannot be had: {type(second).__name__}"
    if isinstance(exc, Garbage | CallFailed):
        return text
    if not text:
        return kind
    return text if isinstance(exc, OSError | RemoteError) else f"{kind}: {text}"


def short(value: Any) -> str:
    """A value for a message."""
    try:
        text = repr(value)
    except BROKEN:  # it is a guest's object
        return f"an {type(value).__name__} that cannot be shown"
    return text if len(text) <= 200 else text[:197] + "..."
