"""The twelve workflows whose compiled specs must equal flytekit's, and what they are made of.

Loaded by real flytekit (`flytekit_side.py`) and by Alula; `ENTITIES` names what is compared.
"""

# Users write both spellings of types, so both are converted here.
# ruff: noqa: UP006, UP035, UP045

import functools
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Dict, List, NamedTuple, Optional, Tuple

from dialect import sdk


@dataclass
class Point:
    x: int
    label: str = "here"


@dataclass
class Shape:
    name: str
    origin: Point
    corners: List[Point] = field(default_factory=list)
    weights: Dict[str, float] = field(default_factory=dict)


@sdk.task
def add_one(a: int) -> int:
    return a + 1


@sdk.task
def add(a: int, b: int) -> int:
    return a + b


@sdk.task
def shout(text: str) -> str:
    return text.upper()


@sdk.task
def split(a: int) -> Tuple[int, str]:
    return a, str(a)


@sdk.task
def numbers(n: int) -> List[int]:
    return list(range(n))


@sdk.task
def total(values: List[int]) -> int:
    return sum(values)


@sdk.task
def scale(value: int, factor: int, offset: int) -> int:
    return value * factor + offset


@sdk.task
def make_shape(name: str) -> Shape:
    return Shape(name, Point(1), [Point(2), Point(3)], {"a": 0.5})


@sdk.task
def note(message: str) -> None:
    print(message)


@sdk.task
def clean_up(a: int, err: Optional[sdk.Error] = None) -> None:
    print(a, err)


@sdk.workflow
def linear(a: int, text: str = "hello") -> Tuple[int, str]:
    """Add up and shout.

    Args:
        a: the number to start from
        text: what to shout
    """
    first = add_one(a=a)
    second = add(a=first, b=7)
    return second, shout(text=text)


@sdk.workflow
def branches(a: int, b: int, text: str) -> int:
    return (
        sdk.conditional("outer")
        .if_((a > 10) & (b < 5))
        .then(add_one(a=a))
        .elif_(text == "inner")
        .then(
            sdk.conditional("nested")
            .if_(b == 1)
            .then(add(a=a, b=b))
            .elif_((b >= 2) | (a != 3))
            .then(add_one(a=b))
            .else_()
            .fail("nothing nested fits")
        )
        .else_()
        .then(add(a=b, b=100))
    )


@sdk.workflow
def inner(a: int, b: int = 3) -> Tuple[int, int]:
    one = add_one(a=a)
    return one, add(a=one, b=b)


@sdk.workflow
def sub_workflow(a: int) -> int:
    x, y = inner(a=a)
    u, v = inner(a=x, b=y)
    return add(a=u, b=v)


@sdk.workflow
def mapped(n: int, factor: int) -> int:
    items = numbers(n=n)
    scaled = sdk.map_task(functools.partial(scale, factor=factor, offset=5), concurrency=4)(value=items)
    return total(values=scaled)


@sdk.workflow
def gates(a: int) -> int:
    first = add_one(a=a)
    approved = sdk.approve(first, "is-it-good", timeout=timedelta(hours=2))
    pause = sdk.sleep(timedelta(seconds=10))
    typed = sdk.wait_for_input("how-many", timeout=timedelta(minutes=30), expected_type=int)
    last = add(a=approved, b=typed)
    pause >> last
    return last


@sdk.dynamic
def unroll(n: int, text: str) -> List[int]:
    found = []
    for i in range(n):
        found.append(add_one(a=i))
    x, _ = inner(a=found[0])
    note(message=text)
    found.append(x)
    return found


@sdk.workflow
def with_dynamic(n: int) -> int:
    return total(values=unroll(n=n, text="done"))


imperative = sdk.Workflow(name="reference.imperative")
_wf_in = imperative.add_workflow_input("a", int)
_wf_text = imperative.add_workflow_input("text", str)
_first = imperative.add_entity(add_one, a=_wf_in)
_second = imperative.add_entity(add, a=_first.outputs["o0"], b=4)
_shout = imperative.add_task(shout, text=_wf_text)
_sub = imperative.add_subwf(inner, a=_second.outputs["o0"])
imperative.add_workflow_output("answer", _sub.outputs["o1"])
imperative.add_workflow_output("loud", _shout.outputs["o0"], python_type=str)
imperative.add_workflow_output("all", [_first.outputs["o0"], _second.outputs["o0"]], python_type=List[int])


@sdk.workflow(
    on_failure=clean_up,
    failure_policy=sdk.WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
    interruptible=True,
)
def failing(a: int) -> int:
    return add_one(a=a)


@sdk.workflow
def overrides(a: int) -> int:
    first = add_one(a=a).with_overrides(
        node_name="my-first",
        name="First step",
        requests=sdk.Resources(cpu="1", mem="2Gi"),
        limits=sdk.Resources(cpu="2", mem="4Gi", gpu="1"),
        timeout=timedelta(minutes=5),
        retries=3,
        interruptible=True,
    )
    second = add(a=first, b=2).with_overrides(
        cache=sdk.Cache(version="v2", serialize=True),
        container_image="example.org/other:1",
        aliases={"o0": "answer"},
    )
    return add_one(a=second).with_overrides(accelerator=sdk.accelerators.T4, shared_memory="1Gi")


class Found(NamedTuple):
    name: str
    x: int
    weight: float
    corner: Point


@sdk.workflow
def attributes(name: str) -> Found:
    shape = make_shape(name=name)
    return Found(
        name=shape.name,
        x=add_one(a=shape.origin.x),
        weight=shape.weights["a"],
        corner=shape.corners[1],
    )


inner_plan = sdk.LaunchPlan.get_or_create(
    inner, name="reference.inner_plan", default_inputs={"a": 5}, fixed_inputs={"b": 9}
)


@sdk.workflow
def plan_node(a: int) -> int:
    x, y = inner_plan(a=a)
    return add(a=x, b=y)


@sdk.reference_task(project="other", domain="production", name="there.train", version="abc123")
def remote_train(data: List[str], epochs: int) -> float: ...


@sdk.workflow
def with_reference(data: List[str]) -> float:
    return remote_train(data=data, epochs=3)


ENTITIES = {
    "linear": linear,
    "branches": branches,
    "sub_workflow": sub_workflow,
    "mapped": mapped,
    "gates": gates,
    "with_dynamic": with_dynamic,
    "imperative": imperative,
    "failing": failing,
    "overrides": overrides,
    "attributes": attributes,
    "inner_plan": inner_plan,
    "plan_node": plan_node,
    "with_reference": with_reference,
}

DYNAMIC = {"unroll": (unroll, {"n": 3, "text": "hi"})}
