"""What attempts do before they begin to run: ask for units of a pool, keep something, show something.

`Ledger` is what the outside world knows of that, whichever engine does it; it sees what must not be.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from alula.plugin.runner import Asks, Job, Keeps, Shows, Tell
from alula.testing.sim.loop import Process

POOL = "units"


@dataclass(frozen=True, slots=True)
class Preface:
    units: int = 0
    """Of the pool; 0: none are asked for."""
    keeps: bool = False
    """It keeps a state, before it asks for units and once it has them."""
    shows: bool = False


Prefaces = Callable[[Job], Preface]


def none(job: Job) -> Preface:
    return Preface()


def prefaces(seed: str, units: int) -> Prefaces:
    """The same for a seed: some attempts ask for units, some keep something, some do both.

    Args:
        units: How many there are.
    """

    def preface(job: Job) -> Preface:
        dice = random.Random(f"{seed} before {job.id.execution} {job.id.path} {job.id.number}")
        wanted = dice.choice([0, 1, 1, units])
        return Preface(wanted, dice.random() < 0.5, dice.random() < 0.3)

    return preface if units else none


@dataclass(slots=True)
class Ledger:
    """What was kept of attempts, and what they were told, by their names."""

    units: int = 0
    told: dict[str, list[bytes]] = field(default_factory=dict)
    """What was given to be kept, in order."""
    saved: dict[str, int] = field(default_factory=dict)
    """So much of it is durable, as the engine said."""
    seen: set[str] = field(default_factory=set)
    """Attempts that were given to a runner."""
    faults: list[str] = field(default_factory=list)

    def starts(self, job: Job) -> None:
        """A job comes to a runner."""
        name = job.id.name
        if job.fresh and name in self.seen:
            self.faults.append(f"{job.id.path} of {job.id.execution} is said to be fresh, and was started before")
        told, saved = self.told.get(name, []), self.saved.get(name, 0)
        possible = told[max(0, saved - 1) :] if saved else [b"", *told]
        if job.state not in possible:
            self.faults.append(f"{job.id.path} of {job.id.execution} comes with {job.state!r}, and {told} were kept")
        self.seen.add(name)

    def keep(self, job: Job, tell: Tell, then: Callable[[], None]) -> None:
        """Have something kept, and go on once it is durable."""
        name = job.id.name
        told = self.told.setdefault(name, [])
        told.append(f"{len(told) + 1} of {name}".encode())
        count = len(told)

        def saved() -> None:
            self.saved[name] = max(count, self.saved.get(name, 0))
            then()

        tell(Keeps(told[-1], 1, saved))


class Waiting:
    """Attempts of one runner that have not begun yet."""

    def __init__(self, process: Process, ledger: Ledger) -> None:
        self._process, self._ledger = process, ledger
        self._turns: dict[str, int] = {}
        self._count = 0

    def begin(self, job: Job, tell: Tell, preface: Preface, run: Callable[[], None]) -> None:
        """Do all that comes before an attempt runs, unless it is closed meanwhile; then `run`."""
        if preface == Preface():
            run()
            return
        name = job.id.name
        self._count += 1
        turn = self._turns[name] = self._count

        def step(then: Callable[[], None]) -> Callable[[], None]:
            def go() -> None:
                if self._process.alive and self._turns.get(name) == turn:
                    then()

            return go

        def running() -> None:
            self._turns.pop(name, None)
            run()

        def keep(then: Callable[[], None]) -> Callable[[], None]:
            return step(lambda: self._ledger.keep(job, tell, step(then))) if preface.keeps else step(then)

        def ask() -> None:
            tell(Asks(POOL, preface.units, step(keep(running))))

        if preface.shows:
            tell(Shows(b'{"reason":"it is about to begin"}'))
        keep(ask if preface.units else running)()

    def drop(self, name: str) -> None:
        self._turns.pop(name, None)

    def clear(self) -> None:
        self._turns.clear()
