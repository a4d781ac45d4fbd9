"""The program that the tests of executions register; the real flytekit imports it, and nothing of ours."""

PROGRAM = """
import typing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
from flytekit import (
    CronSchedule, Deck, LaunchPlan, approve, conditional, current_context, dynamic, map_task, task, wait_for_input,
    workflow,
)
from flytekit.types.error.error import FlyteError
from flytekit.types.file import FlyteFile


@task
def double(x: int) -> int:
    return 2 * x


@task(cache=True, cache_version="1")
def plus_one(x: int) -> int:
    return x + 1


@task
def total(xs: typing.List[int]) -> int:
    return sum(xs)


@task(retries=1)
def unsteady(x: int) -> int:
    from flytekit.exceptions.user import FlyteRecoverableException
    if current_context().execution_id.name and x and not Path(MARK).exists():
        Path(MARK).touch()
        raise FlyteRecoverableException("not yet")
    return x


@task
def picky(x: int) -> int:
    if Path(OPEN).exists():
        return x
    raise ValueError(f"no good {x}")


@dynamic
def many(n: int) -> typing.List[int]:
    return [double(x=i) for i in range(n)]


@task(enable_deck=True)
def shown(x: int) -> int:
    Deck("seen", f"<b>{x}</b>")
    return x


@workflow
def inner(x: int) -> int:
    return conditional("sign").if_(x > 0).then(double(x=x)).else_().then(double(x=0))


@workflow
def child(x: int) -> int:
    return double(x=x)


child_plan = LaunchPlan.get_or_create(child, "child_plan", default_inputs={"x": 5})


@workflow
def whole(
    x: int = 3, xs: typing.List[int] = [1, 2]
) -> typing.Tuple[int, int, typing.List[int], int, int, int]:
    a = plus_one(x=x)
    b = total(xs=map_task(double)(x=xs))
    c = many(n=x)
    d = inner(x=a)
    e = child_plan(x=d)
    f = unsteady(x=shown(x=x))
    return a, b, c, d, e, f


@task
def clean_up(x: int, err: typing.Optional[FlyteError] = None):
    print(err)


@workflow(on_failure=clean_up)
def fails(x: int) -> int:
    return picky(x=double(x=x))


@workflow
def gated(x: int) -> int:
    allowed = approve(double(x=x), "go", timeout=timedelta(hours=1))
    more = wait_for_input("more", timeout=timedelta(hours=1), expected_type=int)
    return total(xs=[allowed, more])


@task
def day(at: datetime) -> str:
    return at.date().isoformat()


@workflow
def daily(at: datetime) -> str:
    return day(at=at)


@dataclass
class Point:
    x: int


@task
def length(file: FlyteFile) -> FlyteFile:
    text = Path(file).read_text()
    Path("length.txt").write_text(str(len(text)))
    return FlyteFile("length.txt")


@task
def scaled(df: pd.DataFrame, by: Point) -> pd.DataFrame:
    return df.assign(y=df.x * by.x)


@workflow
def data(file: FlyteFile, df: pd.DataFrame, by: Point) -> typing.Tuple[FlyteFile, pd.DataFrame]:
    return length(file=file), scaled(df=df, by=by)


@workflow
def children(xs: typing.List[int]) -> typing.List[int]:
    return map_task(child_plan)(x=xs)


daily_plan = LaunchPlan.get_or_create(
    daily, "daily_plan", schedule=CronSchedule(schedule="0 0 * * *", kickoff_time_input_arg="at")
)
"""


def program(marks: str) -> str:
    """The program, whose tasks look for files below a directory."""
    return f"MARK, OPEN = {marks + '/mark'!r}, {marks + '/open'!r}\n" + PROGRAM
