"""Prefect: tasks of a flow, against a server of its own on SQLite, as Prefect starts it."""

import json
import os
import sys
import tempfile
import time

CASE, COUNT = sys.argv[1], int(sys.argv[2])
HOME = tempfile.mkdtemp()
os.environ |= {
    "PREFECT_HOME": HOME,
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
}

from prefect import flow, task  # noqa: E402


@task
def add_one(a: int) -> int:
    return a + 1


@flow
def chain(count: int) -> int:
    a = 0
    for _ in range(count):
        a = add_one(a)
    return a


@flow
def wide(count: int) -> list[int]:
    return [future.result() for future in add_one.map(range(count))]


def run(count):
    start = time.perf_counter()
    (chain if CASE == "chain" else wide)(count)
    return (time.perf_counter() - start) / count


if __name__ == "__main__":
    run(10)
    print(json.dumps({"seconds": run(COUNT), "keeps": "SQLite as Prefect opens it, results in files"}))
