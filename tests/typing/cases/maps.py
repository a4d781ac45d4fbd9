"""A map gives a list of what its task gives; with tolerance for failures, of that or None."""

from functools import partial
from typing import Any, assert_type

from alula import map_task, task, workflow


@task
def scale(value: float, factor: float = 1.0) -> float:
    return value * factor


@workflow
def scaled(values: list[float]) -> list[float]:
    return map_task(partial(scale, factor=2.0), concurrency=4)(value=values)


@workflow
def wrong(values: list[float]) -> list[str]:
    return map_task(scale)(value=values)  # refused: return-value, reportReturnType


assert_type(map_task(scale)(value=[1.0]), list[float])
assert_type(map_task(partial(scale, factor=2.0))(value=[1.0]), list[float])
assert_type(map_task(scale, min_success_ratio=0.5)(value=[1.0]), list[float | None])
assert_type(map_task(scale, min_successes=1)(value=[1.0]), list[float | None])
assert_type(map_task(scaled)(values=[[1.0]]), Any)

map_task(scale, concurrency="4")  # refused: call-overload, reportCallIssue reportArgumentType
map_task(scale, parallel=4)  # refused: call-overload, reportCallIssue
