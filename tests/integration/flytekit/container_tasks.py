"""Tasks that are run in containers of both worlds, each once, as a platform would run them."""

# Users write both spellings of types, so both are converted here.
# ruff: noqa: UP006, UP035, UP045

from typing import List, NamedTuple, Optional, Tuple

import pandas as pd
from dialect import sdk
from reference_workflows import Point, add_one, unroll


class Pair(NamedTuple):
    low: int
    high: float


@sdk.task
def points(p: Point, more: Optional[List[Point]] = None) -> List[Point]:
    return [p, *(more or []), Point(p.x + 1)]


@sdk.task
def named(a: int) -> Pair:
    return Pair(a, a / 2)


@sdk.task
def table(n: int) -> Tuple[pd.DataFrame, sdk.File]:
    with open("rows.txt", "w") as out:
        out.write("row\n" * n)
    return pd.DataFrame({"n": range(n)}), sdk.File("rows.txt")


@sdk.task
def nothing(a: int) -> None:
    assert a


@sdk.task(enable_deck=True)
def with_deck(a: int) -> int:
    sdk.Deck("mine", "<p>seen</p>")
    return a


@sdk.task
def fails(a: int) -> int:
    if a:
        raise ValueError(f"not {a}")
    return a


@sdk.task
def fails_for_now(a: int) -> int:
    if a:
        raise sdk.Recoverable("try again")
    return a


@sdk.task(retries=3)
def fails_with_retries(a: int) -> int:
    if a:
        raise ValueError("each time")
    return a


@sdk.task
def gives_text(a: int) -> int:
    return "text"  # type: ignore[return-value]


@sdk.task
def gives_none(a: int) -> int:
    return None  # type: ignore[return-value]


@sdk.task
def leaves(a: int) -> int:
    if a:
        raise SystemExit(3)
    return a


@sdk.dynamic
def unrolls_nothing(n: int) -> List[int]:
    return list(range(n))


@sdk.dynamic
def unroll_fails(n: int) -> int:
    one = add_one(a=n)
    if n:
        raise KeyError("gone")
    return one


@sdk.workflow
def reached(a: int, p: Point) -> None:
    """Reaches them all, so that one serialization has the command lines of all."""
    points(p=p)
    named(a=a)
    table(n=a)
    nothing(a=a)
    with_deck(a=a)
    fails(a=a)
    fails_for_now(a=a)
    fails_with_retries(a=a)
    gives_text(a=a)
    gives_none(a=a)
    leaves(a=a)
    unrolls_nothing(n=a)
    unroll_fails(n=a)
    unroll(n=a, text="x")


ENTITIES = {"reached": reached}

DYNAMIC: dict[str, tuple[object, dict[str, object]]] = {}

CASES: dict[str, dict[str, object]] = {
    "points": {"p": Point(1, "a"), "more": [Point(7)]},
    "named": {"a": 5},
    "table": {"n": 3},
    "nothing": {"a": 1},
    "with_deck": {"a": 1},
    "fails": {"a": 1},
    "fails_for_now": {"a": 1},
    "fails_with_retries": {"a": 1},
    "gives_text": {"a": 1},
    "gives_none": {"a": 1},
    "leaves": {"a": 1},
    "unrolls_nothing": {"n": 3},
    "unroll_fails": {"n": 3},
    "unroll": {"n": 2, "text": "hi"},
}
"""Inputs, by task."""
