"""Several outputs, named or not, as promises and as values."""

from typing import NamedTuple, Tuple

from flytekit import task, workflow

slope_value = NamedTuple("slope_value", [("slope", float)])


class Stats(NamedTuple):
    low: int
    high: int
    name: str


@task
def one() -> slope_value:
    return slope_value(slope=1.5)


@task
def stats(values: list[int]) -> Stats:
    return Stats(min(values), max(values), "stats")


@task
def pair(a: int) -> Tuple[int, str]:
    return a + 1, str(a)


@task
def add(a: int, b: int) -> int:
    return a + b


@workflow
def wf(values: list[int]) -> Stats:
    s = stats(values=values)
    total = add(a=s.low, b=s.high)
    return Stats(s.low, total, s.name)


@workflow
def single() -> slope_value:
    return slope_value(one().slope)


@workflow
def two(a: int) -> Tuple[int, str]:
    number, text = pair(a=a)
    more, _ = pair(a=number)
    return more, text


@workflow
def by_position(a: int) -> Tuple[str, int]:
    p = pair(a=a)
    return p[1], p[0]


if __name__ == "__main__":
    print(stats(values=[3, 1, 2]), stats(values=[3, 1, 2]).high)
    print(one(), one().slope)
    print(pair(a=4), type(pair(a=4)).__name__ != "int")
    print(wf(values=[5, 9]), wf(values=[5, 9]).name)
    print(single())
    print(two(a=1), by_position(a=8))
    print(list(stats.python_interface.outputs), list(two.python_interface.outputs), list(wf.interface.outputs))
