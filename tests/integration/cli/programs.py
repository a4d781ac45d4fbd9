"""A user's program, and the command line in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from alula.cli.main import app

PROGRAM = '''
"""A shop."""
import enum, os, sys, time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import alula
from alula import Deck, File, LaunchPlan, conditional, dynamic, eager, map_task, task, wait_for_input, workflow
from {neighbour} import PRICES

class Color(enum.Enum):
    RED = "red"
    GREEN = "green"

@dataclass
class Config:
    rounds: int
    tags: list[str] = field(default_factory=list)

@task
def add(a: int, b: int = 3) -> int:
    """Adds two numbers.

    Args:
        a: The first summand.
    """
    return a + b

@task
def all_kinds(
    i: int, f: float, s: str, flag: bool, color: Color, mode: Literal["fast", "slow"], at: datetime, wait: timedelta,
    xs: list[int], m: dict[str, float], config: Config, maybe: int | None = None, either: int | str = "x",
    dry_run: bool = True,
) -> dict:
    return {{
        "i": i, "f": f, "s": s, "flag": flag, "color": color.name, "mode": mode, "at": str(at),
        "wait": wait.total_seconds(), "xs": xs, "m": m, "rounds": config.rounds, "maybe": maybe, "either": either,
        "dry_run": dry_run,
    }}

@task
def size(f: File) -> int:
    with f.open() as stream:
        return len(stream.read())

@task
def write(text: str) -> File:
    made = File.new("made.txt")
    with open(made, "w") as out:
        out.write(text)
    return made

@task(retries=1)
def fails(a: int) -> int:
    return broken(a)

def broken(a):
    raise ValueError(f"no {{a}} today")

@task(timeout=timedelta(seconds=0.1))
def slow() -> None:
    time.sleep(60)

@task
def leaves() -> None:
    sys.exit("I am off")

@task
def interrupted() -> None:
    raise KeyboardInterrupt

@task
def variable() -> str:
    return os.environ.get("SHOP_VARIABLE", "unset")

@task(enable_deck=True)
def report(a: int) -> int:
    Deck("mine", f"<b>report of {{a}}</b>")
    return a

@task(cache=alula.Cache(version="1"))
def costly(a: int) -> int:
    print("costly runs")
    return a

@workflow
def flow(a: int) -> int:
    """Adds twice."""
    return add(a=report(a=add(a=a)), b=1)

@workflow
def failing(a: int) -> int:
    return fails(a=add(a=a))

@workflow
def asks(a: int) -> int:
    return add(a=a, b=wait_for_input("how-many", timeout=timedelta(hours=1), expected_type=int))

@workflow
def stray(a: int) -> int:
    return add(a="x")

@dynamic
def spread(n: int) -> list[int]:
    return [add(a=i) for i in range(n)]

@eager
async def decides(a: int) -> int:
    return add(a=a) if a < 10 else 0

@workflow
def caches(a: int) -> int:
    return costly(a=a)

plan = LaunchPlan.get_or_create(flow, name="daily", default_inputs={{"a": 7}})
every = map_task(add)
'''


@dataclass
class Shell:
    """A working directory with a program in it."""

    home: Path
    module: str

    @property
    def file(self) -> str:
        return f"{self.module}.py"

    def __post_init__(self) -> None:
        (self.home / f"{self.module}_prices.py").write_text("PRICES = [1]\n")
        (self.home / self.file).write_text(PROGRAM.format(neighbour=f"{self.module}_prices"))

    def add(self, name: str, text: str) -> str:
        (self.home / name).write_text(text)
        return name

    def run(self, *words: str, stdin: str = "") -> Result:
        """`alula run PROGRAM WORDS` in this process."""
        return self.alula("run", self.file, *words, stdin=stdin)

    def alula(self, *words: str, stdin: str = "") -> Result:
        """A command in this process. What it raises comes out, for no command lets anything out."""
        return CliRunner(catch_exceptions=False).invoke(app, words, input=stdin, prog_name="alula")

    def process(self, *words: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """The console script in a process of its own."""
        return subprocess.run(
            [console_script(), *words],
            cwd=self.home,
            env={**os.environ, "ALULA_HOME": str(self.home / "alula-home"), **env},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def console_script() -> str:
    return str(Path(sys.executable).parent / "alula")
