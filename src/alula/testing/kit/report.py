"""What a verification came to: a grade, how much was explored, and the run that shows why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from alula.testing.kit.scene import Outcome

_SHOWN = 60


class Grade(StrEnum):
    A = "A"
    """No fault that was tried leaves anything running, or costs the user anything."""
    B = "B"
    """The same, but for jobs that leak where the remote can neither find one by its name nor tell a second creation."""
    F = "F"
    """It breaks a promise."""


MEANS = {
    Grade.A: "at most one live job per attempt, none after the end, whatever was tried",
    Grade.B: "can leak: the remote neither finds a job by its name nor tells a second creation",
    Grade.F: "breaks a promise",
}


@dataclass(slots=True)
class Report:
    """What a verification of one harness came to."""

    harness: str
    plugin: str
    contract: str
    grade: Grade = Grade.A
    runs: int = 0
    """Whole runs of the engine, each with other faults."""
    points: int = 0
    """Faults that happened, in all runs."""
    by_kind: Counter[str] = field(default_factory=Counter)
    singles: int = 0
    singles_left: int = 0
    """Single faults that were not tried, for want of time or because a promise was broken."""
    pairs: int = 0
    pairs_left: int = 0
    """Pairs of faults that were not tried, for want of time."""
    crashes: int = 0
    """How often an engine was killed."""
    scenarios: tuple[str, ...] = ()
    leaks: list[str] = field(default_factory=list)
    """Of grade B: the faults that leave something running, one line each."""
    worst: Outcome | None = None
    """Of grade F: the shortest run that breaks a promise."""
    seconds: float = 0.0
    deferred: tuple[str, ...] = ()
    """What could not be tried, and why."""

    @property
    def ok(self) -> bool:
        return self.grade is not Grade.F

    def text(self) -> str:
        """For people."""
        lines = [
            f"{self.plugin} ({self.contract}): grade {self.grade}: {MEANS[self.grade]}",
            f"  {self.points:,} fault points in {self.runs:,} runs: "
            f"{self.singles:,} single faults"
            + (f" of {self.singles + self.singles_left:,}" if self.singles_left else "")
            + f", {self.pairs:,} pairs"
            + (f" of {self.pairs + self.pairs_left:,}" if self.pairs_left else "")
            + f"; {self.crashes:,} engines killed; {self.seconds:.1f} s",
            f"  scenarios: {', '.join(self.scenarios)}",
        ]
        lines += [f"  not tried: {what}" for what in self.deferred]
        if self.leaks:
            lines.append("  leaves a job behind, or makes a second one, when")
            lines += [f"    - {leak}" for leak in self.leaks[:20]]
            if len(self.leaks) > 20:
                lines.append(f"    - ... and {len(self.leaks) - 20} more")
        if self.worst is not None:
            lines += counterexample(self.worst)
        return "\n".join(lines)

    def plain(self) -> dict[str, Any]:
        """For machines."""
        return {
            "harness": self.harness,
            "plugin": self.plugin,
            "contract": self.contract,
            "grade": str(self.grade),
            "points": self.points,
            "runs": self.runs,
            "singles": self.singles,
            "singles_left": self.singles_left,
            "pairs": self.pairs,
            "pairs_left": self.pairs_left,
            "crashes": self.crashes,
            "by_kind": dict(sorted(self.by_kind.items())),
            "scenarios": list(self.scenarios),
            "leaks": self.leaks,
            "not_tried": list(self.deferred),
            "seconds": round(self.seconds, 3),
            "counterexample": None if self.worst is None else plain_outcome(self.worst),
        }


def described(outcome: Outcome) -> str:
    """A run in a line: what happens to the task, and what goes wrong."""
    faults = "; then ".join(map(str, outcome.met or outcome.faults)) or "nothing goes wrong"
    return f"the task {outcome.scenario.name}: {faults}"


def counterexample(outcome: Outcome) -> list[str]:
    """A run that breaks a promise, step by step."""
    story = outcome.story
    if len(story) > _SHOWN:
        cut = len(story) - _SHOWN
        story = [*story[: _SHOWN - 20], f"           ... {cut} lines ...", *story[-20:]]
    return [
        "  counterexample:",
        f"    {described(outcome)}",
        *(f"    breaks: {breach}" for breach in outcome.breaches[:5]),
        "    by seconds:",
        *(f"    {line}" for line in story),
    ]


def plain_outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "scenario": outcome.scenario.name,
        "faults": [{"call": fault.call, "nth": fault.nth, "kind": fault.kind.name.lower()} for fault in outcome.faults],
        "breaches": [{"promise": str(breach.promise), "what": breach.what} for breach in outcome.breaches],
        "story": outcome.story,
    }
