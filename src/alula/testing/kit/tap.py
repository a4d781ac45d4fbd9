"""A plugin with a tap on every call of its contract: counts them, says what came of them, and lets one go wrong."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol

from alula.errors import Rejected, RemoteError, Throttled
from alula.plugin.core import CorePlugin, Plugin, SyncPlugin
from alula.plugin.k8s import K8sPlugin
from alula.plugin.webapi import WebApiPlugin
from alula.testing.kit.faults import DEADLY, Fault, Kind, calls_of

CONTRACTS: tuple[type[Plugin], ...] = (WebApiPlugin, CorePlugin, SyncPlugin, K8sPlugin)
_WITHOUT_IO = frozenset({"phase", "build"})
_AWAY = {Kind.OUTAGE: 360.0, Kind.BLACKOUT: 3_600.0}
_SLOW = 7.0
Effect = Callable[[], Awaitable[Any]]


class Garbage:
    """What no plugin can mean."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return f"<garbage {self._text}>"


class Stage(Protocol):
    """What the tap needs of the world around it."""

    def kill(self, why: str) -> None:
        """End the engine that runs now; does not return if it is what calls."""

    def halt(self) -> None:
        """Have the engine stop in good order."""

    def later(self, seconds: float, work: Coroutine[Any, Any, Any]) -> None:
        """Run something that no engine can stop."""

    def looked(self) -> None:
        """Something may have changed at the remote."""

    def made(self, name: str) -> bool:
        """Whether there was a job of that name, or one is on its way."""

    def wrong(self, what: str) -> None:
        """The engine has made a call that it must not."""

    def renewed(self) -> Plugin:
        """A new object of the plugin."""


class Tap:
    """All calls of one run, whatever engine makes them.

    Args:
        faults: What goes wrong; at most one at a call.
        settle: Seconds in which a lost call may still take effect.
        secrets: What the plugin was given by this engine: errors carry it.
    """

    def __init__(
        self,
        stage: Stage,
        faults: Iterable[Fault],
        *,
        settle: float,
        say: Callable[[str], None],
        secrets: Callable[[], Iterable[str]],
    ) -> None:
        self.stage, self.settle, self.say = stage, settle, say
        self.counts: Counter[str] = Counter()
        self.order: list[tuple[str, int]] = []
        """Every call that was made: its name, and the how-manieth it was."""
        self.met: list[Fault] = []
        """Faults that have happened."""
        self.finds = self.misses = 0
        """How often `find` gave a job, and how often none where one had been made."""
        self.begun: dict[str, set[str]] = {}
        """By name: the keys of the jobs that were made for an attempt, or that it was handled at all."""
        self.cleaned: set[str] = set()
        """Keys that were deleted, and names of attempts that were finalized."""
        self.away: tuple[float, ...] = ()
        """Moments from which on nobody answers for a while, whatever is called."""
        self.before: Callable[[str], None] = lambda call: None
        """Told of every call before it."""
        self._faults: Mapping[tuple[str, int], Fault] = {(fault.call, fault.nth): fault for fault in faults}
        self._secrets = secrets
        self._away_until = 0.0
        self._last: dict[str, Any] = {}
        """The last answer to each call, by what was asked."""

    def next(self, call: str) -> Kind | None:
        """Count a call; gives what goes wrong with it."""
        self.before(call)
        self.counts[call] += 1
        nth = self.counts[call]
        self.order.append((call, nth))
        fault = self._faults.get((call, nth))
        if fault is None:
            return None
        self.met.append(fault)
        return fault.kind

    def trouble(self, what: str) -> str:
        """The message of an error, with whatever secrets were given out: errors do hold them."""
        return " ".join([what, *(f"(credentials {secret})" for secret in self._secrets())])

    async def call(self, call: str, words: str, effect: Effect, renew: Effect) -> Any:
        """Make a call that may go wrong."""
        kind = self.next(call)
        now = asyncio.get_running_loop().time()
        if now < self._away_until or any(begin <= now < begin + _AWAY[Kind.OUTAGE] for begin in self.away):
            self.say(f"{words}: nobody answers")
            raise RemoteError(self.trouble("nobody answers"))
        if kind is None:
            return await self._made(call, words, effect)
        self.say(f"{words}: FAULT it {kind}")
        match kind:
            case Kind.LATE | Kind.KILLED_LATE:
                self.stage.later(self.settle / 2, self._made(call, f"{words}, late", effect))
            case Kind.LOST | Kind.MUTE | Kind.GARBAGE | Kind.TWICE | Kind.KILLED_AFTER:
                await self._made(call, words, effect)
            case Kind.OUTAGE | Kind.BLACKOUT:
                self._away_until = asyncio.get_running_loop().time() + _AWAY[kind]
            case Kind.RENEWED:
                await renew()
            case Kind.SLOW:
                await asyncio.sleep(_SLOW)
        return await self._answer(kind, call, words, effect)

    async def _answer(self, kind: Kind, call: str, words: str, effect: Effect) -> Any:
        if kind in DEADLY and kind is not Kind.STOPPED:
            self.stage.kill(f"in {words}")
        match kind:
            case Kind.HANGS | Kind.MUTE:
                await asyncio.get_running_loop().create_future()
            case Kind.RAISES:
                raise ZeroDivisionError(self.trouble("a fault of the plugin"))
            case Kind.THROTTLED:
                raise Throttled(self.trouble("too many requests"), retry_after=2.0)
            case Kind.REJECTED:
                raise Rejected(self.trouble("this is not what we do here"), code="NotHere")
            case Kind.GARBAGE:
                return Garbage(self.trouble("bytes"))
            case Kind.STALE if words in self._last:
                return self._last[words]
            case Kind.STOPPED:
                self.stage.halt()
            case Kind.SLOW | Kind.TWICE | Kind.STALE:
                pass
            case _:
                raise RemoteError(self.trouble("the connection was reset"))
        return await self._made(call, words, effect)

    async def _made(self, call: str, words: str, effect: Effect) -> Any:
        """The call itself, and what came of it."""
        try:
            answer = await effect()
        except Exception as exc:
            self.say(f"{words}: {type(exc).__name__}: {exc}")
            self.stage.looked()
            raise
        self.say(f"{words} -> {_short(answer)}")
        self._last[words] = answer
        self.stage.looked()
        return answer

    def call_now(self, call: str, words: str, effect: Callable[[], Any]) -> Any:
        """Make a call that does no I/O."""
        kind = self.next(call)
        if kind is None:
            return effect()
        self.say(f"{words}: FAULT it {kind}")
        if kind is Kind.KILLED_BEFORE:
            self.stage.kill(f"in {words}")
        if kind is Kind.RAISES:
            raise ZeroDivisionError(self.trouble("a fault of the plugin"))
        if kind is Kind.REJECTED:
            raise Rejected(self.trouble("this is not what we do here"), code="NotHere")
        answer = effect()
        if kind is Kind.KILLED_AFTER:
            self.stage.kill(f"in {words}")
        return {Kind.GARBAGE: Garbage("phase"), Kind.TWICE: effect() if kind is Kind.TWICE else None}.get(kind, answer)

    def came(self, call: str, first: Any, answer: object) -> None:
        """What took effect, for those who keep count of it."""
        match call:
            case "create":
                self.begun.setdefault(first.name, set()).add(repr(answer))
            case "handle":
                self.begun.setdefault(first.name, set()).add(first.name)
                if first.name in self.cleaned:
                    self.stage.wrong(f"handle of {first.name} after it was finalized")
            case "delete":
                self.cleaned.add(repr(first))
            case "finalize":
                self.cleaned.add(first.name)
            case "find":
                self.finds += answer is not None
                self.misses += answer is None and self.stage.made(first.name)


def _short(answer: object) -> str:
    text = repr(answer)
    return text if len(text) <= 100 else f"{text[:97]}..."


def tapped(plugin: Plugin, tap: Tap) -> Plugin:
    """The plugin as an engine is to see it: every call of its contract goes through the tap."""
    for contract in CONTRACTS:
        if isinstance(plugin, contract):
            return _class_of(contract, calls_of(plugin))(plugin, tap)  # type: ignore[call-arg]
    raise TypeError(f"{type(plugin).__name__} fulfils no contract of alula.plugin")


def _class_of(contract: type[Plugin], calls: Iterable[str]) -> type[Plugin]:
    """A class that fulfils the contract by asking another object."""
    body: dict[str, Any] = {"__init__": _init}
    declared = {name for base in contract.__mro__ for name in getattr(base, "__annotations__", {})}
    for name in sorted(declared | set(dir(contract))):
        if not name.startswith("_"):
            body[name] = passed_on(name)
    body["secret"] = property(lambda self: self._inner.secret, _lend)
    for name in calls:
        body[name] = _now(name) if name in _WITHOUT_IO else _awaited(name)
    return type(f"Tapped{contract.__name__}", (contract,), body)


def passed_on(name: str) -> property:
    return property(lambda self: getattr(self._inner, name))


def _init(self: Any, inner: Plugin, tap: Tap) -> None:
    self._inner, self._tap, self._secret = inner, tap, None


def _lend(self: Any, secret: Any) -> None:
    """Take what a host lends its plugin, for this object of the plugin and those that follow it."""
    self._secret = self._inner.secret = secret


def _words(call: str, args: tuple[Any, ...]) -> str:
    if not args:
        return call
    first = args[0]
    name = getattr(first, "name", None)
    return f"{call} {name if isinstance(name, str) else _short(first)}"


def _awaited(name: str) -> Any:
    async def call(self: Any, *args: Any, **more: Any) -> Any:
        async def renew() -> None:
            self._inner = self._tap.stage.renewed()
            if self._secret is not None:
                self._inner.secret = self._secret
            await self._inner.open()

        tap: Tap = self._tap

        async def effect() -> Any:
            answer = await getattr(self._inner, name)(*args, **more)
            tap.came(name, args[0] if args else None, answer)
            return answer

        return await tap.call(name, _words(name, args), effect, renew)

    call.__name__ = name
    return call


def _now(name: str) -> Any:
    def call(self: Any, *args: Any, **more: Any) -> Any:
        tap: Tap = self._tap
        return tap.call_now(name, _words(name, args), lambda: getattr(self._inner, name)(*args, **more))

    call.__name__ = name
    return call
