"""flytekit, locally: calls in one process. Keeps nothing."""

import json
import sys
import time

from flytekit import task, workflow

CASE, COUNT = sys.argv[1], int(sys.argv[2])


@task
def add_one(a: int) -> int:
    return a + 1


def made(count):
    if CASE == "chain":

        @workflow
        def body(a: int) -> int:
            for _ in range(count):
                a = add_one(a=a)
            return a

    else:

        @workflow
        def body(a: int) -> int:
            for _ in range(count):
                last = add_one(a=a)
            return last

    return body


def run(count):
    body = made(count)
    start = time.perf_counter()
    body(a=0)
    return (time.perf_counter() - start) / count


run(20)
print(json.dumps({"seconds": run(COUNT), "keeps": "nothing"}))
