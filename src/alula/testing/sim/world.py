"""A world: engines that share a store, the cluster on which their jobs run, and what can happen to them.

Everything that is random in it follows from its seed, so it goes the same way every time, in every process.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from alula.config import CacheConfig, EngineConfig
from alula.data.objects import ObjectStore
from alula.data.stores import Objects
from alula.engine import crash
from alula.engine.codec import pack_settings
from alula.engine.driver import Engine
from alula.engine.memo import Memo
from alula.engine.state import Settings
from alula.hosting.host import Surroundings
from alula.hosting.hosts import Hosts, of_plugins
from alula.hosting.secrets import Secrets
from alula.plugin.core import Plugin
from alula.plugin.runner import Runner
from alula.store.memory import MemoryStore
from alula.store.records import ExecutionKey, ExecutionRecord, NewExecution, PoolRecord
from alula.testing.sim import faults, runners
from alula.testing.sim.check import Checker, at_once
from alula.testing.sim.flows import DOMAIN, PROJECT, Flow
from alula.testing.sim.loop import Process, VirtualClock, VirtualLoop, virtual_loop
from alula.testing.sim.prefaces import POOL, prefaces
from alula.testing.sim.runners import Cluster, Script, ScriptedRunner

DATA = "memory://data"


@dataclass(frozen=True, slots=True)
class Weather:
    """What a world is like. `by` draws it from a seed."""

    engines: int = 1
    outlive: bool = False
    """Jobs go on when their engine dies."""
    executions: int = 1
    failing: float = 0.0
    hanging: float = 0.0
    budget: int = 0
    """How many things go wrong in all."""
    crash: float = 0.0
    """How often an engine dies at a crash point."""
    disasters: int = 0
    """Kills, pauses, partitions, clock jumps, stops in good order."""
    inline_bytes: int = 64 * 1024
    parallelism: int = 25
    aborts: float = 0.0
    recovers: float = 0.0
    early: float = 0.0
    """How often a signal comes before its gate."""
    lost: bool = False
    """Reports of runners may be lost for good, against their contract, until another engine asks again."""
    jumps: bool = False
    """The wall clocks of engines are set, back and forth."""
    lease: float = 10.0
    """Seconds after which an engine that was not heard of loses what it has."""
    noticed: bool = False
    """The death of an engine is noticed at once, as that of a process on the same machine is."""
    alone: bool = False
    """Only one engine can reach the store, as on a laptop: it goes on through an outage of the store."""
    units: int = 0
    """Of a pool that attempts need some of; with them they also keep and show things."""

    @staticmethod
    def by(rng: random.Random) -> Weather:
        calm = rng.random() < 0.05
        engines = rng.choice([1, 2, 2, 3])
        return Weather(
            engines=engines,
            outlive=rng.random() < 0.4,
            executions=rng.choice([1, 1, 2, 3]),
            failing=rng.choice([0.0, 0.0, 0.1, 0.35]),
            hanging=rng.choice([0.0, 0.3]),
            budget=0 if calm else rng.choice([5, 20, 60]),
            crash=0.0 if calm else rng.choice([0.0, 0.003, 0.02]),
            disasters=0 if calm else rng.choice([0, 1, 3, 6]),
            inline_bytes=rng.choice([64 * 1024, 64 * 1024, 6]),
            parallelism=rng.choice([0, 1, 2, 3, 25]),
            aborts=rng.choice([0.0, 0.0, 0.3]),
            recovers=rng.choice([0.0, 0.5]),
            early=rng.choice([0.0, 0.5]),
            lost=rng.random() < 0.3,
            jumps=rng.random() < 0.2,
            noticed=rng.random() < 0.3,
            alone=engines == 1 and rng.random() < 0.5,
            units=rng.choice([0, 1, 2, 4]),
        )


@dataclass(slots=True, eq=False)
class Replica:
    """One engine, from its start to its death."""

    name: str
    slot: int
    process: Process
    clock: VirtualClock
    store: faults.FaultyStore
    runner: ScriptedRunner
    engine: Engine
    task: asyncio.Task[None] | None = None


class World:
    """Engines, the store that they share, and the cluster on which their jobs run.

    Args:
        seed: What everything that is random follows from.
        weather: What it is like.
        script: What attempts do.
        objects: Where files are; in memory if it is not given.
        traced: Values of tasks say which run they are from (`flows.script`), so that the checker can follow them.
        plugins: Classes of plugins, or what makes one: they run the types of task that they claim, on the engine's own
            loop; each engine has its own.
    """

    def __init__(
        self,
        seed: str,
        weather: Weather,
        script: Script,
        *,
        objects: ObjectStore | None = None,
        traced: bool = True,
        plugins: Sequence[type[Plugin] | Callable[[], Plugin]] = (),
    ) -> None:
        self.seed, self.weather, self._plugins = seed, weather, plugins
        self.loop = virtual_loop()
        self.log: list[str] = []
        self.clock = VirtualClock(self.loop)
        self.store = MemoryStore(self.clock, tag="0123abcd")
        self.objects = objects or Objects()
        rng = random.Random(f"{seed} faults")
        self.store_dials = faults.Dials(rng, weather.budget)
        self.runner_dials = runners.Dials(rng, weather.budget, lost=0.05 if weather.lost else 0.0)
        self.cluster = Cluster(self.loop, script, self.runner_dials, self.say)
        if weather.units:
            self.cluster.prefaces, self.cluster.ledger.units = prefaces(seed, weather.units), weather.units
            at_once(self.store.set_pool(PoolRecord(POOL, weather.units)))
        self.checker = Checker(self.store, self.cluster, self.objects, self.say, traced=traced)
        self.rng = random.Random(f"{seed} world")
        self.replicas: dict[int, Replica] = {}
        """The one that lives, by slot."""
        self.dead: list[Replica] = []
        self.born = 0
        self.mishaps: list[str] = []
        self._outside = contextvars.copy_context()

    def say(self, what: str) -> None:
        """Put a line into the event log."""
        self.log.append(f"{self.loop.time():.6f} {what}")

    def at(self, seconds: float, call: Callable[..., object], *args: Any) -> None:
        """Have something happen in so many seconds, whatever dies until then."""
        self.loop.call_later(seconds, call, *args, context=self._outside)

    # --- engines ---

    def start(self, slot: int) -> Replica:
        """Start an engine, if none runs in this slot."""
        if slot in self.replicas:
            return self.replicas[slot]
        self.born += 1
        name = f"e{slot}.{self.born}"
        process = self.loop.process(name)
        clock = VirtualClock(self.loop, self.clock.offset)
        rng = random.Random(f"{self.seed} {name}")
        store = faults.FaultyStore(
            self.store, process, self.store_dials, committed=self.checker.committed, log=self.say, die=self._die
        )
        objects = faults.FaultyObjects(self.objects, self.store_dials)
        runner = ScriptedRunner(self.cluster, process, local=not self.weather.outlive)
        engine = Engine(
            store,
            owner=name,
            runners=self._runners(runner, clock, rng),
            objects=objects,
            memo=Memo(store, objects, clock, CacheConfig(), data=DATA),
            data_prefix=DATA,
            clock=clock,
            rng=rng,
            config=EngineConfig(lease=timedelta(seconds=self.weather.lease), inline_bytes=self.weather.inline_bytes),
            alone=self.weather.alone,
        )
        replica = Replica(name, slot, process, clock, store, runner, engine)
        self.replicas[slot] = replica
        self.say(f"{name} starts")
        replica.task = process.spawn(engine.run())
        return replica

    def _runners(self, runner: ScriptedRunner, clock: VirtualClock, rng: random.Random) -> list[Runner]:
        """What one engine runs attempts with: plugins run what they claim."""
        if not self._plugins:
            return [runner]
        around = Surroundings(clock=clock, rng=rng, objects=self.objects, secrets=Secrets({}), pools=self._make_pools)
        return [Hosts(of_plugins(self._plugins, {}), around, workers=runner, inline=True), runner]

    def _make_pools(self, pools: Mapping[str, int]) -> None:
        for name, units in pools.items():
            at_once(self.store.ensure_pool(name, units))

    def kill(self, slot: int, why: str, *, again_after: float | None = None) -> None:
        """End an engine as SIGKILL does. Called by itself, this does not return."""
        replica = self.replicas.pop(slot, None)
        if replica is None:
            return
        self.say(f"{replica.name} is killed: {why}")
        self.dead.append(replica)
        self.cluster.lose(replica.runner)
        if self.weather.noticed:
            self.store.bury(replica.name)
        if again_after is not None:
            self.at(again_after, self.start, slot)
        replica.process.kill()

    def stop(self, slot: int, *, again_after: float | None = None) -> None:
        """End an engine in good order."""
        replica = self.replicas.pop(slot, None)
        if replica is None:
            return
        self.say(f"{replica.name} is stopped")
        self.dead.append(replica)
        replica.process.resume()
        replica.process.call_soon(replica.engine.stop)
        if again_after is not None:
            self.at(again_after, self.start, slot)

    def _die(self, process: Process, where: str) -> None:
        for slot, replica in list(self.replicas.items()):
            if replica.process is process:
                self.kill(slot, where, again_after=self.rng.choice([0.5, 5.0, 20.0]))
        process.kill()  # one that was being stopped dies as well

    def crashed_at(self, label: str) -> None:
        """Engines call this at every crash point."""
        if self.weather.crash and self.store_dials.trouble(self.weather.crash):
            process = Process.current()
            if process is not None:
                self._die(process, label)

    # --- executions ---

    def submit(self, flow: Flow, name: str, settings: Settings, **more: Any) -> ExecutionRecord:
        """Create an execution; again, if it is there."""
        new = NewExecution(
            key=ExecutionKey(PROJECT, DOMAIN, name),
            entity="workflow sim:development:main:v1",
            closure=flow.closure,
            inputs=flow.inputs,
            fingerprint=name,
            settings=pack_settings(settings),
            **more,
        )
        at_once(self.store.register(flow.entities))
        record, fresh = at_once(self.store.create(new))
        self.say(f"execution {record.id} is {'new' if fresh else 'there'}: {name}")
        return record

    def ask(self, execution: int, kind: str, path: str = "", body: bytes = b"") -> None:
        self.say(f"somebody asks {kind} {path} of {execution}")
        at_once(self.store.ask(execution, kind, path=path, body=body))

    # --- time ---

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Crash points and the engine's complaints come here while the block runs."""
        handler = _Complaints(self.mishaps, self.loop)
        log = logging.getLogger("alula.engine")
        former = log.propagate
        log.addHandler(handler)
        log.propagate = False
        away = crash.install(self.crashed_at)
        try:
            yield
        finally:
            away()
            log.removeHandler(handler)
            log.propagate = former

    def heal(self, *, anew: bool) -> None:
        """From now on everything goes right.

        Args:
            anew: With new engines, which ask for whatever was lost.
        """
        self.say("all is well from now on")
        self.store_dials.budget = self.runner_dials.budget = 0
        for slot in list(self.replicas) if anew else ():
            self.kill(slot, "to begin anew")
        for slot in range(max(1, self.weather.engines)):
            self.start(slot)

    def bury(self) -> None:
        """Let go of all processes, so that nothing of them runs when memory is freed."""
        for replica in [*self.dead, *self.replicas.values()]:
            replica.process.bury()
        self.loop.close()


class _Complaints(logging.Handler):
    """What an engine could not deal with is a fault, and neither lost nor printed."""

    def __init__(self, found: list[str], loop: VirtualLoop) -> None:
        super().__init__(logging.ERROR)
        self._found, self._loop = found, loop

    def emit(self, record: logging.LogRecord) -> None:
        process = Process.current()
        if process is None or process.alive:
            error = record.exc_info[1] if record.exc_info else None
            self._found.append(f"{self._loop.time():.6f} the engine complains: {record.getMessage()}: {error!r}")
