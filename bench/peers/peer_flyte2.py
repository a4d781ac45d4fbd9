"""flyte 2, locally: a task that calls others, on threads of one process. Keeps nothing."""

import asyncio
import json
import logging
import sys
import time

import flyte

CASE, COUNT = sys.argv[1], int(sys.argv[2])
env = flyte.TaskEnvironment(name="bench")


@env.task
async def add_one(a: int) -> int:
    return a + 1


@env.task
async def chain(count: int) -> float:
    start = time.perf_counter()
    a = 0
    for _ in range(count):
        a = await add_one(a)
    return (time.perf_counter() - start) / count


@env.task
async def wide(count: int) -> float:
    start = time.perf_counter()
    await asyncio.gather(*(add_one(i) for i in range(count)))
    return (time.perf_counter() - start) / count


def run(count):
    return flyte.with_runcontext(mode="local").run(chain if CASE == "chain" else wide, count=count).outputs()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    flyte.init()
    run(50)
    print(json.dumps({"seconds": float(run(COUNT)[0]), "keeps": "nothing"}))
