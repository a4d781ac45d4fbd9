"""`python -m alula.testing.sim`: live through many worlds, and say which seeds found something wrong."""

from __future__ import annotations

import logging
import multiprocessing
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import click

from alula.testing.sim.story import explore

_CHUNK = 25
_CHUNKS_PER_PROCESS = 40


@dataclass(slots=True)
class _Tally:
    seeds: int = 0
    seconds: float = 0.0
    commits: int = 0
    engines: int = 0
    executions: int = 0
    bad: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: _Tally) -> None:
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


def _chunk(seeds: range) -> _Tally:
    logging.disable(logging.WARNING)
    tally = _Tally()
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


def _chunks(first: int, seeds: int) -> Iterator[range]:
    for start in range(first, first + seeds, _CHUNK):
        yield range(start, min(start + _CHUNK, first + seeds))


@click.command()
@click.option("--seeds", default=10_000, show_default=True, help="How many seeds to live through.")
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--jobs", default=1, show_default=True, help="How many processes to use.")
@click.option("--seconds", default=0.0, help="Begin nothing new after so many seconds; 0: no limit.")
@click.option("--short", is_flag=True, help="As `--seconds 60`.")
@click.option("--seed", type=int, help="Live through this one only, and print its log.")
def main(seeds: int, first: int, jobs: int, seconds: float, short: bool, seed: int | None) -> None:
    """Simulate the engine under faults, seed after seed. The exit code is 1 if something was wrong."""
    if seed is not None:
        _show(seed)
        return
    began, total = time.monotonic(), _Tally()
    limit = seconds or (60.0 if short else float("inf"))
    with multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=_CHUNKS_PER_PROCESS) as pool:
        said = began
        for tally in pool.imap_unordered(_chunk, _chunks(first, seeds)):
            total.add(tally)
            for bad, faults in tally.bad.items():
                click.echo(f"seed {bad}: {faults[0]}\n  again with: python -m alula.testing.sim --seed {bad}")
            if time.monotonic() - said > 10:
                said = time.monotonic()
                click.echo(f"{said - began:5.0f} s: {total}")
            if time.monotonic() - began > limit:
                break
    took = time.monotonic() - began
    click.echo(f"{total}; {took:.0f} s, {total.seeds / took:.0f} seeds/s")
    sys.exit(bool(total.bad))


def _show(seed: int) -> None:
    logging.disable(logging.WARNING)
    found = explore(seed)
    for line in found.log:
        click.echo(line)
    click.echo(f"{found.weather}\n{found.results}\nlog {found.digest}")
    for fault in found.faults:
        click.echo(f"FAULT {fault}")
    sys.exit(bool(found.faults))


if __name__ == "__main__":
    main()
