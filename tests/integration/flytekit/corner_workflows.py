"""Corners where a compiler goes wrong: nested shapes, documented tasks, references, types that live in blobs."""

# Users write both spellings of types, so both are converted here.
# ruff: noqa: UP006, UP007, UP035, UP045, F821

import functools
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Dict, List, Literal, NamedTuple, Optional, Tuple, Union

from dialect import sdk
from extra_workflows import Stats, maybe, one_plan, stats
from reference_workflows import Point, add, add_one, inner, numbers, shout, total


class Both(NamedTuple):
    count: int
    text: str


@dataclass
class Settings:
    rate: float
    names: List[str]
    nested: Optional[Point] = None


@sdk.task
def numpy_style(a: int, b: str = "x") -> Both:
    """Counts and names.

    It takes its time, and it does
    so on two lines.

    Parameters
    ----------
    a : int
        how many
    b : str
        what to call it

    Returns
    -------
    Both
        the count and the name
    """
    return Both(a, b)


@sdk.task
def rest_style(a: int, b: float) -> float:
    """Scales.

    :param a: what to scale
    :param b: by how much
    :return: the scaled value
    """
    return a * b


@sdk.task
def on_data(
    frame: Annotated[sdk.StructuredDataset, sdk.kwtypes(a=int, b=str)],
    source: sdk.File["csv"],
    folder: sdk.Directory,
    mode: Literal["fast", "slow"] = "fast",
    settings: Settings = Settings(0.5, ["n"], Point(1)),
) -> Tuple[sdk.StructuredDataset, sdk.File["txt"]]:
    return frame, sdk.File["txt"](source)


@sdk.task
def use(settings: Settings, points: List[Point], table: Dict[str, Point]) -> int:
    return 1


@sdk.task(docs=sdk.Documentation(short_description="Written apart from the function."))
def documented(a: int) -> int:
    return a


@sdk.task
def weigh(values: List[int], value: int, settings: Settings) -> float:
    return 1.0


@sdk.task(task_config=None, interruptible=False, retries=0, timeout=timedelta(days=2))
def explicit(a: int) -> int:
    return a


@sdk.task
def give_settings() -> Settings:
    return Settings(1.0, [])


@sdk.workflow
def documents(a: int) -> Tuple[int, str, float, int]:
    count, text = numpy_style(a=a)
    return count, text, rest_style(a=a, b=2.0), documented(a=a)


@sdk.workflow
def returns_documented(a: int) -> int:
    """Returns what it says.

    Args:
        a: a number

    Returns:
        the number and one more
    """
    return add_one(a=a)


@sdk.workflow
def data(
    frame: Annotated[sdk.StructuredDataset, sdk.kwtypes(a=int, b=str)], source: sdk.File["csv"], folder: sdk.Directory
) -> Tuple[sdk.StructuredDataset, sdk.File["txt"]]:
    return on_data(frame=frame, source=source, folder=folder, mode="slow")


@sdk.workflow
def dataclass_constants() -> int:
    return use(settings=Settings(0.25, ["a", "b"]), points=[Point(1), Point(2, "x")], table={"k": Point(3)})


@sdk.workflow
def dataclass_default(settings: Settings = Settings(1.5, ["d"], Point(2))) -> int:
    return use(settings=settings, points=[], table={})


@sdk.workflow
def named_from_sub(n: int) -> Stats:
    return stats(values=numbers(n=n))


@sdk.workflow
def three_levels(n: int) -> Tuple[int, int]:
    low, high = named_from_sub(n=n)
    x, _ = inner(a=low)
    return add(a=x, b=high), named_from_sub(n=x).high


@sdk.workflow
def sub_overridden(a: int) -> int:
    x, y = inner(a=a)
    node = sdk.create_node(inner, a=x, b=y).with_overrides(node_name="second-time", timeout=timedelta(minutes=1))
    return node.o0


@sdk.workflow
def nested_in_else(a: int, b: int) -> int:
    return (
        sdk.conditional("first")
        .if_(a == 0)
        .then(add_one(a=b))
        .elif_((a > 0) & (b > 0) & (a < b))
        .then(add(a=a, b=b))
        .else_()
        .then(
            sdk.conditional("second")
            .if_((a < -10) | (b < -10) | (a == b))
            .then(add_one(a=a))
            .elif_(b != a)
            .then(sdk.conditional("third").if_(b >= 3).then(add_one(a=a)).else_().fail("third"))
            .else_()
            .then(add_one(a=b))
        )
    )


@sdk.workflow
def two_conditions(a: int) -> int:
    one = sdk.conditional("one").if_(a > 1).then(add_one(a=a)).else_().then(add(a=a, b=1))
    two = sdk.conditional("two").if_(one > 2).then(add(a=one, b=a)).else_().then(add_one(a=one))
    return total(values=[one, two])


@sdk.workflow
def branch_on_outer(a: int) -> int:
    one = add_one(a=a)
    two = add(a=one, b=a)
    return (
        sdk.conditional("outer")
        .if_(a > 1)
        .then(add_one(a=two))
        .elif_(one == 2)
        .then(inner(a=two)[0])
        .else_()
        .fail("no")
    )


@sdk.workflow
def plan_in_branch(a: int) -> int:
    return sdk.conditional("plans").if_(a > 1).then(one_plan(a=a)).else_().then(one_plan(a=1, b=2))


@sdk.workflow
def map_in_branch(a: int, values: List[int]) -> List[int]:
    return (
        sdk.conditional("maps")
        .if_(a > 1)
        .then(sdk.map_task(add_one)(a=values))
        .else_()
        .then(sdk.map_task(functools.partial(add, b=a))(a=values))
    )


@sdk.workflow
def map_bound_collections(n: int) -> List[float]:
    bound = functools.partial(weigh, values=[n, 2], settings=give_settings())
    return sdk.map_task(bound)(value=numbers(n=n))


@sdk.workflow
def overridden_resources(a: int) -> Optional[int]:
    first = explicit(a=a).with_overrides(resources=sdk.Resources(cpu=("1", "2"), mem="1Gi"))
    second = add_one(a=first).with_overrides(limits=sdk.Resources(gpu="1"), cache=True, cache_version="c", retries=0)
    return maybe(a=second).with_overrides(interruptible=False)


@sdk.workflow
def optional_chain(a: Optional[int] = None, b: Union[int, str] = 3) -> Optional[int]:
    return maybe(a=maybe(a=a, b=b))


@sdk.reference_launch_plan(project="other", domain="production", name="there.nightly", version="p1")
def remote_plan(a: int) -> int:
    return a


@sdk.workflow
def with_references(a: int) -> Tuple[int, str]:
    return remote_plan(a=a), shout(text="x")


pipeline = sdk.Workflow(name="corner.pipeline", interruptible=True)
_a = pipeline.add_workflow_input("a", int)
_first = pipeline.add_entity(named_from_sub, n=_a)
_mapped = pipeline.add_entity(sdk.map_task(add_one), a=[_a, _first.outputs["low"]])
_last = pipeline.add_entity(total, values=_mapped.outputs["o0"]).with_overrides(retries=4)
_first >> _last
pipeline.add_workflow_output("sum", _last.outputs["o0"])
pipeline.add_workflow_output("pair", {"low": _first.outputs["low"], "a": _a}, python_type=Dict[str, int])

ENTITIES = {
    "documents": documents,
    "returns_documented": returns_documented,
    "data": data,
    "dataclass_constants": dataclass_constants,
    "dataclass_default": dataclass_default,
    "three_levels": three_levels,
    "sub_overridden": sub_overridden,
    "nested_in_else": nested_in_else,
    "two_conditions": two_conditions,
    "plan_in_branch": plan_in_branch,
    "map_in_branch": map_in_branch,
    "map_bound_collections": map_bound_collections,
    "overridden_resources": overridden_resources,
    "optional_chain": optional_chain,
    "with_references": with_references,
    "branch_on_outer": branch_on_outer,
    "pipeline": pipeline,
    "dataclass_plan": sdk.LaunchPlan.get_or_create(dataclass_default),
}


@sdk.dynamic
def unroll_subs(n: int) -> Tuple[int, Optional[int]]:
    low, high = named_from_sub(n=n)
    for _ in range(2):
        low, _ = inner(a=low)
    picked = sdk.conditional("pick").if_(high > 1).then(inner(a=low)).else_().then(inner(a=1))
    return picked[0], None


DYNAMIC = {"unroll_subs": (unroll_subs, {"n": 2})}
