"""All faults at all calls, one run each; then pairs of them, and a grade."""

from __future__ import annotations

import math
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from alula.plugin.core import Plugin
from alula.testing.kit.faults import EFFECTS, Fault, Kind, kinds_of
from alula.testing.kit.harness import Harness, Nowhere, Remote
from alula.testing.kit.report import Grade, Report
from alula.testing.kit.scenarios import Scenario, scenarios_of
from alula.testing.kit.scene import Outcome, Scene
from alula.testing.kit.tap import CONTRACTS
from alula.testing.kit.watch import LEAKS

_SECOND = (
    Kind.BEFORE,
    Kind.LOST,
    Kind.LATE,
    Kind.MUTE,
    Kind.OUTAGE,
    Kind.KILLED_BEFORE,
    Kind.KILLED_AFTER,
    Kind.KILLED_LATE,
)
"""Kinds of which two are tried in one run."""
SECONDS = "ALULA_VERIFY_SECONDS"
"""The environment variable that says how long one verification may take."""
_OFTEN = 12
"""The how-manieth call of a method is the last one at which faults are tried: later ones are like it."""
_REAL = (Kind.LOST, Kind.BEFORE, Kind.KILLED_BEFORE, Kind.KILLED_AFTER)
"""What is tried with a real server, whose calls take real time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is to be tried.

    Args:
        seed: Which pairs are tried, where not all can be.
        pairs: So many pairs of faults at most.
        stop: Whether to stop at the first broken promise.
        seconds: What is not tried so long after the runs without faults is left out.
    """

    seed: int = 0
    pairs: int = 600
    stop: bool = True
    seconds: float = math.inf
    said: Callable[[Outcome], None] = lambda outcome: None


def verify(
    harness: Harness, *, seed: int = 0, pairs: int = 600, stop: bool = True, seconds: float | None = None
) -> Report:
    """Try all that can go wrong between the engine, a plugin and its remote; gives a grade.

    The same seed gives the same report, byte for byte, but for the time that it took.

    Args:
        seed: Which pairs of faults are tried, where there are more than `pairs`.
        stop: Be content with the first broken promise.
        seconds: Leave out what is not tried so long after the runs without faults, and say how much that is; by
            default what the environment variable `ALULA_VERIFY_SECONDS` says, else all is tried.
    """
    if seconds is None:
        seconds = float(os.environ.get(SECONDS) or math.inf)
    return _Verification(harness, Plan(seed, pairs, stop, seconds)).run()


class _Verification:
    def __init__(self, harness: Harness, plan: Plan) -> None:
        self.harness, self.plan = harness, plan
        remote = harness.remote()
        plugin = harness.plugin(remote)
        self.plugin: Plugin = plugin
        contract = next(one.__name__ for one in CONTRACTS if isinstance(plugin, one))
        self.report = Report(harness.name, plugin.info.name, contract)
        self.scenarios = scenarios_of(harness, remote)
        self.report.scenarios = tuple(scenario.name for scenario in self.scenarios)
        self.report.deferred = deferred(harness, remote)
        remote.close()
        self._bad: list[Outcome] = []
        self._leaky: list[Outcome] = []
        """Runs that leave something running because `find` did not see it."""
        self._finds = 0
        self._runs = 0
        self._began = self._faulty = time.monotonic()

    def run(self) -> Report:
        calm = [self._play(scenario, ()) for scenario in self.scenarios]
        for case in self.harness.cases()[1:]:
            self._note(Scene(self.harness, self.scenarios[0], case=case, mark=self._mark()).play())
        self._faulty = time.monotonic()
        found = self._singles(calm)
        if not self._over:
            self._pairs(found)
        return self._graded()

    def _singles(self, calm: Sequence[Outcome]) -> list[Outcome]:
        """Every fault at every call of the runs in which nothing goes wrong; first calls first."""
        found: list[Outcome] = []
        places = [
            (nth, call, outcome.scenario)
            for outcome in calm
            if outcome.scenario.faults
            for call, nth in outcome.calls
            if nth <= _OFTEN
        ]
        ordered = sorted(places, key=lambda place: place[0])
        faults = [(scenario, Fault(call, nth, kind)) for nth, call, scenario in ordered for kind in self._kinds(call)]
        for at, (scenario, fault) in enumerate(faults):
            if self._over:
                self.report.singles_left = len(faults) - at
                break
            found.append(self._play(scenario, (fault,)))
            self.report.singles += 1
        return found

    def _pairs(self, singles: Sequence[Outcome]) -> None:
        """A second fault at the calls that follow one that went wrong with a change at the remote."""
        pairs = [pair for outcome in singles for pair in self._seconds(outcome)]
        random.Random(self.plan.seed).shuffle(pairs)
        for nth, (scenario, faults) in enumerate(pairs):
            if self._over or nth >= self.plan.pairs:
                self.report.pairs_left = len(pairs) - nth
                return
            self._play(scenario, faults)
            self.report.pairs += 1

    def _seconds(self, outcome: Outcome) -> Iterator[tuple[Scenario, tuple[Fault, ...]]]:
        (first,) = outcome.faults
        if first.call not in EFFECTS and first.kind is not Kind.OUTAGE:
            return
        if first.kind not in _SECOND:
            return
        at = outcome.calls.index((first.call, first.nth)) if (first.call, first.nth) in outcome.calls else -1
        for call, nth in outcome.calls[at + 1 :]:
            if nth <= _OFTEN:
                for kind in self._kinds(call):
                    if kind in _SECOND:
                        yield outcome.scenario, (first, Fault(call, nth, kind))

    def _kinds(self, call: str) -> Sequence[Kind]:
        kinds = kinds_of(self.plugin, call)
        if self.harness.pace:
            return [kind for kind in kinds if kind in _REAL] if call in (*EFFECTS, "find") else ()
        return kinds

    @property
    def _over(self) -> bool:
        """Whether to stop: a promise is broken, or time is up."""
        if self.plan.stop and (self._bad or (self._leaky and self._finds)):
            return True
        most = min(self.plan.seconds, self.harness.seconds) if self.harness.pace else self.plan.seconds
        return time.monotonic() - self._faulty > most

    def _mark(self) -> str:
        self._runs += 1
        return f"r{self.plan.seed}n{self._runs}"

    def _play(self, scenario: Scenario, faults: tuple[Fault, ...]) -> Outcome:
        outcome = Scene(self.harness, scenario, faults, mark=self._mark()).play()
        self._note(outcome)
        return outcome

    def _note(self, outcome: Outcome) -> None:
        report = self.report
        report.runs += 1
        self._finds += outcome.finds
        report.points += len(outcome.met)
        report.crashes += outcome.engines - 1
        report.by_kind.update(fault.kind.name.lower() for fault in outcome.met)
        if not outcome.breaches:
            return
        if outcome.misses and all(breach.promise in LEAKS for breach in outcome.breaches):
            self._leaky.append(outcome)
        else:
            self._bad.append(outcome)

    def _graded(self) -> Report:
        report = self.report
        report.seconds = time.monotonic() - self._began
        if self._finds:  # it can find jobs, and yet did not
            self._bad += self._leaky
        else:
            report.leaks = _grouped(self._leaky)
        if self._bad:
            report.grade = Grade.F
            report.worst = min(self._bad, key=lambda outcome: (len(outcome.faults), len(outcome.story)))
        elif report.leaks:
            report.grade = Grade.B
        return report


def _grouped(leaky: Sequence[Outcome]) -> list[str]:
    """What makes a plugin leak, one line each, the simplest first."""
    counts = Counter("; then ".join(f"{fault.call} {fault.kind}" for fault in outcome.met) for outcome in leaky)
    lines = sorted(counts.items(), key=lambda one: (one[0].count("; then "), -one[1], one[0]))
    return [f"{what} (in {count} {'run' if count == 1 else 'runs'})" for what, count in lines]


def deferred(harness: Harness, remote: Remote) -> tuple[str, ...]:
    """What this harness does not let the kit try, in words."""
    found = []
    if type(remote).fail is Remote.fail and not isinstance(remote, Nowhere):
        found.append("jobs that fail: the remote of the harness has no `fail`")
    if harness.ends_by_itself:
        found.append("jobs that go on until they are stopped")
    if harness.pace:
        found.append("time-outs, garbage, throttling and outages: a real server takes real time")
    return tuple(found)
