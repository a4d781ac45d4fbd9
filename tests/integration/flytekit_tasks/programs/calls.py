"""An eager workflow, which calls the control plane for each of its steps; and a map over a launch plan's workflow."""

import asyncio

from flytekit import LaunchPlan, dynamic, eager, map_task, task, workflow


@task
def double(x: int) -> int:
    return 2 * x


@task
async def add(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a + b


@workflow
def doubled(x: int) -> int:
    return double(x=x)


plan = LaunchPlan.get_or_create(doubled, "doubled_plan")


@dynamic
def several(n: int) -> list[int]:
    return [double(x=nth) for nth in range(n)]


@workflow
def everything(n: int) -> tuple[list[int], list[int], int]:
    made = several(n=n)
    return made, map_task(double)(x=made), plan(x=n)


@eager
async def stepwise(x: int) -> int:
    y = double(x=x)
    first, second = await asyncio.gather(add(a=y, b=1), add(a=y, b=2))
    return first + second
