"""What may stand behind a decorator: decorated functions, generators, functions made in a loop; and what may not."""

import functools
from collections.abc import Iterator
from typing import Any

import pytest

from alula import JSON, dynamic, task, workflow
from alula.errors import SignatureError


def logged(fn):
    @functools.wraps(fn)
    def wrapper(*args, **kwargs):
        return fn(*args, **kwargs) + 1

    return wrapper


def with_setting(n: int):
    def decorate(fn):
        @functools.wraps(fn)
        def wrapper(*args, **kwargs):
            return fn(*args, **kwargs) * n

        return wrapper

    return decorate


@task
@logged
@with_setting(10)
def decorated(x: int) -> int:
    """Says what it does."""
    return x


@logged
def helper(x: int) -> int:
    return x


def test_decorators_with_wraps_are_transparent() -> None:
    assert decorated(x=2) == 21
    assert decorated.__doc__ == "Says what it does."
    assert decorated.__name__ == "decorated"
    assert decorated.name.endswith("test_functions.decorated")


class Callable_:
    def __call__(self, x: int) -> int:
        return x


@pytest.mark.parametrize("thing", [Callable_(), functools.partial(helper, x=1), int, len, "text", 5])
def test_what_is_no_function_is_refused_with_a_reason(thing: Any) -> None:
    with pytest.raises(SignatureError, match="no function"):
        task(thing)


@task
def gen(n: int) -> Iterator[int]:
    yield from range(n)


@task
def json_lines(n: int) -> Iterator[JSON]:
    for i in range(n):
        yield {"n": i}


@task
def fails_late(n: int) -> Iterator[int]:
    yield 1
    raise KeyError("late")


@task
def collect(xs: list[int]) -> int:
    return sum(xs)


@task
def read(lines: Iterator[JSON]) -> int:
    return sum(line["n"] for line in lines)


@workflow
def generated(n: int) -> tuple[int, int]:
    return collect(xs=gen(n=n)), read(lines=json_lines(n=n))


def test_generators_are_outputs() -> None:
    assert list(gen(n=3)) == [0, 1, 2]
    assert generated(n=4) == (6, 6)
    with pytest.raises(KeyError, match="late") as caught:
        fails_late(n=1)
    assert any("fails_late" in note for note in caught.value.__notes__)


def test_tasks_made_in_a_loop_keep_their_own_functions() -> None:
    def make(n: int):
        @task
        def made(x: int) -> int:
            return x * n

        return made

    tasks = [make(n) for n in range(3)]

    @workflow
    def wf(x: int) -> list[int]:
        return [t(x=x) for t in tasks]

    assert wf(x=2) == [0, 2, 4]


@dynamic
def keyword_only(*, n: int) -> list[int]:
    return [decorated(x=i) for i in range(n)]


def test_keyword_only_parameters_of_dynamics_and_workflows() -> None:
    @workflow
    def wf(*, n: int, m: int = 1) -> list[int]:
        return keyword_only(n=n)

    assert wf(n=2) == [1, 11]
