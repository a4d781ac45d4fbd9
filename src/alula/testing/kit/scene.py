"""One run: the real engine and the real host in virtual time, a plugin behind a tap, and its remote."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from alula.engine.codec import pack_settings, read_attempt, read_values
from alula.engine.state import Settings
from alula.hosting.k8s.settings import ClusterSettings
from alula.idl import LiteralMap
from alula.plugin import showing
from alula.plugin.core import Plugin
from alula.plugin.failure import FailureKind
from alula.plugin.k8s import K8sPlugin
from alula.plugin.phase import Phase
from alula.plugin.runner import AttemptId
from alula.plugin.webapi import WebApiPlugin
from alula.store.records import Changes, Claim, ExecutionKey, ExecutionRecord, NewExecution
from alula.testing.kit.faults import Fault, Kind
from alula.testing.kit.flow import closure_of
from alula.testing.kit.harness import DOMAIN, PROJECT, Case, Harness
from alula.testing.kit.kube import Kube, KubeCluster
from alula.testing.kit.patient import PatientLoop, outside
from alula.testing.kit.scenarios import Abort, Scenario
from alula.testing.kit.tap import Tap, tapped
from alula.testing.kit.watch import Attempt, Breach, Promise, Watch
from alula.testing.kit.world import Running, World
from alula.testing.sim import runners
from alula.testing.sim.check import Checker, at_once
from alula.testing.sim.loop import Stuck

_STEP = 5.0
_SMALL_STEP = 1.0
"""Where time is not for nothing."""
_GIVE_UP = 4 * 3_600.0
_ATTEMPTS = 12
"""So many attempts a node may have before their names are not known."""
_WAIT = 30.0
"""Seconds in which an engine stops in good order."""


@dataclass(slots=True)
class _Run:
    """One execution of a scene."""

    name: str
    case: Case
    record: ExecutionRecord | None = None
    asked: float | None = None
    """When its abort was asked for."""
    ended: float | None = None
    phase: str = ""
    finished: bool = False
    """A job of it has succeeded at the remote."""


@dataclass(slots=True)
class Outcome:
    """What came of one run."""

    scenario: Scenario
    faults: tuple[Fault, ...]
    breaches: list[Breach]
    story: list[str]
    calls: list[tuple[str, int]]
    """Every call to the plugin, in order: its name, and the how-manieth it was."""
    met: list[Fault]
    finds: int
    """How often `find` gave a job."""
    misses: int
    """How often it gave none where one had been made."""
    seconds: float
    """Virtual ones."""
    engines: int
    points: dict[str, int] = field(default_factory=dict)
    """How often each labelled point of the engine was come to."""


class Scene:
    """One run of one scenario with the faults that it is told.

    Args:
        mark: Told apart from all other runs by this: it is in the names of jobs.
        crash_at: A labelled point of the engine, and the how-manieth time it is killed there.
    """

    def __init__(
        self,
        harness: Harness,
        scenario: Scenario,
        faults: Sequence[Fault] = (),
        *,
        case: Case | None = None,
        mark: str = "run",
        crash_at: tuple[str, int] | None = None,
    ) -> None:
        self.harness, self.scenario, self.faults = harness, scenario, tuple(faults)
        self._phases: dict[tuple[str, int, int], Phase] = {}
        """What people were last shown of each attempt."""
        self._over = False
        """What the dead still say on their way out does not count."""
        self.world = world = World(
            harness,
            f"{mark} {scenario.name}",
            committed=self._committed,
            complained=self._complained,
            leaked=self._leaked,
            crash_at=crash_at,
        )
        harness.clock = world.clock
        self.remote = harness.remote()
        cluster = runners.Cluster(world.loop, _no_script, runners.Dials(world.rng), world.say)
        self.checker = Checker(world.store, cluster, world.objects, lambda line: None, traced=False)
        plugin = harness.plugin(self.remote)
        self.watch = Watch(self.remote, world.say, again=not isinstance(plugin, WebApiPlugin | K8sPlugin))
        self.watch.began = self._began
        settle = plugin.limits.settle.total_seconds() if isinstance(plugin, WebApiPlugin) else 0.0
        self.tap = Tap(self, faults, settle=settle, say=world.say, secrets=lambda: world.lent)
        self.tap.before, self.tap.away = self._before, scenario.outages
        remote = self.remote
        if isinstance(remote, Kube):
            self.tap.settle = ClusterSettings().settle.total_seconds()
            world.cluster = lambda settings, clock: KubeCluster(remote, settings, clock, self.tap)
        world.plugin = lambda: tapped(self.renewed(), self.tap)
        given = harness.cases()
        cases = [case or given[nth % len(given)] for nth in range(scenario.executions)]
        self.runs = {f"{mark}x{nth}": _Run(f"{mark}x{nth}", one) for nth, one in enumerate(cases)}

    # --- the run ---

    def play(self) -> Outcome:
        """Live through it, and look at what is left."""
        world = self.world
        with world.listening():
            try:
                self._submit()
                world.start()
                self._live()
                self._end()
            except Stuck as exc:
                self.watch.broken(Promise.ENDS, f"nothing goes on: {exc}")
            self._over = True
            world.bury()
        self.remote.close()
        return Outcome(
            self.scenario,
            self.faults,
            list(self.watch.breaches),
            world.story,
            self.tap.order,
            self.tap.met,
            self.tap.finds,
            self.tap.misses,
            world.loop.time(),
            len(world.engines),
            world.points,
        )

    def _submit(self) -> None:
        tag = at_once(self.world.store.tag())
        for name, run in self.runs.items():
            for number in range(_ATTEMPTS):
                id = AttemptId(PROJECT, DOMAIN, name, "n0", number, tag)
                self.watch.attempts[id.name] = Attempt(name, number)
            new = NewExecution(
                ExecutionKey(PROJECT, DOMAIN, name),
                "workflow kit:development:main:v1",
                closure_of(run.case, self.scenario),
                run.case.given().SerializeToString(deterministic=True),
                name,
                settings=pack_settings(_SETTINGS),
            )
            run.record, _ = at_once(self.world.store.create(new))
        if self.scenario.abort is Abort.AT_ONCE:
            self._abort()

    def _live(self) -> None:
        step = self._step
        while any(one.open for one in at_once(self.world.store.executions(limit=1_000))) or self.world.late:
            self.world.loop.advance(step)
            step = min(step * 1.2, 60 * self._step)
            if self.world.loop.time() > _GIVE_UP:
                for run in self.runs.values():
                    if run.name not in self.watch.closed:
                        what = "is not cleaned up after" if run.ended is not None else "has not ended"
                        self.watch.broken(Promise.ENDS, f"{run.name} {what}")
                return

    def _end(self) -> None:
        self.world.loop.advance(self._step)
        if self.world.alive is not None:
            self.world.halt(again=False)
        until = self.world.loop.time() + _WAIT
        while self.world.loop.time() < until and not all(one.task.done() for one in self._unkilled()):
            self.world.loop.advance(self._step)
        for one in self.world.engines:
            if one.process.alive and not one.task.done():
                self.watch.broken(Promise.ENGINE, "an engine does not stop")
            elif one.process.alive and (one.task.cancelled() or one.task.exception() is not None):
                how = "a cancellation" if one.task.cancelled() else repr(one.task.exception())
                self.watch.broken(Promise.ENGINE, f"an engine ended with {how}")
        for run in self.runs.values():
            if run.name in self.watch.closed:
                self.watch.left(run.name)
                self._check(run)
        for name in self.watch.look():
            if name not in self.watch.attempts:
                self.watch.broken(Promise.NONE, f"job {name!r} lives after the end")
        for fault in [*self.checker.finish(), *self.world.loop.mishaps]:
            self.watch.broken(Promise.ENGINE, fault)

    @property
    def _step(self) -> float:
        """Seconds between two looks at whether all is over."""
        return _STEP if not self.harness.pace else _SMALL_STEP

    def _unkilled(self) -> list[Running]:
        return [one for one in self.world.engines if one.process.alive]

    # --- what must have come of it ---

    def _check(self, run: _Run) -> None:
        assert run.record is not None
        record = at_once(self.world.store.execution_by_id(run.record.id))
        attempts = [read_attempt(row) for row in at_once(self.world.store.attempts(record.id, "n0"))]
        kinds = {fault.kind for fault in self.tap.met}
        paid = [one.failure for one in attempts if one.failure is not None and one.failure.kind is FailureKind.USER]
        broken, scenario = self.watch.broken, self.scenario
        refused = Kind.REJECTED in kinds and any(failure.code == "NotHere" for failure in paid)
        wanted = {scenario.ends}
        if refused:
            wanted.add("failed")
        if self._long_away(kinds) and (not paid or scenario.name != "succeeds"):
            wanted.add("failed")
        if scenario.abort is not None and (run.finished or not self.watch_has_jobs):
            wanted.add("succeeded")
        if record.phase not in wanted:
            broken(Promise.ENDS, f"{run.name} {record.phase}, and should have {scenario.ends}: {record.error[:300]}")
        may = 1 if scenario.timeout else scenario.fates.count("fail")
        if len(paid) > may + refused:
            broken(Promise.CHARGED, f"{run.name}: {len(paid)} failures count as the user's: {paid[-1].message[:200]}")
        number = len(scenario.fates)
        if not self._long_away(kinds) and len(attempts) > number:
            why = next((one.failure.message for one in attempts if one.failure is not None), "")
            broken(Promise.CHARGED, f"{run.name} took {len(attempts)} attempts, and {number} should do: {why[:200]}")
        if record.phase == "succeeded":
            values = read_values(record.outputs)
            found = LiteralMap.FromString(values.data)
            for ref in values.refs:
                there = LiteralMap.FromString(at_once(self.world.objects.read(ref.uri)))
                found.literals[ref.name].CopyFrom(there.literals[ref.var])
            if not run.case.fits(found):
                broken(Promise.OUTPUTS, f"{run.name} gave {' '.join(str(found).split())[:300]}")
        if run.asked is not None and run.ended is not None:
            late = run.ended - run.asked - self.world.dead_since(run.asked)
            if late > self.harness.aborts_within.total_seconds() + 0.5:
                broken(Promise.ABORT, f"{run.name} was aborted {late:.1f} seconds after somebody asked")

    def _long_away(self, kinds: set[Kind]) -> bool:
        """Whether nobody answered an attempt for longer than an attempt need put up with."""
        outages = [fault for fault in self.tap.met if fault.kind is Kind.OUTAGE]
        apart = self.scenario.executions == 1 and {fault.call for fault in outages} == {"get"}
        return Kind.BLACKOUT in kinds or (len(outages) > 1 and not apart)

    @property
    def watch_has_jobs(self) -> bool:
        """Whether anything of this run was ever live at the remote."""
        return any(attempt.begun for attempt in self.watch.attempts.values())

    # --- jobs and people ---

    def _began(self, name: str, attempt: Attempt) -> None:
        self.world.say(f"job of attempt {attempt.number} of {attempt.execution} lives: {name}")
        if self.scenario.abort is Abort.RUNNING:
            self.world.at(self.scenario.lasts / 2, self._abort)
        nth = list(self.runs).index(attempt.execution)
        self.world.at(self.scenario.lasts * (1 + nth), self._decide, name, attempt)

    def _decide(self, name: str, attempt: Attempt) -> None:
        fate = self.scenario.fate(attempt.number)
        if fate == "hang" or name not in self.remote.live():
            return
        self.world.say(f"the job of attempt {attempt.number} of {attempt.execution} is to {fate}")
        if fate == "finish":
            self.remote.finish(name)
            self.runs[attempt.execution].finished = True
            if self.scenario.abort is Abort.ENDING:
                self._abort()
        else:
            self.remote.fail(name)
        self.watch.look()

    def _before(self, call: str) -> None:
        if self.scenario.abort is Abort.CREATING and call in ("create", "handle", "do", "build"):
            self._abort()

    def _abort(self) -> None:
        for run in self.runs.values():
            assert run.record is not None
            if run.asked is None and run.ended is None:
                run.asked = self.world.loop.time()
                self.world.say(f"somebody aborts {run.name}")
                at_once(self.world.store.ask(run.record.id, "abort", body=b"the kit says so"))

    # --- what the tap asks of us ---

    def kill(self, why: str) -> None:
        self.world.kill(why)

    def halt(self) -> None:
        self.world.halt()

    def later(self, seconds: float, work: Coroutine[Any, Any, Any]) -> None:
        self.world.later(seconds, work)

    def looked(self) -> None:
        self.watch.look()

    def made(self, name: str) -> bool:
        attempt = self.watch.attempts.get(name)
        return bool(self.world.late) or (attempt is not None and attempt.begun > 0)

    def wrong(self, what: str) -> None:
        self.watch.broken(Promise.PHASES, what)

    def renewed(self) -> Plugin:
        plugin, loop = self.harness.plugin(self.remote), self.world.loop
        return outside(plugin, loop) if isinstance(loop, PatientLoop) else plugin

    # --- what the world tells us ---

    def _committed(self, claim: Claim, changes: Changes) -> None:
        self.checker.committed(claim, changes)
        run = next(run for run in self.runs.values() if run.record is not None and run.record.id == claim.execution)
        for job in changes.jobs:
            # What dies with its engine begins anew, and says so.
            life = len(self.world.engines) if self.watch.again else 0
            self._shown((run.name, job.number, life), showing.read(job.info).phase)
        if changes.execution is not None and changes.execution.ended_at is not None and run.ended is None:
            run.ended, run.phase = self.world.loop.time(), changes.execution.phase
            self.world.say(f"{run.name} has ended: {run.phase} {changes.execution.error[:200]}")
        if changes.closed and run.name not in self.watch.closed:
            self.world.say(f"{run.name} is closed")
            self.watch.close(run.name)
            for name, keys in self.tap.begun.items():
                if self.watch.execution_of(name) == run.name and keys - self.tap.cleaned:
                    self.watch.broken(Promise.CLEANED, f"nobody cleaned up after {name} of {run.name}")

    def _shown(self, attempt: tuple[str, int, int], phase: Phase | None) -> None:
        """What people see of an attempt goes forward."""
        if phase is None:
            return
        before = self._phases.get(attempt)
        if before is not None and _RANKS[phase] < _RANKS[before]:
            self.watch.broken(Promise.PHASES, f"attempt {attempt[1]} of {attempt[0]} was {before} and is {phase}")
        self._phases[attempt] = phase

    def _complained(self, what: str) -> None:
        if not self._over:
            self.watch.broken(Promise.ENGINE, what)

    def _leaked(self, text: str, where: str) -> None:
        for secret in self.world.secrets:
            if secret in text:
                self.watch.broken(Promise.SECRET, f"a secret is in {where}")
                return


_RANKS = {Phase.WAITING: 0, Phase.QUEUED: 0, Phase.STARTING: 1, Phase.RUNNING: 2}
_RANKS |= {phase: 3 for phase in Phase if phase.terminal}
_SETTINGS = Settings(max_parallelism=0)


def _no_script(job: object) -> Any:
    raise AssertionError("the kit has no cluster")
