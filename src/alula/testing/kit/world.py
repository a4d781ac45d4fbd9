"""The world of a run: engines one after the other, each with a host, on one loop in virtual time."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import logging
import random
import secrets
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from alula._kits.clock import Clock
from alula.config import CacheConfig, EngineConfig
from alula.data.stores import Objects
from alula.engine import crash
from alula.engine.driver import Engine
from alula.engine.memo import Memo
from alula.hosting.host import Host, Surroundings
from alula.hosting.secrets import Secrets, contained
from alula.plugin.core import Plugin
from alula.store.memory import MemoryStore
from alula.store.records import Changes, Claim
from alula.testing.kit.harness import Harness
from alula.testing.kit.patient import PatientLoop
from alula.testing.kit.watch import Ears
from alula.testing.sim import faults as sim
from alula.testing.sim.check import at_once
from alula.testing.sim.loop import Process, VirtualClock, VirtualLoop, virtual_loop

DATA = "memory://kit"
_AGAIN = 0.5
"""Seconds after which another engine follows one that was killed."""


@dataclass(slots=True, eq=False)
class Running:
    """One engine, from its start to its end."""

    process: Process
    engine: Engine
    task: asyncio.Task[None]


class World:
    """Engines, the store that they share, and what can happen to them.

    Args:
        mark: What all that is random follows from.
        plugin: Makes the plugin as an engine is to see it.
        committed: Told of every commit that took effect.
        leaked: Told of every text that an engine writes down, once there are secrets, and where.
        complained: Told what an engine could not deal with.
        crash_at: A labelled point of the engine, and the how-manieth time it is killed there.
    """

    def __init__(
        self,
        harness: Harness,
        mark: str,
        *,
        committed: Callable[[Claim, Changes], None],
        complained: Callable[[str], object],
        leaked: Callable[[str, str], None],
        crash_at: tuple[str, int] | None = None,
    ) -> None:
        self.harness, self._crash_at = harness, crash_at
        self._committed, self._complained, self._leaked = committed, complained, leaked
        self.loop: VirtualLoop = PatientLoop(harness.pace) if harness.pace else virtual_loop()  # type: ignore[abstract]
        self.clock = VirtualClock(self.loop)
        self.story: list[str] = []
        # A real server still knows the names of runs of yesterday.
        tag = secrets.token_hex(4) if harness.pace else hashlib.sha256(mark.encode()).hexdigest()[:8]
        self.store, self.objects = MemoryStore(self.clock, tag=tag), Objects()
        self.rng = random.Random(mark)
        self.plugin: Callable[[], Plugin]
        """Makes the plugin as an engine is to see it. Set before the first engine starts."""
        self.cluster: Callable[[Any, Clock], Any] | None = None
        """The way to a cluster in memory."""
        self.secrets: list[str] = []
        """Those that were given out."""
        self.lent: list[str] = []
        """Those that this engine gave out: it can strike out no others."""
        self.alive: Running | None = None
        self.engines: list[Running] = []
        self.points: dict[str, int] = {}
        """How often each labelled point was come to."""
        self.late: set[asyncio.Task[Any]] = set()
        """What goes on without an engine."""
        self._dials = sim.Dials(self.rng)
        self._down: list[float] = []
        """When an engine died, and when the next one began, in turn."""
        self._outside = contextvars.copy_context()

    def say(self, what: str) -> None:
        self.story.append(f"{self.loop.time():9.2f}  {what}")

    def at(self, seconds: float, call: Callable[..., object], *args: Any) -> None:
        """Have something happen in so many seconds, whatever dies until then."""
        self.loop.call_later(seconds, call, *args, context=self._outside.copy())

    def later(self, seconds: float, work: Coroutine[Any, Any, Any]) -> None:
        """Run something in so many seconds that no engine can stop."""

        async def waited() -> None:
            await asyncio.sleep(seconds)
            try:
                await work
            except Exception as exc:  # noqa: BLE001 - nobody is there any more to hear of it
                self.say(f"nobody hears that this failed: {exc!r}")

        task = self.loop.create_task(waited(), context=self._outside.copy())
        self.late.add(task)
        task.add_done_callback(self.late.discard, context=self._outside.copy())

    # --- engines ---

    def start(self) -> None:
        """Start an engine, if none runs."""
        if self.alive is not None:
            return
        name = f"engine{len(self.engines)}"
        process = self.loop.process(name)
        rng = random.Random(f"{self.rng.random()} {name}")
        store = sim.FaultyStore(
            self.store,
            process,
            self._dials,
            committed=self._wrote,
            log=lambda line: None,
            die=lambda process, where: process.kill(),
        )
        host = self._host(rng)
        engine = Engine(
            store,
            owner=name,
            runners=[host],
            objects=self.objects,
            memo=Memo(store, self.objects, self.clock, CacheConfig(), data=DATA),
            data_prefix=DATA,
            clock=self.clock,
            rng=rng,
            config=EngineConfig(lease=timedelta(seconds=600)),
        )
        if len(self._down) % 2:
            self._down.append(self.loop.time())
        self.say(f"{name} starts")
        self.alive = Running(process, engine, process.spawn(engine.run()))
        self.engines.append(self.alive)

    def _host(self, rng: random.Random) -> Host:
        self.lent = []
        canaries = Canaries(self.harness, self.secrets, self.lent)
        around = Surroundings(
            clock=self.clock,
            rng=rng,
            objects=self.objects,
            secrets=canaries,
            pools=self._make_pools,
            cluster=self.cluster,
        )
        types = frozenset(case.task("").type for case in self.harness.cases())
        return Host("kit", self.plugin, around, task_types=types, inline=True)

    def _make_pools(self, pools: Mapping[str, int]) -> None:
        for name, units in pools.items():
            at_once(self.store.ensure_pool(name, units))

    def kill(self, why: str) -> None:
        """End the engine that runs now, as SIGKILL does; another one follows."""
        one, self.alive = self.alive, None
        if one is not None:
            self.say(f"{one.engine.owner} is killed {why}")
            self.store.bury(one.engine.owner)
            self._down.append(self.loop.time())
            self.at(_AGAIN, self.start)
            one.process.kill()
        current = Process.current()
        if current is not None:  # one that was being stopped dies as well
            current.kill()

    def halt(self, *, again: bool = True) -> None:
        """Have the engine stop in good order; another one follows."""
        one, self.alive = self.alive, None
        if one is None:
            return
        self.say(f"{one.engine.owner} is stopped")
        one.process.call_soon(one.engine.stop)
        if again:
            self._down.append(self.loop.time())
            self.at(_AGAIN, self.start)

    def dead_since(self, moment: float) -> float:
        """Seconds since a moment in which no engine ran."""
        pairs = zip(self._down[::2], self._down[1::2], strict=False)
        return sum(up - max(down, moment) for down, up in pairs if up > moment)

    def bury(self) -> None:
        """Let go of all engines."""
        for one in self.engines:
            one.process.bury()
        self.loop.close()

    # --- listening ---

    def _wrote(self, claim: Claim, changes: Changes) -> None:
        if self.secrets:
            self._leaked(repr(changes), "the store")
        self._committed(claim, changes)

    def _pointed(self, label: str) -> None:
        self.points[label] = self.points.get(label, 0) + 1
        if self._crash_at == (label, self.points[label]):
            self.kill(f"at {label}")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear what engines log, and come to crash points, while the block runs."""
        ears = Ears(self._leaked, self._complained)
        log = logging.getLogger("alula")
        former, level = log.propagate, log.level
        log.addHandler(ears)
        log.propagate = False
        log.setLevel(logging.DEBUG)
        away = crash.install(self._pointed)
        try:
            with contained():
                yield
        finally:
            away()
            log.removeHandler(ears)
            log.propagate = former
            log.setLevel(level)


class Canaries(Secrets):
    """A secret for whatever is asked for, unlike anything else; all that were given out are remembered."""

    def __init__(self, harness: Harness, given: list[str], lent: list[str]) -> None:
        super().__init__({})
        self._known, self._lists = harness.secrets(), (given, lent)

    async def get(self, key: str, group: str = "") -> str:
        name = f"{group}/{key}" if group else key
        secret = self._known.get(name) or f"canary-{name}-9f3b17c2e05d"
        for known in self._lists:
            if secret not in known:
                known.append(secret)
        return secret
