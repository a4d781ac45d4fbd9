"""`python -m alula.testing.sim`: live through many worlds, and say which seeds found something wrong."""

from __future__ import annotations

import logging
import multiprocessing
import sys
import time

import click

from alula.testing.sim.many import Tally, chunks, live_through
from alula.testing.sim.story import explore

_CHUNKS_PER_PROCESS = 40


@click.command()
@click.option("--seeds", default=10_000, show_default=True, help="How many seeds to live through.")
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--jobs", default=1, show_default=True, help="How many processes to use.")
@click.option("--seconds", default=0.0, help="Begin nothing new after so many seconds; 0: no limit.")
@click.option("--short", is_flag=True, help="As `--seconds 25`.")
@click.option("--seed", type=int, help="Live through this one only, and print its log.")
def main(seeds: int, first: int, jobs: int, seconds: float, short: bool, seed: int | None) -> None:
    """Simulate the engine under faults, seed after seed. The exit code is 1 if something was wrong."""
    if seed is not None:
        _show(seed)
        return
    began, total = time.monotonic(), Tally()
    limit = seconds or (25.0 if short else float("inf"))
    with multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=_CHUNKS_PER_PROCESS) as pool:
        said = began
        for tally in pool.imap_unordered(live_through, chunks(first, seeds)):
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
