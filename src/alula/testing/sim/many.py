"""Many seeds, in chunks that another process can take."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from alula.testing.sim.story import explore

_CHUNK = 25


@dataclass(slots=True)
class Tally:
    """What came of some seeds."""

    seeds: int = 0
    seconds: float = 0.0
    """Virtual ones."""
    commits: int = 0
    engines: int = 0
    executions: int = 0
    bad: dict[int, list[str]] = field(default_factory=dict)
    """Faults by seed."""

    def add(self, other: Tally) -> None:
        self.seeds += other.seeds
        self.seconds += other.seconds
        self.commits += other.commits
        self.engines += other.engines
        self.executions += other.executions
        self.bad |= other.bad

    def __str__(self) -> str:
        return (
            f"{self.seeds} seeds, {self.executions} executions, {self.commits} commits, {self.engines} engines, "
            f"{self.seconds / 86_400:.1f} virtual days, {len(self.bad)} seeds with faults"
        )


def chunks(first: int, seeds: int) -> Iterator[range]:
    """So many seeds, in parts."""
    for start in range(first, first + seeds, _CHUNK):
        yield range(start, min(start + _CHUNK, first + seeds))


def live_through(seeds: range) -> Tally:
    """The tally of some seeds."""
    logging.disable(logging.WARNING)
    tally = Tally()
    for seed in seeds:
        found = explore(seed)
        tally.seeds += 1
        tally.seconds += found.seconds
        tally.commits += found.commits
        tally.engines += found.engines
        tally.executions += len(found.results)
        if found.faults:
            tally.bad[seed] = found.faults
    return tally
