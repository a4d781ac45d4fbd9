"""Async tasks and eager workflows."""

import asyncio
from typing import List

from flytekit import eager, task
from flytekit.exceptions.eager import EagerException


@task
def add_one(x: int) -> int:
    return x + 1


@task
def double(x: int) -> int:
    return x * 2


@task
async def slow(x: int) -> int:
    await asyncio.sleep(0.01)
    return x + 10


@task
async def fails(x: int) -> int:
    if x:
        raise ValueError("async failure")
    return x


@eager
async def simple(x: int) -> int:
    out = add_one(x=x)
    return double(x=out)


@eager
async def branches(x: int) -> int:
    out = add_one(x=x)
    if out > 5:
        return double(x=out)
    return await slow(x=out)


@eager
async def gathered(xs: List[int]) -> List[int]:
    return list(await asyncio.gather(*[slow(x=x) for x in xs]))


@eager
async def outer(x: int) -> int:
    inner = await branches(x=x)
    return add_one(x=inner)


if __name__ == "__main__":
    print(asyncio.run(simple(x=1)), asyncio.run(branches(x=1)), asyncio.run(branches(x=10)))
    print(asyncio.run(gathered(xs=[1, 2, 3])), asyncio.run(outer(x=1)))
    print(asyncio.run(slow(x=1)))
    try:
        asyncio.run(fails(x=1))
    except ValueError as e:
        print("ValueError", "async failure" in str(e))
    print(issubclass(EagerException, Exception), simple.name, slow.python_interface.outputs)
