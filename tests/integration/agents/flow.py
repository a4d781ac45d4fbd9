"""A program whose tasks are run by agents: `alula run flow.py main`."""

from __future__ import annotations

from alula import kwtypes, task, workflow
from alula.tasks.agent import AgentTask

first = AgentTask("first", "probe_job", inputs=kwtypes(a=int), outputs=kwtypes(o0=int))
second = AgentTask("second", "probe_job", version=1, inputs=kwtypes(a=int), outputs=kwtypes(o0=int))
call = AgentTask("call", "probe_call", inputs=kwtypes(a=int), outputs=kwtypes(o0=int))
slow = AgentTask("slow", "probe_job", config={"mode": "gated"}, inputs=kwtypes(a=int), outputs=kwtypes(o0=int))
endless = AgentTask("endless", "probe_job", config={"seconds": 600}, inputs=kwtypes(a=int), outputs=kwtypes(o0=int))
watch = AgentTask(
    "watch",
    "sensor",
    config={"sensor_module": "flytekit.sensor.file_sensor", "sensor_name": "FileSensor"},
    inputs=kwtypes(path=str),
)
again = AgentTask(
    "again", "probe_job", config={"mode": "again"}, inputs=kwtypes(a=int), outputs=kwtypes(o0=int), retries=1
)


@task
def add(a: int, b: int) -> int:
    return a + b


@workflow
def main(x: int) -> int:
    return add(a=first(a=x), b=call(a=second(a=x)))


@workflow
def waiting(path: str) -> None:
    watch(path=path)


@workflow
def long(x: int) -> int:
    return slow(a=x)


@workflow
def forever(x: int) -> int:
    return endless(a=x)


@workflow
def retried(x: int) -> int:
    return again(a=x)
