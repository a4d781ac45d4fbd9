"""`python -m bench [--short] [CASE ...]`: every figure beside its rival, in turn, in one run; medians and ratios.

Timings never fail a test; a missed bar is printed as missed, and the exit code stays 0.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import containers, control, durable, plugins, stores, warm
from bench.environments import python_with

HERE = Path(__file__).resolve().parent
PROGRAM = "from {sdk} import task\n\n\n@task\ndef add(a: int, b: int) -> int:\n    return a + b\n"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table: two rivals in turn, and the bar for the ratio theirs / ours."""

    name: str
    unit: str
    ours: Callable[[], float]
    theirs: Callable[[], float]
    rival: str
    bar: float


def cpu_of(command: list[str], **environment: str) -> float:
    """CPU seconds, user and system, of a process that succeeds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(command, **environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def wall_of(command: list[str], **environment: str) -> float:
    """Seconds of a process from start to end."""
    start = time.perf_counter()
    run(command, **environment)
    return time.perf_counter() - start


def run(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tempfile.gettempdir(), env={**os.environ, **environment}
    )
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command)} failed\n{done.stdout}{done.stderr}")
    return done.stdout


def program(python: Path | str, sdk: str, case: str, repeats: int, size: int) -> Callable[[], float]:
    command = [str(python), str(HERE / "programs.py"), sdk, case, str(repeats), str(size)]
    return lambda: float(run(command).split()[-1])


def imported(python: Path | str, name: str) -> Callable[[], float]:
    return lambda: cpu_of([str(python), "-c", f"import {name}"])


def figures(scratch: Path, repeats: int, size: int) -> dict[str, Callable[[], Figure]]:
    """Each figure, made only when it is asked for, since some rivals must be installed first."""
    ours = sys.executable

    def beside(case: str, name: str, unit: str, bar: float) -> Callable[[], Figure]:
        def make() -> Figure:
            theirs = program(python_with("flytekit"), "flytekit", case, repeats, size)
            return Figure(name, unit, program(ours, "alula", case, repeats, size), theirs, "flytekit", bar)

        return make

    def whole_process() -> Figure:
        flytekit = python_with("flytekit")
        commands: dict[str, list[str]] = {}
        for sdk, command in (
            ("alula", [str(Path(ours).with_name("alula")), "run"]),
            ("flytekit", [str(flytekit.with_name("pyflyte")), "run"]),
        ):
            file = scratch / f"{sdk}_program.py"
            file.write_text(PROGRAM.format(sdk=sdk))
            commands[sdk] = [*command, str(file), "add", "--a", "1", "--b", "2"]
        home = str(scratch / "home")
        return Figure(
            "run of one task, whole process",
            "s wall",
            lambda: wall_of(commands["alula"], ALULA_HOME=home),
            lambda: wall_of(commands["flytekit"]),
            "pyflyte run",
            3,
        )

    return {
        "import": lambda: Figure(
            "import", "s CPU", imported(ours, "alula"), imported(python_with("flytekit"), "flytekit"), "flytekit", 5
        ),
        "import2": lambda: Figure(
            "import", "s CPU", imported(ours, "alula"), imported(python_with("flyte2"), "flyte"), "flyte 2", 1
        ),
        "chain": beside("chain", "task in a warm chain of 200", "s", 20),
        "list": beside("list", f"{size:,} distinct ints through a task", "s", 20),
        "literal": beside("literal", f"{size:,} ints to a literal and back", "s", 5),
        "dataclass": beside("dataclass", "dataclass of 20 fields through a task", "s", 10),
        "run": whole_process,
    }


def measure(figure: Figure, rounds: int) -> None:
    """Print one row: medians of both, and the median of the ratios of the pairs."""
    figure.ours(), figure.theirs()  # warm the disk
    pairs = [(figure.ours(), figure.theirs()) for _ in range(rounds)]
    row(figure.name, figure.unit, pairs, figure.rival, figure.bar, lower=False)


def row(name: str, unit: str, pairs: list[tuple[float, float]], rival: str, bar: float, *, lower: bool) -> None:
    ours, theirs = (median(pair[side] for pair in pairs) for side in (0, 1))
    ratio = median(a / b if lower else b / a for a, b in pairs)
    met = ratio <= bar if lower else ratio >= bar
    asked = f"at most {bar:g} x" if lower else f"at least {bar:g} x less"
    said = f"{ratio:.2f} x" if lower else f"{ratio:.1f} x less"
    verdict = "met" if met else "MISSED"
    print(f"{name:40} {ours:12.6f} {theirs:12.6f} {unit:7} {said:>13}   {asked} than {rival}: {verdict}")


def frames(rounds: int, rows: int) -> None:
    said = run([sys.executable, str(HERE / "frames.py"), str(rows), str(rounds)])
    pairs = [(float(a), float(b)) for a, b in (line.split() for line in said.splitlines())]
    row(f"data frame of {rows:,} x 5 between tasks", "s", pairs, "pyarrow write and read", 1.15, lower=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--short", action="store_true", help="fewer rounds and rows, for CI")
    names = (
        "import import2 chain list literal dataclass frame run; of the engine: steps sizes recovery hello; plugins; "
        "container containers; directory; flytekit-task; create load pages"
    )
    parser.add_argument("cases", nargs="*", help=f"{names}; default: all")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # All programs find their modules compiled, as where they were installed, whatever this shell says.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        measure_all(chosen)


def measure_all(chosen: argparse.Namespace) -> None:
    """Print the tables of the cases that are asked for."""
    others = {*durable.PARTS, *plugins.PARTS, *containers.PARTS, *control.PARTS, *warm.PARTS, *stores.PARTS, "plugins"}
    if not chosen.cases or not set(chosen.cases) <= others:
        local([case for case in chosen.cases if case not in others], short=chosen.short)
    engine = [part for part in durable.PARTS if part in chosen.cases or not chosen.cases]
    if engine:
        durable.measure(engine, short=chosen.short)
    wanted = [part for part in plugins.PARTS if not chosen.cases or part in chosen.cases or "plugins" in chosen.cases]
    if wanted:
        plugins.measure(wanted, short=chosen.short)
    boxed = [part for part in containers.PARTS if not chosen.cases or part in chosen.cases]
    if boxed:
        containers.measure(boxed, short=chosen.short)
    asked = [part for part in control.PARTS if not chosen.cases or part in chosen.cases]
    if asked:
        control.measure(asked, short=chosen.short)
    if not chosen.cases or set(stores.PARTS) & set(chosen.cases):
        stores.measure(stores.PARTS, short=chosen.short)
    if not chosen.cases or set(warm.PARTS) & set(chosen.cases):
        warm.measure(warm.PARTS, short=chosen.short)


def local(cases: list[str], *, short: bool) -> None:
    """Print the figures of calls in one process, and of the tools around them."""
    rounds, repeats, size = (2, 1, 20_000) if short else (5, 3, 100_000)
    print(
        f"{'figure':40} {'alula':>12} {'rival':>12} {'unit':7} {'ratio':>13}   bar (medians of {rounds} pairs in turn)"
    )
    with tempfile.TemporaryDirectory() as folder:
        known = figures(Path(folder), repeats, size)
        for name in cases or [*known, "frame"]:
            if name == "frame":
                frames(rounds, 200_000 if short else 1_000_000)
            else:
                measure(known[name](), rounds)
    print("Local calls in one process: nothing of them is durable.")


if __name__ == "__main__":
    main()
