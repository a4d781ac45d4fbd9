"""An agent, looked at from outside: what it serves, and whether it answers as the protocol wants. Starts nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass

from alula.backends.agent.channels import CallFailed, Channels, Peer
from alula.errors import AlulaError
from alula.idl import TaskTemplate
from alula.idl.agent import (
    CONVENTIONS,
    CREATE,
    DELETES_SUCCEEDED,
    EXECUTE,
    FIND,
    FINDS,
    GET,
    GET_AGENT,
    KEY,
    LIST,
    Agent,
    CreateRequestHeader,
    CreateTaskRequest,
    ExecuteTaskSyncRequest,
    GetAgentRequest,
    GetTaskRequest,
    ListAgentsRequest,
    TaskCategory,
)

_NOBODY = "alula-check-of-a-type-that-nobody-serves"
_UNDER = "alula-check-0000000000000000"


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool | None
    """None: worth knowing, and neither right nor wrong."""
    said: str


async def check_agent(channels: Channels, peer: Peer) -> list[Check]:
    """What is found, in the order in which it was looked at. Ends early if the agent does not answer at all."""
    checks: list[Check] = []
    began = time.perf_counter()
    try:
        listed, headers = await channels.call(peer, LIST, ListAgentsRequest(), within=peer.endpoint.list_timeout)
    except CallFailed as exc:
        unlisted = exc.status == "UNIMPLEMENTED"
        hint = "; pin its types with task_types in [backends.agent.endpoints]" if unlisted else ""
        return [Check("answers", unlisted, f"{exc.what}{hint}")]
    except AlulaError as exc:
        return [Check("answers", False, exc.what)]
    took = (time.perf_counter() - began) * 1000
    checks.append(Check("answers", True, f"in {took:.0f} ms"))
    agents = list(listed.agents)
    checks.append(_lists(agents))
    checks += [_described(agent) for agent in agents]
    conventions = {one.strip() for one in headers.get(CONVENTIONS, "").split(",") if one.strip()}
    finds = FINDS in conventions
    checks.append(
        Check(
            "grade",
            None,
            "A: it finds jobs by their key, so none is left behind"
            if finds
            else "B: a job whose CreateTask was answered too late, or while the engine was killed, may be left behind",
        )
    )
    if DELETES_SUCCEEDED in conventions:
        checks.append(Check("cleans up", None, "it wants DeleteTask also for jobs that succeeded"))
    jobs = next((agent for agent in agents if not agent.is_sync), None)
    calls = next((agent for agent in agents if agent.is_sync), None)
    if agents:
        checks.append(await _same(channels, peer, agents[0]))
    checks.append(await _unknown_job_type(channels, peer))
    if jobs is not None and finds:
        checks.append(await _finds_nothing(channels, peer, jobs))
    if calls is not None:
        checks.append(await _unknown_call_type(channels, peer))
    return checks


def _lists(agents: list[Agent]) -> Check:
    categories = [(one.name, one.version, agent.is_sync) for agent in agents for one in agent.supported_task_categories]
    twice = sorted(
        {f"{name}@{version}" for name, version, sync in categories if (name, version, not sync) in categories}
    )
    if twice:
        return Check("lists its types", False, f"both as jobs and as answers at once: {', '.join(twice)}")
    if not agents:
        return Check("lists its types", False, "it serves nothing")
    return Check("lists its types", True, f"{len(agents)} agents")


def _described(agent: Agent) -> Check:
    types = [f"{one.name}@{one.version}" for one in agent.supported_task_categories] or [
        f"{one}@0" for one in agent.supported_task_types
    ]
    kind = "answers at once" if agent.is_sync else "starts jobs"
    return Check(f"agent {agent.name}", bool(types), f"{kind}: {', '.join(types) or 'no task types'}")


async def _same(channels: Channels, peer: Peer, listed: Agent) -> Check:
    name = "GetAgent"
    try:
        answer, _ = await channels.call(
            peer, GET_AGENT, GetAgentRequest(name=listed.name), within=peer.endpoint.list_timeout
        )
    except CallFailed as exc:
        return Check(name, exc.status == "UNIMPLEMENTED" or None, exc.what)
    return Check(name, answer.agent.name == listed.name, f"gives agent {answer.agent.name}")


async def _unknown_job_type(channels: Channels, peer: Peer) -> Check:
    name = "GetTask of a type that it does not serve"
    request = GetTaskRequest(task_type=_NOBODY, task_category=TaskCategory(name=_NOBODY), resource_meta=b"{}")
    try:
        await channels.call(peer, GET, request, within=peer.endpoint.get_timeout)
    except CallFailed as exc:
        return _refused(name, exc)
    return Check(name, False, "it answered as if there were such a job")


async def _unknown_call_type(channels: Channels, peer: Peer) -> Check:
    name = "ExecuteTaskSync of a type that it does not serve"
    asks = [
        ExecuteTaskSyncRequest(header=CreateRequestHeader(template=TaskTemplate(type=_NOBODY))),
        ExecuteTaskSyncRequest(),
    ]
    try:
        async for _ in channels.stream(peer, EXECUTE, asks, within=peer.endpoint.call_timeout):
            return Check(name, False, "it answered as if it served it")
    except CallFailed as exc:
        return _refused(name, exc)
    return Check(name, False, "it ended without an answer")


async def _finds_nothing(channels: Channels, peer: Peer, agent: Agent) -> Check:
    name = "finds no job that was never started"
    kinds = [one.name for one in agent.supported_task_categories] or list(agent.supported_task_types)
    request = CreateTaskRequest(template=TaskTemplate(type=kinds[0] if kinds else _NOBODY))
    try:
        await channels.call(
            peer, CREATE, request, within=peer.endpoint.create_timeout, headers=((KEY, _UNDER), (FIND, "1"))
        )
    except CallFailed as exc:
        return Check(name, exc.status == "NOT_FOUND", exc.what)
    return Check(name, False, "it gave one, or started it")


def _refused(name: str, exc: CallFailed) -> Check:
    """NOT_FOUND is right; UNIMPLEMENTED where the whole service is missing."""
    return Check(name, exc.status in ("NOT_FOUND", "UNIMPLEMENTED") or None, exc.what)
