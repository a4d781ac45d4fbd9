"""`python -m alula.testing.kit --points 10000`: kill the engine at so many points, and count the jobs that are left.

Every labelled point of the engine, and every call to a plugin before, in, and after it, in every scenario, with one
scripted cloud after the other; then pairs of these.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator

import click

from alula.testing.kit.clouds import CloudHarness, CoreHarness, KeyedHarness, LaggingHarness
from alula.testing.kit.faults import Fault, Kind, kinds_of
from alula.testing.kit.harness import Harness
from alula.testing.kit.report import counterexample
from alula.testing.kit.scenarios import Scenario, scenarios_of
from alula.testing.kit.scene import Outcome, Scene
from alula.testing.kit.watch import LEAKS

HARNESSES: tuple[type[Harness], ...] = (CloudHarness, KeyedHarness, CoreHarness, LaggingHarness)
_KILLS = (Kind.KILLED_BEFORE, Kind.KILLED_AFTER, Kind.KILLED_LATE)
Where = tuple[str, int] | None
World = tuple[Harness, Scenario, tuple[Fault, ...], Where]


def worlds(seed: int) -> Iterator[World]:
    """Every run in which an engine is killed once; then, without end, those in which one is killed twice."""
    once: list[tuple[Harness, Scenario, list[Fault], list[tuple[str, int]]]] = []
    for cls in HARNESSES:
        harness = cls()
        remote = harness.remote()
        plugin = harness.plugin(remote)
        for scenario in scenarios_of(harness, remote):
            if not scenario.faults:
                continue
            calm = Scene(harness, scenario).play()
            kills = [
                Fault(call, nth, kind) for call, nth in calm.calls for kind in kinds_of(plugin, call) if kind in _KILLS
            ]
            places = [(label, nth) for label, count in sorted(calm.points.items()) for nth in range(1, count + 1)]
            once.append((harness, scenario, kills, places))
            for fault in kills:
                yield harness, scenario, (fault,), None
            for place in places:
                yield harness, scenario, (), place
    rng = random.Random(seed)
    while True:
        harness, scenario, kills, places = rng.choice(once)
        if rng.random() < 0.5:
            yield harness, scenario, (rng.choice(kills),), rng.choice(places)
        else:
            yield harness, scenario, tuple(sorted(rng.sample(kills, min(2, len(kills))))), None


def sweep(points: int, seed: int) -> tuple[dict[str, float], list[Outcome]]:
    """Kill engines until so many have died; gives the count of it all, and the runs that broke a promise."""
    began, found = time.monotonic(), list[Outcome]()
    killed = runs = left = 0
    for harness, scenario, faults, place in worlds(seed):
        if killed >= points:
            break
        outcome = Scene(harness, scenario, faults, mark=f"s{seed}n{runs}", crash_at=place).play()
        killed += outcome.engines - 1
        runs += 1
        left += any(breach.promise in LEAKS for breach in outcome.breaches)
        if outcome.breaches:
            found.append(outcome)
    return {"points": killed, "runs": runs, "left": left, "seconds": time.monotonic() - began}, found


@click.command()
@click.option("--points", default=10_000, show_default=True, help="How many engines are to be killed.")
@click.option("--seed", default=0, show_default=True, help="Which pairs are tried.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def main(points: int, seed: int, output: str) -> None:
    """Kill engines at so many points, and count the jobs that are left. The exit code is 1 if a promise is broken."""
    counts, found = sweep(points, seed)
    if output == "json":
        click.echo(json.dumps({**counts, "broken": len(found)}))
    else:
        for outcome in found[:3]:
            click.echo("\n".join(counterexample(outcome)))
        click.echo(
            f"{counts['points']:,} crash points in {counts['runs']:,} runs: live jobs left {counts['left']}, "
            f"promises broken in {len(found)} runs; {counts['seconds']:.0f} s"
        )
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
