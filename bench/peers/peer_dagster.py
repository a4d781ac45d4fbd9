"""Dagster: a job of ops, in its own process (its fastest executor), events and outputs in SQLite and files."""

import json
import logging
import sys
import tempfile
import time

from dagster import DagsterInstance, JobDefinition, graph, in_process_executor, op

CASE, COUNT = sys.argv[1], int(sys.argv[2])
logging.disable(logging.CRITICAL)


@op
def add_one(a: int) -> int:
    return a + 1


@op
def zero() -> int:
    return 0


def made(count) -> JobDefinition:
    @graph(name=f"{CASE}{count}")
    def body():
        if CASE == "chain":
            a = zero()
            for _ in range(count - 1):
                a = add_one(a)
        else:
            for _ in range(count):
                zero()

    return body.to_job(executor_def=in_process_executor)


def run(instance, count):
    job = made(count)
    start = time.perf_counter()
    assert job.execute_in_process(instance=instance).success
    return (time.perf_counter() - start) / count


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        instance = DagsterInstance.local_temp(folder)
        run(instance, 20)
        print(json.dumps({"seconds": run(instance, COUNT), "keeps": "SQLite as Dagster opens it"}))
