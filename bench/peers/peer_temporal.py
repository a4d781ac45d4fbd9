"""Temporal: activities of a workflow, with the development server on an SQLite file, and one worker process.

Activities start eagerly, which is the worker's default. Local activities would be faster in a chain, but one starts
before the result of the last is kept.
"""

import asyncio
import json
import socket
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

CASE, COUNT = sys.argv[1], int(sys.argv[2])
SOON = timedelta(seconds=60)


@activity.defn
async def add_one(a: int) -> int:
    return a + 1


@workflow.defn
class Chain:
    @workflow.run
    async def run(self, count: int) -> int:
        a = 0
        for _ in range(count):
            a = await workflow.execute_activity(add_one, a, start_to_close_timeout=SOON)
        return a


@workflow.defn
class Wide:
    @workflow.run
    async def run(self, count: int) -> int:
        calls = [workflow.execute_activity(add_one, i, start_to_close_timeout=SOON) for i in range(count)]
        return sum(await asyncio.gather(*calls))


async def timed(client: Client, count: int) -> float:
    start = perf_counter()
    shape = Chain if CASE == "chain" else Wide
    await client.execute_workflow(shape.run, count, id=f"{CASE}-{count}", task_queue="bench")
    return (perf_counter() - start) / count


async def connected(port: int) -> Client:
    for _ in range(200):
        try:
            return await Client.connect(f"127.0.0.1:{port}")
        except RuntimeError:
            await asyncio.sleep(0.1)
    raise SystemExit("the development server did not come up")


async def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("temporal")),
            "server", "start-dev", "--headless", "--log-level", "never",
            "--ip", "127.0.0.1", "--port", str(port), "--db-filename", f"{folder}/temporal.db",
            "--dynamic-config-value", "limit.numPendingActivities.error=20000",
        )  # fmt: skip
        try:
            client = await connected(port)
            async with Worker(
                client,
                task_queue="bench",
                workflows=[Chain, Wide],
                activities=[add_one],
                workflow_runner=UnsandboxedWorkflowRunner(),
                max_concurrent_activities=1000,
            ):
                await timed(client, 20)
                print(json.dumps({"seconds": await timed(client, COUNT), "keeps": "SQLite as the server opens it"}))
        finally:
            server.terminate()
            await server.wait()


asyncio.run(main())
