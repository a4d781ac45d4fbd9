"""Workflows, dynamic and eager ones, plans and gates keep their signatures."""

from datetime import timedelta
from typing import Any, assert_type

from alula import (
    LaunchPlan,
    Workflow,
    approve,
    conditional,
    create_node,
    dynamic,
    eager,
    reference_task,
    task,
    wait_for_input,
    workflow,
)


@task
def double(x: int) -> int:
    return 2 * x


@task
def spell(x: int) -> str:
    return str(x)


@workflow
def twice(x: int, shout: bool = False) -> str:
    return spell(x=double(x=double(x=x)))


@workflow(interruptible=True)
def wrong_return(x: int) -> int:
    return spell(x=x)  # refused: return-value, reportReturnType


@workflow
def wrong_edge(x: int) -> int:
    return double(x=spell(x=x))  # refused: arg-type, reportArgumentType


@dynamic(retries=1)
def many(n: int) -> list[int]:
    return [double(x=i) for i in range(n)]


@eager
async def careful(x: int) -> int:
    return double(x=x)


@workflow
def gated(x: int) -> str:
    chosen = wait_for_input("which", timeout=timedelta(hours=1), expected_type=int)
    assert_type(chosen, int)
    approved = approve(double(x=chosen), "fine", timeout=timedelta(hours=1))
    assert_type(approved, int)
    return conditional("big").if_(approved > 10).then(spell(x=approved)).else_().fail("too small")


@workflow
def chosen(x: int) -> int:
    either = conditional("either").if_(x > 1).then(double(x=x)).elif_(x > 0).then(spell(x=x)).else_().then(double(x=x))
    assert_type(either, int | str)
    return conditional("text").if_(x > 1).then(spell(x=x)).else_().fail("no")  # refused: return-value, reportReturnType


@reference_task(project="p", domain="d", name="n", version="v")
def remote(a: list[str]) -> float:
    raise NotImplementedError  # mypy wants a body; it never runs


assert_type(twice(x=1, shout=True), str)
assert_type(many(n=3), list[int])
assert_type(remote(a=["x"]), float)

twice(x="1")  # refused: arg-type, reportArgumentType
many(count=3)  # refused: call-arg, reportCallIssue
remote(a="x")  # refused: arg-type, reportArgumentType

plan = LaunchPlan.get_or_create(twice, name="nightly", default_inputs={"x": 2})
assert_type(plan, LaunchPlan)
assert_type(plan(x=2), Any)
LaunchPlan.get_or_create(twice, name="nightly", defaults={})  # refused: call-arg, reportCallIssue
LaunchPlan.get_or_create(double)  # refused: arg-type, reportArgumentType

built = Workflow(name="my.workflow")
node = built.add_entity(double, x=built.add_workflow_input("x", int))
built.add_workflow_output("y", node.outputs["o0"])
built.add_entity("double")  # refused: arg-type, reportArgumentType
create_node(double, x=1) >> create_node(spell, x=2)


async def use() -> None:
    assert_type(await careful(x=1), int)
