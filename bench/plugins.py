"""The figures of plugins: jobs of a remote that many are tracked of, noticed, run at once, and left after crashes.

Every figure is a case of `bench.hosts` in a fresh process, or `alula.testing.kit`'s sweep of crash points.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from bench.durable import BENCH, HERE, Rival, Table, rival
from bench.environments import installed

PARTS = ("tracked", "noticed", "crowd", "crashes")
_FLYTEKIT = Rival("flytekit's local agent loop", "flytekit_agent", 5)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is run."""

    tracked: int
    noticed: int
    crowd: int
    points: int


FULL = Size(tracked=50_000, noticed=10, crowd=1_000, points=10_000)
SHORT = Size(tracked=5_000, noticed=3, crowd=1_000, points=300)


def measure(parts: Sequence[str], *, short: bool) -> None:
    """Print the figures of these parts. In short, those that mostly wait are taken at one time."""
    size, table = SHORT if short else FULL, Table()
    with ThreadPoolExecutor(2 if short else 1) as cases:
        waiting = {
            part: cases.submit(_case, "bench.hosts", part, str(getattr(size, part)))
            for part in ("tracked", "noticed")
            if part in parts
        }
    if "tracked" in parts:
        found = waiting["tracked"].result()
        name = f"{size.tracked:,} jobs tracked, answers after 5 ms, refresh 30 s"
        table.bar(f"{name}: processor", f"{found['cores']:.2f} cores", "under 1", met=found["cores"] < 1)
        table.bar(f"{name}: memory", f"{found['bytes'] / 1024:.1f} KiB each", "under 8", met=found["bytes"] < 8192)
        table.note("  calls of `get`, and the oldest status", f"{found['gets']:.1f}/s, {found['refresh']:.0f} s")
    if "noticed" in parts:
        found = waiting["noticed"].result()
        for how, name in (("polled", "end of a young job, polled"), ("pushed", "end of an old job, pushed")):
            table.bar(f"{name}, until it is committed", f"{found[how]:.3f} s at most", "within 1", met=found[how] < 1)
    if "crowd" in parts:
        found = _case("bench.hosts", "crowd", str(size.crowd))
        name = f"{size.crowd:,} jobs of 1 s each, all at once"
        table.bar(name, f"{found['seconds']:.2f} s", "under 3", met=found["seconds"] < 3)
        _beside(table, size.crowd)
    if "crashes" in parts:
        found = _case("alula.testing.kit", "--points", str(size.points), "-o", "json")
        name = f"live jobs after {found['points']:,} crash points"
        table.bar(name, f"{found['left']}", "0", met=not found["left"] and not found["broken"])


def _beside(table: Table, count: int) -> None:
    """How flytekit's own loop does that: one job after the other."""
    python = installed("flytekit")
    if python is None:
        table.note(f"  {_FLYTEKIT.name}", "left out", "make bench installs it with the other figures")
        return
    try:
        each, _ = rival(_FLYTEKIT, python, "crowd")
    except RuntimeError as exc:
        table.note(f"  {_FLYTEKIT.name}", "did not run", str(exc))
        return
    said = f"{each:.2f} s each, one after the other: {each * count:,.0f} s for all"
    table.note(f"  {_FLYTEKIT.name}", "", said)


def _case(module: str, *words: str) -> Any:
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, env={**os.environ, **BENCH})
    if not done.stdout.strip():
        raise SystemExit(f"bench: {' '.join(command)} failed\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
