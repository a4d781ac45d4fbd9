"""The services of agents over plugins, without a wire."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from alula.agent.services import Services, UnknownType
from alula.data.stores import Objects
from alula.errors import Rejected, RemoteError, RemoteNotFound, RequestError
from alula.idl import (
    NodeExecutionIdentifier,
    TaskExecution,
    TaskExecutionIdentifier,
    TaskTemplate,
    WorkflowExecutionIdentifier,
)
from alula.idl.agent import (
    FIND,
    FRESH,
    KEY,
    CreateTaskRequest,
    DeleteTaskRequest,
    GetTaskRequest,
    ListAgentsRequest,
    TaskCategory,
    TaskExecutionMetadata,
)
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo
from alula.plugin.phase import Phase, PhaseInfo
from alula.plugin.webapi import WebApiPlugin


@dataclass(frozen=True, slots=True)
class Key:
    id: int


class Jobs(WebApiPlugin[Key, str]):
    """Jobs that live in this object; what it was asked is counted."""

    info = PluginInfo("jobs", frozenset({"job"}))
    key_type = Key

    def __init__(self) -> None:
        self.names: list[str] = []
        self.batches: list[int] = []
        self.looked = 0

    async def create(self, task: TaskContext) -> Key:
        await asyncio.sleep(0)
        self.names.append(task.name)
        return Key(len(self.names) - 1)

    async def find(self, task: TaskContext) -> Key | None:
        self.looked += 1
        return Key(self.names.index(task.name)) if task.name in self.names else None

    async def get(self, keys: Sequence[Key]) -> Sequence[str | RemoteError]:
        self.batches.append(len(keys))
        return [self.names[key.id] or RemoteNotFound("gone") for key in keys]

    async def delete(self, key: Key) -> None:
        self.names[key.id] = ""

    def phase(self, task: TaskContext, remote: str) -> PhaseInfo:
        return PhaseInfo(Phase.RUNNING, reason=f"{remote} of {task.id.execution}")


def asked(execution: str, number: int = 0) -> CreateTaskRequest:
    run = WorkflowExecutionIdentifier(project="p", domain="d", name=execution)
    node = NodeExecutionIdentifier(node_id="n0", execution_id=run)
    attempt = TaskExecutionIdentifier(node_execution_id=node, retry_attempt=number)
    return CreateTaskRequest(
        template=TaskTemplate(type="job"), task_execution_metadata=TaskExecutionMetadata(task_execution_id=attempt)
    )


def wanted(meta: bytes, kind: str = "job") -> GetTaskRequest:
    return GetTaskRequest(resource_meta=meta, task_category=TaskCategory(name=kind))


async def test_creates_at_the_same_moment_under_one_key_make_one_job() -> None:
    plugin = Jobs()
    services = Services([plugin], Objects())
    answers = await asyncio.gather(*(services.create(asked("e"), ((KEY, "k"),)) for _ in range(5)))
    assert plugin.names == ["k"]
    assert len({answer.resource_meta for answer in answers}) == 1


async def test_without_a_key_the_attempt_is_the_key() -> None:
    plugin = Jobs()
    services = Services([plugin], Objects())
    for request in (asked("e", 0), asked("e", 0), asked("e", 1), asked("f", 0)):
        await services.create(request, ())
    assert len(set(plugin.names)) == len(plugin.names) == 3


async def test_another_process_finds_the_job_and_does_not_look_for_what_is_new() -> None:
    plugin = Jobs()
    first, second = Services([plugin], Objects()), Services([plugin], Objects())
    made = await first.create(asked("e"), ((KEY, "k"), (FRESH, "1")))
    assert plugin.looked == 0
    assert await second.create(asked("e"), ((KEY, "k"),)) == made
    assert await second.create(asked("e"), ((KEY, "k"), (FIND, "1"))) == made
    assert plugin.names == ["k"]


async def test_to_find_starts_nothing() -> None:
    plugin = Jobs()
    with pytest.raises(RemoteNotFound, match="no job was started under k"):
        await Services([plugin], Objects()).create(asked("e"), ((KEY, "k"), (FIND, "1")))
    assert plugin.names == []


async def test_questions_that_come_together_are_one_call() -> None:
    plugin = Jobs()
    services = Services([plugin], Objects())
    metas = [(await services.create(asked(f"e{one}"), ())).resource_meta for one in range(10)]
    answers = await asyncio.gather(*(services.get(wanted(meta)) for meta in metas))
    assert plugin.batches == [10]
    assert [one.resource.message.split()[-1] for one in answers] == [f"e{one}" for one in range(10)]
    assert {one.resource.phase for one in answers} == {TaskExecution.RUNNING}


async def test_a_job_that_is_gone_does_not_hurt_the_others_and_a_deleted_one_can_be_made_again() -> None:
    plugin = Jobs()
    services = Services([plugin], Objects())
    gone, there = [(await services.create(asked(one), ())).resource_meta for one in ("e", "f")]
    for _ in range(2):
        await services.delete(DeleteTaskRequest(resource_meta=gone, task_category=TaskCategory(name="job")))
    answers = await asyncio.gather(services.get(wanted(gone)), services.get(wanted(there)), return_exceptions=True)
    assert isinstance(answers[0], RemoteNotFound)
    assert not isinstance(answers[1], BaseException)


@pytest.mark.parametrize("meta", [b"", b"{}", b"[1]", b'{"alula": 2}', b"\xff"])
async def test_what_is_no_job_of_ours_is_refused(meta: bytes) -> None:
    with pytest.raises(Rejected, match="resource_meta is none that this agent gave"):
        await Services([Jobs()], Objects()).get(wanted(meta))


async def test_a_type_that_nobody_serves_is_refused() -> None:
    services = Services([Jobs()], Objects())
    with pytest.raises(UnknownType, match="task type 'other'"):
        await services.get(wanted(b"{}", "other"))


def test_two_plugins_for_one_type_cannot_be_served_together() -> None:
    class Rival(Jobs):
        info = PluginInfo("rival", frozenset({"job"}))

    with pytest.raises(RequestError, match="served by two plugins: jobs and rival"):
        Services([Jobs(), Rival()], Objects())


def test_it_lists_what_it_serves() -> None:
    (agent,) = Services([Jobs()], Objects()).list_agents(ListAgentsRequest()).agents
    assert (agent.name, agent.is_sync, list(agent.supported_task_types)) == ("jobs", False, ["job"])
