"""flytekit's own local loop over a connector: jobs of one second at a remote that answers after 5 ms. Keeps nothing."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass

from flyteidl.core.execution_pb2 import TaskExecution
from flytekit import kwtypes
from flytekit.core.base_task import PythonTask
from flytekit.core.interface import Interface
from flytekit.extend.backend.base_connector import (
    AsyncConnectorBase,
    AsyncConnectorExecutorMixin,
    ConnectorRegistry,
    Resource,
    ResourceMeta,
)

COUNT = int(sys.argv[2])


@dataclass
class Meta(ResourceMeta):
    ends: float


class Connector(AsyncConnectorBase):
    name = "bench"

    def __init__(self):
        super().__init__(task_type_name="bench", metadata_type=Meta)

    async def create(self, task_template, inputs=None, output_prefix="", **more):
        await asyncio.sleep(0.005)
        return Meta(time.perf_counter() + 1.0)

    async def get(self, resource_meta, **more):
        await asyncio.sleep(0.005)
        over = resource_meta.ends <= time.perf_counter()
        return Resource(phase=TaskExecution.SUCCEEDED if over else TaskExecution.RUNNING, outputs={"o0": 1})

    async def delete(self, resource_meta, **more):
        await asyncio.sleep(0.005)


class Task(AsyncConnectorExecutorMixin, PythonTask):
    def __init__(self, name):
        super().__init__("bench", name, None, interface=Interface(inputs=kwtypes(a=int), outputs=kwtypes(o0=int)))


ConnectorRegistry.register(Connector())
task = Task("bench")
task(a=0)
start = time.perf_counter()
for nth in range(COUNT):
    task(a=nth)
print(json.dumps({"seconds": (time.perf_counter() - start) / COUNT, "keeps": "nothing"}))
