"""The figures of the durable engine: bars of its own, and rivals that run the same in environments of their own.

Every figure is a case of `bench.engines` in a fresh process. The unit is one bare commit: a small row in SQLite, WAL,
FULL, timed on the same disk in the same process right before. Whoever runs beside it says what it keeps.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.environments import installed, python_with

HERE = Path(__file__).resolve().parent
BENCH = {"PYTHONPATH": str(HERE.parent)}


PATIENCE_SECONDS = 90
"""A rival that is not through by then has met itself: some lock up now and then."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is run."""

    rounds: int
    repeats: int
    steps: int
    waiting: int
    mapped: int
    open: int
    transitions: int


FULL = Size(rounds=3, repeats=3, steps=1_000, waiting=50_000, mapped=50_000, open=10_000, transitions=1_000)
SHORT = Size(rounds=1, repeats=2, steps=300, waiting=5_000, mapped=1_000, open=1_000, transitions=200)


@dataclass(frozen=True, slots=True)
class Rival:
    """A peer, how many tasks it is given (fewer where a thousand would take minutes), and what is asked of us."""

    name: str
    environment: str
    count: int
    arguments: tuple[str, ...] = ()
    chain: float = 0
    """How many times faster we must be; 0: it is shown beside."""
    wide: float = 0


RIVALS = (
    Rival("DBOS", "dbos", 1_000, ("default",), chain=3, wide=10),
    Rival("DBOS, set to WAL", "dbos", 1_000, ("wal",)),
    Rival("Dagster", "dagster", 200, chain=10),
    Rival("Prefect", "prefect", 100),
    Rival("Temporal", "temporal", 100),
    Rival("Luigi", "luigi", 1_000),
    Rival("Dask", "dask", 1_000, wide=1),
    Rival("flyte 2", "flyte2", 1_000, wide=1),
    Rival("flytekit", "flytekit", 300),
)


@dataclass
class Table:
    """Prints as it goes, and counts."""

    met: int = 0
    missed: list[str] = field(default_factory=list)

    def bar(self, name: str, value: str, asked: str, *, met: bool) -> None:
        print(f"{name:58} {value:>34}   {asked}: {'met' if met else 'MISSED'}", flush=True)
        if met:
            self.met += 1
        else:
            self.missed.append(name)

    def note(self, name: str, value: str, said: str = "") -> None:
        print(f"{name:58} {value:>34}   {said}".rstrip(), flush=True)


def engine(case: str, count: int, *more: object) -> Any:
    """What a case of `bench.engines` found."""
    command = [sys.executable, "-m", "bench.engines", case, str(count), *map(str, more)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, env={**os.environ, **BENCH})
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command)} failed\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def rival(one: Rival, python: Path, case: str) -> tuple[float, str]:
    """Seconds per task, and what it keeps. Raises RuntimeError if it cannot run here."""
    program = HERE / "peers" / f"peer_{one.environment}.py"
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), str(program), case, str(one.count), *one.arguments]
        running = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, start_new_session=True
        )
        try:
            said, problem = running.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)  # and the server that it may have started
            running.communicate()
            raise RuntimeError(f"it had not ended after {PATIENCE_SECONDS} s") from None
    try:
        found = json.loads(said.splitlines()[-1])
        return float(found["seconds"]), str(found["keeps"])
    except (IndexError, ValueError, KeyError):
        raise RuntimeError((problem.strip() or said.strip() or "no word").splitlines()[-1]) from None


def steps(table: Table, size: Size, rivals: dict[str, Path]) -> None:
    """Chains and fans, ours and theirs in turn."""
    ours: dict[str, list[dict[str, float]]] = {"chain": [], "relaxed": [], "wide": [], "alone": []}
    theirs: dict[tuple[str, str], list[tuple[float, float, str]]] = {}
    for _ in range(size.rounds):
        for case, shape, durability in (
            ("chain", "chain", "full"),
            ("relaxed", "chain", "relaxed"),
            ("wide", "wide", "full"),
            ("alone", "alone", "full"),
        ):
            found = engine(shape, size.steps, durability, size.repeats)
            ours[case] += found
            here = median(one["seconds"] for one in found)
            for one in RIVALS if case in ("chain", "wide") else ():
                if one.environment in rivals:
                    try:
                        taken, keeps = rival(one, rivals[one.environment], shape)
                    except RuntimeError as exc:
                        table.note(f"{shape}: {one.name}", "could not run", str(exc)[:100])
                        continue
                    theirs.setdefault((case, one.name), []).append((taken, taken / here, keeps))
    _own_bars(table, size, ours)
    for (case, name), pairs in theirs.items():
        one = next(each for each in RIVALS if each.name == name)
        asked = one.chain if case == "chain" else one.wide
        ratio = median(pair[1] for pair in pairs)
        value = f"{ratio:.1f} x less time a task"
        title = f"{case} of {size.steps:,} (theirs: {one.count:,}) beside {name}"
        if asked:
            table.bar(title, value, f"at least {asked:g} x; it keeps: {pairs[0][2]}", met=ratio >= asked)
        else:
            table.note(title, value, f"it keeps: {pairs[0][2]}")


def _own_bars(table: Table, size: Size, ours: dict[str, list[dict[str, float]]]) -> None:
    unit = median(one["commit"] for runs in ours.values() for one in runs)
    table.note("the unit: a bare commit, SQLite, WAL, FULL", f"{unit * 1e6:.0f} µs")
    ratio = median(one["seconds"] / one["commit"] for one in ours["chain"])
    step = median(one["seconds"] for one in ours["chain"])
    name = f"chain of {size.steps:,} in warm workers, FULL"
    table.bar(name, f"{ratio:.2f} units ({step * 1e6:.0f} µs) a step", "at most 2", met=ratio <= 2)
    step = median(one["seconds"] for one in ours["relaxed"])
    table.bar(f"{name[:-4]}relaxed", f"{step * 1e6:.0f} µs a step", "under 250 µs", met=step < 250e-6)
    rate = 1 / median(one["seconds"] for one in ours["wide"])
    name = f"{size.steps:,} independent tasks in warm workers, FULL"
    table.bar(name, f"{rate:,.0f} tasks/s", "at least 3,000 on two cores", met=rate >= 3_000)
    wall = 1 / median(one["seconds"] for one in ours["alone"])
    core = 1 / median(one["cpu"] for one in ours["alone"])
    value = f"{wall:,.0f}/s, {core:,.0f} per core second"
    table.bar("engine alone, runners in memory, FULL", value, "at least 5,000/s", met=wall >= 5_000)


def sizes(table: Table, size: Size) -> None:
    """What many tasks cost in memory, bytes and time."""
    found = engine("waiting", size.waiting)
    each, cores = found["bytes"], found["cores"]
    met = each < 4096 and cores < 1
    table.bar(
        f"{size.waiting:,} waiting tasks", f"{each:,.0f} bytes each, {cores:.2f} cores", "under 4 KiB, 1 core", met=met
    )
    found = engine("map", size.mapped)
    peak = found["bytes"] / 2**20
    value = f"{peak:.0f} MiB, {1 / found['seconds']:,.0f} elements/s"
    table.bar(f"map of {size.mapped:,} in warm workers, FULL", value, "under 500 MB", met=found["bytes"] < 500e6)
    few, many = engine("transition", 100, "full", 100), engine("transition", size.waiting, "full", size.transitions)
    wrote, took = many["bytes"] / few["bytes"], many["seconds"] / few["seconds"]
    value = f"{wrote:.2f} x the bytes, {took:.2f} x the time"
    name = f"one transition at {size.waiting:,} nodes, beside one at 100"
    table.bar(name, value, "within 20 %", met=wrote <= 1.2 and took <= 1.2)


def recovery(table: Table, size: Size) -> None:
    """From the start of a new process to the first commit, after the old one was killed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.engines"]
        surroundings = {**os.environ, **BENCH}
        holder = subprocess.Popen(
            [*command, "hold", str(size.open), folder], stdout=subprocess.PIPE, cwd=HERE.parent, env=surroundings
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "resume", str(size.open), folder], capture_output=True, cwd=HERE.parent, env=surroundings
        )
        taken = time.perf_counter() - start
        if done.stdout != b"progress\n":
            raise SystemExit(f"bench: nothing went on after a kill\n{done.stderr.decode()}")
    name = f"first progress after SIGKILL with {size.open:,} open tasks"
    table.bar(name, f"{taken:.2f} s, process start included", "within 2 s", met=taken < 2)


def hello(table: Table, size: Size, rivals: dict[str, Path]) -> None:
    """A durable run of one task, whole process, beside the import of flytekit."""
    if "flytekit" not in rivals:
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "hello.py")
        file.write_text("from alula import task\n\n\n@task\ndef hello() -> str:\n    return 'hello'\n")
        ours = [str(Path(sys.executable).with_name("alula")), "run", str(file), "hello"]
        theirs = [str(rivals["flytekit"]), "-c", "import flytekit"]
        home = {**os.environ, "ALULA_HOME": folder}
        _wall(ours, home), _wall(theirs, home)  # warm the disk
        pairs = [(_wall(ours, home), _wall(theirs, home)) for _ in range(3 * size.rounds)]
    ratio = median(a / b for a, b in pairs)
    name = "alula run of one task, whole process, FULL"
    table.bar(name, f"{ratio:.2f} x `import flytekit`", "under 2 x", met=ratio < 2)


def _wall(command: Sequence[str], surroundings: dict[str, str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=tempfile.gettempdir(), env=surroundings)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command)} failed\n{done.stdout}{done.stderr}")
    return time.perf_counter() - start


PARTS: dict[str, Callable[[Table, Size, dict[str, Path]], None]] = {
    "steps": steps,
    "sizes": lambda table, size, rivals: sizes(table, size),
    "recovery": lambda table, size, rivals: recovery(table, size),
    "hello": hello,
}


def measure(parts: Sequence[str], *, short: bool) -> None:
    """Print the figures of these parts."""
    table, size = Table(), SHORT if short else FULL
    wanted = {"hello": ["flytekit"], "steps": [] if short else [one.environment for one in RIVALS]}
    rivals: dict[str, Path] = {}
    for name in dict.fromkeys(name for part in parts for name in wanted.get(part, ())):
        found = installed(name) if short else python_with(name)
        if found is not None:
            rivals[name] = found
    print(f"\nThe durable engine, on the disk of {tempfile.gettempdir()}:")
    for part in parts:
        PARTS[part](table, size, {} if short and part == "steps" else rivals)
    print(f"{table.met} bars met; missed: {', '.join(table.missed) or 'none'}.")
