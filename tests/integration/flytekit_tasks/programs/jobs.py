"""Tasks and workflows as users of flytekit write them; registered with a code bundle, and run by Alula's engine."""

import functools
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from flytekit import Deck, current_context, dynamic, map_task, task, workflow
from flytekit.exceptions.user import FlyteRecoverableException
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile
from helping.words import shout

COLOUR = os.environ.get("COLOUR", "")
"""As the variables were when this module was imported."""


@dataclass
class Point:
    x: int
    label: str = "none"


class Sums(NamedTuple):
    total: int
    text: str


@task
def nothing() -> int:
    return 1


@task
def double(x: int) -> int:
    print(f"doubling {x}")
    return 2 * x


@task
def add(a: int, b: int) -> Sums:
    return Sums(a + b, shout(f"sum={a + b}"))


@task
def move(p: Point, by: int = 3) -> Point:
    return Point(p.x + by, p.label.upper())


@task
def frame(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"n": list(range(rows))})


@task
def column_sum(df: pd.DataFrame) -> int:
    return int(df["n"].sum())


@task
def write_file(text: str) -> FlyteFile:
    path = Path("made.txt")  # in the working directory, which is the attempt's own
    assert not path.exists()
    path.write_text(text)
    return FlyteFile(str(path))


@task
def read_file(file: FlyteFile) -> str:
    with open(file) as opened:
        return opened.read()


@task
def write_many(count: int) -> FlyteDirectory:
    home = Path(tempfile.mkdtemp())
    for nth in range(count):
        (home / f"{nth}.txt").write_text(str(nth))
    return FlyteDirectory(str(home))


@task
def count_files(folder: FlyteDirectory) -> int:
    return len(os.listdir(folder))


@task
def fails(text: str) -> int:
    if text:
        raise ValueError(f"no {text}")
    return 0


@task(retries=2)
def fails_twice(home: str) -> int:
    tries = Path(home, "tries")
    count = int(tries.read_text()) if tries.exists() else 0
    tries.write_text(str(count + 1))
    if count < 2:
        raise FlyteRecoverableException(f"try {count}")
    return int(os.environ["FLYTE_ATTEMPT_NUMBER"])


@task(retries=3)
def goes_on() -> int:
    """Comes one step further in each attempt."""
    checkpoint = current_context().checkpoint
    former = checkpoint.read()
    step = int(former.decode()) if former else 0
    checkpoint.write(str(step + 1).encode())
    if step < 2:
        raise FlyteRecoverableException(f"step {step}")
    return step


@task(retries=1)
def dies_once(home: str) -> int:
    mark = Path(home, "died")
    if not mark.exists():
        mark.touch()
        current_context().checkpoint.write(b"saved")
        os.kill(os.getpid(), signal.SIGKILL)
    return len(current_context().checkpoint.read() or b"")


@task
def leaves(code: int) -> int:
    if code:
        sys.exit(code)
    return 0


@task(enable_deck=True)
def with_deck(n: int) -> int:
    Deck("numbers", f"<b>{n} numbers</b>")
    return n


@task(environment={"COLOUR": "blue"})
def surroundings() -> dict[str, str]:
    context = current_context()
    return {
        "colour": os.environ["COLOUR"],
        "imported": COLOUR,
        "extra": os.environ.get("EXTRA", ""),
        "execution": context.execution_id.name,
        "task": context.task_id.name,
        "version": context.task_id.version,
        "attempt": os.environ["FLYTE_ATTEMPT_NUMBER"],
        "pythonpath": os.environ.get("PYTHONPATH", ""),
        "cwd": os.getcwd(),
        "data": Path("helping", "data.txt").read_text().strip(),
        "left": ",".join(sorted(os.listdir())),
    }


@task
def waits_for(home: str) -> int:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    Path(home, "child.pid").write_text(str(child.pid))
    Path(home, "own.pid").write_text(str(os.getpid()))
    try:
        time.sleep(600)
    finally:
        Path(home, "cleaned").touch()
    return 1


@dynamic
def fan_out(n: int) -> list[int]:
    return [double(x=i) for i in range(n)]


@dynamic
def maybe(n: int) -> int:
    if n > 2:
        return double(x=n)
    return n


@task
def scale(x: int, factors: list[int], shift: int) -> int:
    return x * sum(factors) + shift + 1000 * int(os.environ["FLYTE_K8S_ARRAY_INDEX"])


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def odd_fails(x: int) -> int:
    if x % 2:
        raise ValueError(f"{x} is odd")
    return x


@dynamic
def write_several(count: int) -> list[FlyteFile]:
    return [write_file(text="x" * nth) for nth in range(count)]


@task
def sizes(files: list[FlyteFile]) -> list[int]:
    return [len(Path(one.download()).read_text()) for one in files]


@workflow
def nested_files(count: int) -> (list[int], list[int]):
    return sizes(files=write_several(count=count)), sizes(files=map_task(write_file)(text=["", "ab"]))


@workflow
def chain(x: int = 3) -> Sums:
    return add(a=double(x=x), b=double(x=10))


@workflow
def data(rows: int = 4, text: str = "hello") -> (int, str, int):
    return (
        column_sum(df=frame(rows=rows)),
        read_file(file=write_file(text=text)),
        count_files(folder=write_many(count=rows)),
    )


@workflow
def points(p: Point) -> Point:
    return move(p=move(p=p), by=10)


@workflow
def grown(n: int = 4) -> (list[int], int, int):
    return fan_out(n=n), maybe(n=n), maybe(n=1)


@workflow
def mapped(xs: list[int], factors: list[int], shift: int = 5) -> (list[int], int):
    scaled = map_task(functools.partial(scale, factors=factors, shift=shift))(x=xs)
    return scaled, total(xs=scaled)


@workflow
def partly(xs: list[int]) -> list[int | None]:
    return map_task(odd_fails, min_success_ratio=0.5)(x=xs)


ENTITIES = [
    nothing,
    double,
    fails,
    fails_twice,
    goes_on,
    dies_once,
    leaves,
    with_deck,
    surroundings,
    waits_for,
    maybe,
    chain,
    data,
    nested_files,
    points,
    grown,
    mapped,
    partly,
]
