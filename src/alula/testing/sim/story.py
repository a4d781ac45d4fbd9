"""What happens in the world of one seed, from the first execution to the last check."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from datetime import timedelta

from alula._kits.records import replace
from alula.engine.state import Settings
from alula.store.records import ExecutionRecord
from alula.testing.sim.check import at_once
from alula.testing.sim.faults import FaultyStore
from alula.testing.sim.flows import Flow, flow, script
from alula.testing.sim.loop import Stuck
from alula.testing.sim.world import Weather, World

_STEP = 5.0
_HEAL_AFTER = 400.0
"""Virtual seconds after which everything goes right; where reports were lost for good, new engines ask again."""
_GIVE_UP_AFTER = 4_000.0
_SETTLE = 65.0
"""Seconds in which reservations of those who died run out."""
_KINDS = ("kill", "kill", "pause", "cut", "stop")


@dataclass(slots=True)
class Found:
    """What came of one seed."""

    seed: int
    weather: Weather
    faults: list[str]
    log: list[str]
    results: dict[str, tuple[str, list[int]]]
    """Phase and outputs of every execution."""
    seconds: float
    """Virtual ones."""
    commits: int
    engines: int
    """How many engines there were, one after another."""

    @property
    def digest(self) -> str:
        """Of the whole log: the same for the same seed, in every process."""
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()


def explore(seed: int, *, weather: Weather | None = None) -> Found:
    """Live through the world of a seed, and check everything."""
    drawn = weather or Weather.by(random.Random(f"{seed} weather"))
    found = _Story(seed, drawn).tell()
    if found.faults or drawn.failing or drawn.hanging or drawn.aborts or drawn.jumps:
        return found
    if any("Timeout" in line for line in found.log):
        return found  # an outage was longer than a deadline
    quiet = replace(drawn, engines=1, budget=0, crash=0.0, disasters=0, recovers=0.0, early=0.0)
    if quiet != drawn:
        calm = _Story(seed, quiet).tell()
        found.faults += calm.faults
        for name, result in calm.results.items():
            if found.results.get(name) != result:
                found.faults.append(f"{name} came to {found.results.get(name)}, and without faults to {result}")
    return found


class _Story:
    def __init__(self, seed: int, weather: Weather) -> None:
        self.seed, self.weather = seed, weather
        does = script(f"{seed}", failing=weather.failing, hanging=weather.hanging)
        self.world = World(f"{seed}", weather, does)
        self.rng = random.Random(f"{seed} story")
        self.answers: dict[str, bytes] = {}
        self.asked: set[tuple[int, str]] = set()
        self.submitted = 0

    def tell(self) -> Found:
        world, faults = self.world, list[str]()
        with world.alive():
            try:
                self._begin()
                faults += self._live()
            except Stuck as exc:
                faults.append(str(exc))
        faults += world.checker.finish() + world.mishaps + world.loop.mishaps
        results = world.checker.results()
        world.bury()
        return Found(
            self.seed,
            self.weather,
            faults,
            world.log,
            results,
            world.loop.time(),
            world.checker.commits,
            world.born,
        )

    def _begin(self) -> None:
        weather, world, rng = self.weather, self.world, self.rng
        flows = [
            flow(random.Random(f"{self.seed} flow {nth}"), name=f"flow{nth}")
            for nth in range(min(2, weather.executions))
        ]
        for given in flows:
            self.answers.update(given.signals)
        settings = Settings(
            max_parallelism=weather.parallelism,
            user_backoff=timedelta(seconds=1),
            grace=timedelta(seconds=4),
            inline_limit_bytes=256 * 1024 if weather.inline_bytes > 1000 else 20,
        )
        for nth in range(weather.executions):
            self.submitted += 1
            world.at(rng.random() * 5, self._submit, flows[nth % len(flows)], f"x{nth}", settings)
        for slot in range(weather.engines):
            world.at(rng.random() * 3, world.start, slot)
        for _ in range(weather.disasters):
            world.at(rng.random() * 60, self._disaster)
        world.at(2, self._people)

    def _live(self) -> list[str]:
        """Until all is over; gives what did not come to its end."""
        world = self.world
        healed = False
        while self.submitted or world.checker.unfinished():
            world.loop.advance(_STEP)
            if not healed and world.loop.time() > _HEAL_AFTER:
                healed = True
                world.heal(anew=self.weather.lost)
            if world.loop.time() > _GIVE_UP_AFTER:
                return ["not all has ended in time"]
        world.store_dials.budget = world.runner_dials.budget = 0
        world.loop.advance(_SETTLE)
        left = list(world.replicas.values())
        for replica in left:
            world.stop(replica.slot)
        world.loop.advance(_SETTLE)
        faults = [f"{one.name} does not stop" for one in left if one.task is not None and not one.task.done()]
        for one in left:
            if one.task is not None and one.task.done() and one.task.exception() is not None:
                faults.append(f"{one.name} ended with {one.task.exception()!r}")
        return faults

    # --- people ---

    def _submit(self, given: Flow, name: str, settings: Settings) -> None:
        world, rng = self.world, self.rng
        signals = {id: body for id, body in given.signals.items() if rng.random() < self.weather.early / 2}
        record = world.submit(given, name, settings, signals=signals)
        if rng.random() < 0.3:
            world.submit(given, name, settings, signals=signals)
        for id, body in given.signals.items():
            if rng.random() < self.weather.early:
                world.at(rng.random() * 20, world.ask, record.id, "signal", id, body)
        if rng.random() < self.weather.aborts:
            world.at(rng.random() * 15, world.ask, record.id, "abort", "", b"enough")
        self.submitted -= 1
        if self.weather.recovers > rng.random():
            self.submitted += 1
            world.at(20, self._recover, record.id, given, settings)

    def _recover(self, id: int, given: Flow, settings: Settings) -> None:
        """Once an execution has ended badly, go on with it in another one."""
        record: ExecutionRecord = at_once(self.world.store.execution_by_id(id))
        if record.open:
            self.world.at(20, self._recover, id, given, settings)
            return
        self.submitted -= 1
        if record.phase != "succeeded":
            self.world.submit(given, f"{record.key.name}r", settings, reference=id)

    def _people(self) -> None:
        """Answer the gates that wait, sooner or later."""
        world = self.world
        if not self.weather.jumps:
            world.checker.look_around(world.clock.now())
        for record in reversed(world.checker.unfinished()):
            for signal in world.checker.waiting(record.id):
                if (record.id, signal) not in self.asked:
                    self.asked.add((record.id, signal))
                    world.at(self.rng.random() * 20, world.ask, record.id, "signal", signal, self.answers[signal])
        world.at(5, self._people)

    # --- disasters ---

    def _disaster(self) -> None:
        """Something bad happens to an engine, and passes."""
        world, rng = self.world, self.rng
        slot = rng.randrange(self.weather.engines)
        replica = world.replicas.get(slot)
        kind, lasts = rng.choice(_KINDS), rng.choice([1.0, 8.0, 15.0, 40.0])
        jump = timedelta(seconds=rng.choice([-3600, -20, 5, 600]))
        if replica is None:
            return
        if self.weather.jumps and rng.random() < 0.5:
            world.say(f"the clock of {replica.name} jumps by {jump}")
            replica.clock.jump(jump)
            return
        match kind:
            case "kill":
                world.kill(slot, "by chance", again_after=lasts)
            case "stop":
                world.stop(slot, again_after=lasts)
            case "pause":
                world.say(f"{replica.name} is paused for {lasts} seconds")
                replica.process.pause()
                world.at(lasts, replica.process.resume)
            case "cut":
                world.say(f"{replica.name} does not reach the store for {lasts} seconds")
                replica.store.cut_off = True
                world.at(lasts, _join, replica.store)


def _join(store: FaultyStore) -> None:
    store.cut_off = False
