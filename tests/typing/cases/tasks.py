"""A task keeps the signature of its function."""

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, assert_type

from alula import Cache, Resources, task


@dataclass
class Point:
    x: float
    y: float


class Split(NamedTuple):
    head: int
    rest: list[int]


@task
def add(a: int, b: int = 1) -> int:
    return a + b


@task(retries=2, timeout=timedelta(minutes=1), cache=Cache(version="1"), requests=Resources(cpu="1"))
def move(p: Point, by: float) -> Point:
    return Point(p.x + by, p.y)


@task
def split(values: list[int]) -> Split:
    return Split(values[0], values[1:])


@task
def say(text: str) -> None:
    pass


@task
async def wait(seconds: float) -> str:
    return f"{seconds}"


assert_type(add(a=1, b=2), int)
assert_type(add(1), int)
assert_type(move(p=Point(0, 0), by=1.5).x, float)
assert_type(split(values=[1, 2]).rest, list[int])

add(a="1", b=2)  # refused: arg-type, reportArgumentType
add(a=1, c=2)  # refused: call-arg, reportCallIssue
add()  # refused: call-arg, reportCallIssue
add(1, 2, 3)  # refused: call-arg, reportCallIssue
move(p=(0, 0), by=1.0)  # refused: arg-type, reportArgumentType
text: str = add(a=1)  # refused: assignment, reportAssignmentType
split(values=[1]).tail  # refused: attr-defined, reportAttributeAccessIssue
add(a=move(p=Point(0, 0), by=1.0))  # refused: arg-type, reportArgumentType


async def use() -> None:
    assert_type(await wait(seconds=1.0), str)
    await wait(seconds="1")  # refused: arg-type, reportArgumentType


# Settings are checked too.


@task(retries="2")  # refused: call-overload, reportCallIssue reportArgumentType
def wrong_retries() -> None: ...


@task(retry=2)  # refused: call-overload, reportCallIssue
def unknown_setting() -> None: ...


# Settings of a single call go onto the task, for a promise is an `int` in the eyes of a type checker.

assert_type(add.with_overrides(retries=3)(a=1, b=2), int)
add.with_overrides(retries=3)(a="1", b=2)  # refused: arg-type, reportArgumentType
add(a=1).with_overrides(retries=3)  # refused: attr-defined, reportAttributeAccessIssue
