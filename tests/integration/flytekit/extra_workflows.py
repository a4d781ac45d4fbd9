"""Further shapes that the compiler must get right: the corners that the twelve reference workflows leave out."""

# Users write both spellings of types, so both are converted here.
# ruff: noqa: UP006, UP007, UP035, UP045, RUF036

import enum
import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from dialect import sdk
from reference_workflows import Point, Shape, add, add_one, inner, make_shape, note, numbers, scale, shout, split, total


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Catalogue:
    shapes: List[Shape]
    by_name: Dict[str, Shape]


class Stats(NamedTuple):
    low: int
    high: int


@sdk.task
def flag(a: int) -> bool:
    return a > 0


@sdk.task
def stats(values: List[int]) -> Stats:
    return Stats(min(values), max(values))


@sdk.task
def maybe(a: Optional[int] = None, b: Union[int, str] = "b") -> Optional[int]:
    return a


@sdk.task
def nested_total(rows: List[List[int]], named: Dict[str, int]) -> int:
    return sum(map(sum, rows)) + sum(named.values())


@sdk.task
def any_of(v: Union[int, float, str, bool, None, List[int], Dict[str, int], datetime, timedelta]) -> str:
    return str(v)


@sdk.task
def catalogue() -> Catalogue:
    return Catalogue([], {})


@sdk.task
def paint(color: Color) -> Color:
    return color


@sdk.workflow
def elif_chain(a: int, b: float, t: str, f: bool) -> str:
    return (
        sdk.conditional("chain")
        .if_((a > 1) & (b <= 2.5) & (t != "x"))
        .then(shout(text="one"))
        .elif_((a == 2) | (b > 3.5))
        .then(shout(text="two"))
        .elif_(f.is_true())
        .then(shout(text=t))
        .elif_(f.is_false())
        .then(shout(text="no"))
        .else_()
        .fail("no way")
    )


@sdk.workflow
def branch_on_output(a: int) -> int:
    ok = flag(a=a)
    low = add_one(a=a)
    got = (
        sdk.conditional("on-output")
        .if_(ok.is_true())
        .then(add(a=low, b=1))
        .elif_(low > 100)
        .then(inner(a=low)[0])
        .else_()
        .then(add_one(a=a))
    )
    return add_one(a=got)


@sdk.workflow
def branch_two_outputs(a: int) -> Tuple[int, str]:
    x, y = sdk.conditional("two").if_(a > 0).then(split(a=a)).elif_(a == -1).then(split(a=5)).else_().then(split(a=0))
    return add_one(a=x), y


@sdk.workflow
def branch_none(a: int, n: Optional[int] = None) -> int:
    return sdk.conditional("optional").if_(n.is_none()).then(add_one(a=a)).else_().then(add(a=a, b=1))


@sdk.workflow
def branch_void(a: int) -> None:
    sdk.conditional("void").if_(a > 0).then(note(message="plus")).else_().then(note(message="minus"))


@sdk.workflow
def branch_attribute(name: str) -> int:
    shape = make_shape(name=name)
    return (
        sdk.conditional("attr")
        .if_(shape.origin.x > 1)
        .then(add_one(a=shape.origin.x))
        .else_()
        .then(add(a=shape.corners[0].x, b=1))
    )


@sdk.workflow
def branch_of_workflows(a: int) -> Tuple[int, int]:
    return sdk.conditional("wfs").if_(a > 0).then(inner(a=a)).else_().then(inner(a=1, b=2))


@sdk.workflow
def named_outputs(n: int) -> Stats:
    found = stats(values=numbers(n=n))
    return Stats(low=found.low, high=add_one(a=found.high))


@sdk.workflow
def collections(a: int, b: int) -> int:
    one = add_one(a=a)
    two = add_one(a=b)
    return nested_total(rows=[[one, two], [a, 4], []], named={"one": one, "b": b, "c": 5})


@sdk.workflow
def ordering(a: int) -> int:
    first = sdk.create_node(add_one, a=a)
    second = sdk.create_node(note, message="second")
    third = sdk.create_node(add, a=first.o0, b=1)
    first >> second
    second >> third
    return third.o0


@sdk.workflow
def ordering_of_promises(a: int) -> int:
    first = note(message="first")
    second = add_one(a=a)
    pair = split(a=a)
    last = note(message="last")
    first >> second
    second >> last
    pair[0] >> last
    return second


@sdk.workflow
def map_plain(n: int) -> List[int]:
    return sdk.map_task(add_one)(a=numbers(n=n))


@sdk.workflow
def map_two(n: int) -> List[int]:
    items = numbers(n=n)
    return sdk.map_task(add)(a=items, b=items)


@sdk.workflow
def map_constant() -> List[int]:
    return sdk.map_task(functools.partial(scale, factor=2, offset=1))(value=[1, 2, 3])


@sdk.workflow
def map_ratio(n: int) -> List[Optional[int]]:
    return sdk.map_task(add_one, min_success_ratio=0.75)(a=numbers(n=n))


@sdk.workflow
def map_min_successes(n: int) -> List[Optional[int]]:
    return sdk.map_task(add_one, concurrency=2, min_successes=3, min_success_ratio=0.5)(a=numbers(n=n))


@sdk.workflow
def map_overridden(n: int) -> List[int]:
    return sdk.map_task(add_one, concurrency=0)(a=numbers(n=n)).with_overrides(
        retries=2, requests=sdk.Resources(cpu="1"), cache=sdk.Cache(version="m")
    )


@sdk.workflow
def map_void(texts: List[str]) -> None:
    sdk.map_task(note)(message=texts)


@sdk.workflow
def one_out(a: int, b: int = 2) -> int:
    return add(a=a, b=b)


one_plan = sdk.LaunchPlan.get_or_create(one_out, name="extra.one_plan", default_inputs={"b": 4})


@sdk.workflow
def map_plan(n: int) -> List[int]:
    return sdk.map_task(one_plan, concurrency=3)(a=numbers(n=n), b=[1, 2])


@sdk.workflow
def union_constants() -> str:
    any_of(v=1)
    any_of(v=1.5)
    any_of(v="text")
    any_of(v=True)
    any_of(v=None)
    any_of(v=[1, 2])
    any_of(v={"a": 1})
    any_of(v=datetime(2021, 1, 1, tzinfo=UTC))
    return any_of(v=timedelta(seconds=5))


@sdk.task
def of_list(v: List[Union[int, str]], p: Point, c: Color, o: Optional[Point] = None) -> int:
    return 1


@sdk.workflow
def structured_constants(a: int) -> int:
    paint(color=Color.RED)
    return of_list(v=[1, "two", a], p=Point(5), c=Color.BLUE, o=Point(6, "there"))


@sdk.workflow
def chained_attributes() -> Tuple[int, str, Point]:
    found = catalogue()
    return (
        add_one(a=found.shapes[0].corners[1].x),
        found.by_name["a"].origin.label,
        found.shapes[2].origin,
    )


@sdk.workflow
def passes_through(a: int, b: List[int]) -> Tuple[int, List[int], int]:
    return a, b, b[0]


@sdk.workflow
def returns_list(a: int) -> List[int]:
    return [add_one(a=a), a, 3]


@sdk.workflow
def returns_dict(a: int) -> Dict[str, int]:
    return {"one": add_one(a=a), "a": a, "three": 3}


@sdk.workflow
def no_inputs() -> None:
    note(message="alone")


@sdk.workflow
def handle(a: int, err: Optional[sdk.Error] = None) -> None:
    note(message="failed")


@sdk.workflow(on_failure=handle)
def failing_to_workflow(a: int) -> int:
    return add_one(a=a)


@sdk.workflow
def same_task_twice(a: int) -> int:
    """Calls one task many times, to fix the numbers of the nodes."""
    for _ in range(12):
        a = add_one(a=a)
    return a


@sdk.workflow
def gate_chain(a: int) -> int:
    typed = sdk.wait_for_input("a-list", timeout=timedelta(hours=1), expected_type=List[int])
    t = total(values=typed)
    ok = sdk.approve(t, "fine", timeout=timedelta(hours=1))
    return add_one(a=ok).with_overrides(node_name="After Approval_1")


@sdk.dynamic(retries=1, cache=sdk.Cache(version="d"))
def unroll_branches(n: int, texts: List[str]) -> Tuple[int, List[List[int]]]:
    more = add_one(a=n)
    got = sdk.conditional("in-dynamic").if_(more > 3).then(add_one(a=n)).else_().then(add(a=n, b=n))
    rows = [[add_one(a=i), i] for i in range(n)]
    sdk.map_task(note)(message=texts)
    inner_plan_result = one_plan(a=got)
    return inner_plan_result, rows


@sdk.dynamic
def unroll_nothing(n: int) -> int:
    return n + 1


@sdk.dynamic
def unroll_deeper(n: int) -> int:
    if n <= 0:
        return n
    return unroll_deeper(n=n - 1)


ENTITIES = {
    "elif_chain": elif_chain,
    "branch_on_output": branch_on_output,
    "branch_two_outputs": branch_two_outputs,
    "branch_none": branch_none,
    "branch_void": branch_void,
    "branch_attribute": branch_attribute,
    "branch_of_workflows": branch_of_workflows,
    "named_outputs": named_outputs,
    "collections": collections,
    "ordering": ordering,
    "ordering_of_promises": ordering_of_promises,
    "map_plain": map_plain,
    "map_two": map_two,
    "map_constant": map_constant,
    "map_ratio": map_ratio,
    "map_min_successes": map_min_successes,
    "map_overridden": map_overridden,
    "map_void": map_void,
    "map_plan": map_plan,
    "union_constants": union_constants,
    "structured_constants": structured_constants,
    "chained_attributes": chained_attributes,
    "passes_through": passes_through,
    "returns_list": returns_list,
    "returns_dict": returns_dict,
    "no_inputs": no_inputs,
    "failing_to_workflow": failing_to_workflow,
    "same_task_twice": same_task_twice,
    "gate_chain": gate_chain,
}
DYNAMIC = {
    "unroll_branches": (unroll_branches, {"n": 2, "texts": ["a", "b"]}),
    "unroll_nothing": (unroll_nothing, {"n": 1}),
    "unroll_deeper": (unroll_deeper, {"n": 2}),
}
