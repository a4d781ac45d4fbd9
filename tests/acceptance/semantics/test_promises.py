"""What a promise may be part of, and what a part of a promise is when there is a value."""

import dataclasses
import math
from typing import Any, NamedTuple

import pytest

from alula import task, workflow
from alula.errors import AlulaError, CallError, ConversionError, PromiseError


@dataclasses.dataclass
class Point:
    x: int
    name: str | None = None
    xs: list[int] = dataclasses.field(default_factory=list)
    inner: dict[str, list["int"]] = dataclasses.field(default_factory=dict)


class Pair(NamedTuple):
    a: int
    b: int


@task
def inc(x: int) -> int:
    return x + 1


@task
def point(x: int) -> Point:
    return Point(x, None if x else "zero", [x, x + 1], {"k": [x]})


@task
def maybe_point(x: int) -> Point | None:
    return Point(x) if x else None


@task
def numbers(x: int) -> list[int]:
    return [x, x + 1]


@task
def named(x: int) -> dict[str, int]:
    return {"a": x}


@task
def bag(x: int) -> dict:
    return {"deep": [{"x": x}]}


@task
def take(p: Point) -> int:
    return p.x


@task
def take_tuple(t: tuple[int, int]) -> int:
    return t[0]


@task
def text(s: str | None) -> str:
    return str(s)


@workflow
def parts(x: int) -> tuple[int, str, int, int, int, int, list[int]]:
    p = point(x=x)
    return (
        inc(x=p.x),
        text(s=p.name),
        inc(x=p.xs[1]),
        inc(x=p.inner["k"][0]),
        inc(x=numbers(x=x)[-1]),
        inc(x=bag(x=x)["deep"][0]["x"]),
        p.xs,
    )


def test_parts_of_outputs_are_inputs_and_outputs() -> None:
    assert parts(x=0) == (1, "zero", 2, 1, 2, 1, [0, 1])
    assert parts(x=5) == (6, "None", 7, 6, 7, 6, [5, 6])


@workflow
def parts_of_inputs(p: Point, ps: list[Point], d: dict[str, Point]) -> tuple[int, int, int]:
    return inc(x=p.x), inc(x=ps[1].xs[0]), inc(x=d["k"].inner["k"][0])


def test_parts_of_inputs_are_inputs() -> None:
    p = Point(1, xs=[7], inner={"k": [9]})
    assert parts_of_inputs(p=p, ps=[p, p], d={"k": p}) == (2, 8, 10)


@workflow
def structures(x: int) -> tuple[list[int], dict[str, list[int]], list[Point], list[list[int]]]:
    a, b = inc(x=x), inc(x=1)
    return [a, 3, b], {"k": [a, b], "j": numbers(x=x)}, [point(x=x), Point(4)], [[a], numbers(x=b)]


def test_lists_and_dicts_mix_promises_and_values_at_any_depth() -> None:
    assert structures(x=0) == ([1, 3, 2], {"k": [1, 2], "j": [0, 1]}, [point(x=0), Point(4)], [[1], [2, 3]])


@workflow
def only_values(x: int) -> tuple[int, str, int]:
    return x, "const", 5


def test_outputs_may_be_inputs_and_constants() -> None:
    assert only_values(x=1) == (1, "const", 5)


@workflow
def beyond_the_end(x: int) -> int:
    return inc(x=numbers(x=x)[5])


@workflow
def no_such_key(x: int) -> int:
    return inc(x=named(x=x)["b"])


@workflow
def part_of_none(x: int) -> int:
    return inc(x=maybe_point(x=x).x)


@pytest.mark.parametrize(
    ("wf", "words"),
    [
        (beyond_the_end, r"'o0' of 'numbers' at \[5\].*2 elements"),
        (no_such_key, r"'o0' of 'named' at .*b.*'a'"),
        (part_of_none, r"'o0' of 'maybe_point' at .x.*none"),
    ],
)
def test_a_part_that_is_not_there_names_the_output_and_the_line_of_the_call(wf: Any, words: str) -> None:
    with pytest.raises(ConversionError, match=rf"(?s){words}.*call of 'inc' .*test_promises\.py:\d+"):
        wf(x=0)


def test_a_part_of_an_optional_value_is_read_when_it_is_there() -> None:
    assert part_of_none(x=3) == 4


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda p: take(p=Point(x=p)), "Point"),
        (lambda p: take(p=Point(x=1, xs=[2, p])), "Point"),
        (lambda p: take_tuple(t=(p, 1)), "tuple"),
        (lambda p: take_tuple(t=Pair(1, p)), "Pair"),
        (lambda p: inc(x={p}), "set"),
    ],
)
def test_promises_inside_other_values_are_refused_with_advice(make: Any, kind: str) -> None:
    @workflow
    def wf(x: int) -> int:
        return make(inc(x=x))

    with pytest.raises(CallError, match=rf"(?s)a {kind} that holds output 'o0' of 'inc'.*test_promises.*@task"):
        wf(x=1)


@pytest.mark.parametrize(
    "use",
    [
        lambda p: p + 1,
        lambda p: f"{p}",
        lambda p: str.format("{}", p),
        lambda p: 1 if p else 2,
        lambda p: p and 1,
        lambda p: not p,
        lambda p: list(p),
        lambda p: [*p],
        lambda p: {**p},
        lambda p: len(p),
        lambda p: range(p),
        lambda p: int(p),
        lambda p: float(p),
        lambda p: 1 in p,
        lambda p: [1, 2][p],
        lambda p: math.floor(p),
        lambda p: 0 < p < 5,
        lambda p: p.nothing,
        lambda p: p[0],
        lambda p: p(),
        lambda p: abs(p),
        lambda p: sum([p]),
        lambda p: max(p, 1),
        lambda p: sorted([p, p]),
        lambda p: round(p),
        lambda p: divmod(p, 2),
        lambda p: p == 1 and 2,
        lambda p: inc(x=p == 1),
    ],
)
def test_using_a_promise_as_a_value_is_an_error_at_the_line_of_the_use(use: Any) -> None:
    @workflow
    def wf(x: int) -> int:
        use(inc(x=x))
        return inc(x=x)

    with pytest.raises(AlulaError, match=r"(?s)test_promises\.py:\d+.*fix:") as caught:
        wf(x=1)
    assert isinstance(caught.value, PromiseError | CallError)


@workflow
def dataframe_like(x: int) -> int:
    p = inc(x=x)
    seen = {p: 1}
    assert p in seen
    assert repr(p).startswith("<promise of n0.o0")
    return p


def test_a_promise_can_be_a_key_and_be_shown() -> None:
    assert dataframe_like(x=1) == 2
