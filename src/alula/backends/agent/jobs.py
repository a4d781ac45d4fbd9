"""Agents that start jobs (AsyncAgentService), as a plugin: sensors and connectors of flytekit, and any other."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from google.protobuf.json_format import MessageToDict

from alula._kits.aio import gather
from alula._kits.clock import Clock, SystemClock
from alula.backends.agent import requests
from alula.backends.agent.answers import FAILED_CODE, info_of, said
from alula.backends.agent.channels import CallFailed, Channels, Peer
from alula.backends.agent.directory import Directory
from alula.backends.agent.routes import Category, Route
from alula.backends.agent.settings import Settings
from alula.errors import Rejected, RemoteError, RemoteNotFound, Throttled
from alula.idl import TaskTemplate
from alula.idl.agent import (
    CREATE,
    DELETE,
    DELETES_SUCCEEDED,
    FIND,
    FINDS,
    GET,
    KEY,
    LOGS,
    METRICS,
    CreateTaskRequest,
    DeleteTaskRequest,
    GetTaskLogsRequest,
    GetTaskMetricsRequest,
    GetTaskRequest,
    GetTaskResponse,
    Resource,
    TaskCategory,
)
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.phase import Json, Phase, PhaseInfo
from alula.plugin.webapi import Limits, LogPage, WebApiPlugin

_UNDONE = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "NOT_FOUND"})
"""Answers for operators, after which nothing was started."""
_AT_ONCE = 16
_SAID_CHARS = 4_000
_MARGIN = timedelta(seconds=10)
_SUCCEEDED_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class AgentJob:
    """One job of an agent, for ever asked for where it was started."""

    agent: str
    address: str
    """Where the agent was. One that moved under its name is found by that."""
    type: str
    version: int
    meta: str = ""
    """What the agent calls the job, in base64."""
    prefix: str = ""
    refused: str = ""
    """There is no job: the agent's own code failed when it was to start one."""
    lost: str = ""
    """There may be a job, but its name was lost on the way, and the agent cannot look for it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an agent said of a job, or what there is to say without asking."""

    where: str
    resource: Resource | None = None
    failure: AttemptFailure | None = None


class Agents(WebApiPlugin[AgentJob, Told]):
    info = PluginInfo("agent", frozenset(), settings=Settings)
    key_type = AgentJob

    def __init__(self, settings: Settings | None = None, *, clock: Clock | None = None) -> None:
        self.settings, self._clock = settings or Settings(), clock or SystemClock()
        self._channels = Channels()
        self._directory = Directory(self.settings, self._channels, self._clock, back=self._answers_again)
        self._uncertain: set[str] = set()
        """Names of attempts for which a create was sent, and whose answer was lost."""
        self._waiting: dict[str, dict[str, TaskContext]] = {}
        """Attempts that could not be started, by the agent that did not answer."""
        self._succeeded: dict[AgentJob, None] = {}
        every = (*self.settings.endpoints.values(), self.settings.registered)
        longest = max(max(one.create_timeout, one.get_timeout, one.delete_timeout) for one in every)
        self.limits = Limits(
            writes_per_second=50,
            reads_per_second=50,
            batch=32,
            refresh=timedelta(seconds=10),
            timeout=longest + _MARGIN,
        )

    async def open(self) -> None:
        await self._directory.open()

    async def close(self) -> None:
        await self._directory.close()
        await self._channels.aclose()

    def accepts(self, template: TaskTemplate) -> str | None:
        wanted, routes = Category(template.type, template.task_type_version), self._directory.routes
        route = routes.to(wanted, self._clock.now())
        if route is not None:
            return f"{route.known.named} answers tasks of type {wanted} at once" if route.sync else ""
        return routes.unsure(wanted, template)

    async def create(self, task: TaskContext) -> AgentJob:
        route = self._route(task)
        peer = self._directory.peer(route.known.name)
        wanted = Category(task.template.type, task.template.task_type_version)
        job = AgentJob(peer.name, peer.address, wanted.type, wanted.version, prefix=task.output_prefix)
        if route.sync:
            return _with(job, lost=f"{peer.named} answers tasks of type {wanted} at once, as is known only now")
        request = CreateTaskRequest(
            inputs=await task.inputs(),
            template=await requests.template(task),
            output_prefix=task.output_prefix,
            task_execution_metadata=requests.metadata(task),
        )
        fresh = task.fresh and task.name not in self._uncertain
        headers = await requests.headers(task, peer.endpoint, fresh=fresh)
        self._uncertain.add(task.name)
        try:
            answer, _ = await self._channels.call(
                peer, CREATE, request, within=peer.endpoint.create_timeout, headers=headers
            )
        except CallFailed as exc:
            return self._uncreated(task, route, job, exc)
        self._directory.answered(peer)
        self._uncertain.discard(task.name)
        self._waiting.get(peer.name, {}).pop(task.name, None)
        return _with(job, meta=base64.b64encode(answer.resource_meta).decode())

    async def find(self, task: TaskContext) -> AgentJob | None:
        if task.fresh and task.name not in self._uncertain:
            return None
        wanted = Category(task.template.type, task.template.task_type_version)
        route = self._directory.routes.to(wanted, self._clock.now())
        if route is None or FINDS not in _conventions(route):
            return None
        peer = self._directory.peer(route.known.name)
        request = CreateTaskRequest(
            template=task.template,
            output_prefix=task.output_prefix,
            task_execution_metadata=requests.metadata(task),
        )
        headers = ((KEY, task.name), (FIND, "1"))
        try:
            answer, _ = await self._channels.call(
                peer, CREATE, request, within=peer.endpoint.create_timeout, headers=headers
            )
        except CallFailed as exc:
            if exc.status == "NOT_FOUND" and not _unknown_type(exc):
                return None
            raise self._unanswered(peer, exc) from exc
        meta = base64.b64encode(answer.resource_meta).decode()
        return AgentJob(peer.name, peer.address, wanted.type, wanted.version, meta, task.output_prefix)

    async def get(self, keys: Sequence[AgentJob]) -> Sequence[Told | RemoteError]:
        return await gather(self._told, keys, limit=_AT_ONCE)

    async def delete(self, key: AgentJob) -> None:
        if key.lost or key.refused:
            return
        peer = self._directory.peer(key.agent, key.address)
        known = self._directory.routes.find(key.agent)
        wants_all = known is not None and known.offer is not None and DELETES_SUCCEEDED in known.offer.conventions
        if key in self._succeeded and not wants_all:  # as Flyte does: agents may take it for "undo"
            del self._succeeded[key]
            return
        request = DeleteTaskRequest(task_type=key.type, resource_meta=_meta(key), task_category=_category(key))
        try:
            await self._channels.call(peer, DELETE, request, within=peer.endpoint.delete_timeout)
        except CallFailed as exc:
            if exc.status != "NOT_FOUND" or _unknown_type(exc):
                raise self._unanswered(peer, exc) from exc
        self._succeeded.pop(key, None)

    def phase(self, task: TaskContext, remote: Told) -> PhaseInfo:
        if remote.failure is not None:
            return PhaseInfo(Phase.FAILED, remote.failure.message, failure=remote.failure)
        assert remote.resource is not None
        return info_of(remote.resource, where=remote.where)

    async def logs(self, task: TaskContext, key: AgentJob, token: str = "") -> LogPage:
        if key.lost or key.refused:
            return LogPage((), reason="no job was started")
        peer = self._directory.peer(key.agent, key.address)
        request = GetTaskLogsRequest(
            task_type=key.type, resource_meta=_meta(key), lines=1_000, token=token, task_category=_category(key)
        )
        lines: list[str] = []
        after = ""
        try:
            async for part in self._channels.stream(peer, LOGS, [request], within=peer.endpoint.get_timeout):
                if part.WhichOneof("part") == "header":
                    after = part.header.token
                lines += [line.message for line in part.body.structured_lines] or list(part.body.results)
        except CallFailed as exc:
            if not _unsupported(exc):
                raise self._unanswered(peer, exc) from exc
            return LogPage((), reason=f"{peer.named} gives no logs")
        return LogPage(tuple(lines), after)

    async def metrics(
        self, key: AgentJob, queries: Sequence[str], *, start: datetime, end: datetime, step: timedelta
    ) -> tuple[Mapping[str, Json], str]:
        """What an agent measured of a job, as JSON by the name of the metric; and why there is nothing, if so."""
        peer = self._directory.peer(key.agent, key.address)
        request = GetTaskMetricsRequest(
            task_type=key.type, resource_meta=_meta(key), queries=queries, task_category=_category(key)
        )
        request.start_time.FromDatetime(start)
        request.end_time.FromDatetime(end)
        request.step.FromTimedelta(step)
        try:
            answer, _ = await self._channels.call(peer, METRICS, request, within=peer.endpoint.get_timeout)
        except CallFailed as exc:
            if not _unsupported(exc):
                raise self._unanswered(peer, exc) from exc
            return {}, f"{peer.named} gives no metrics"
        return {one.metric: MessageToDict(one.data) for one in answer.results}, ""

    def _route(self, task: TaskContext) -> Route:
        wanted, routes = Category(task.template.type, task.template.task_type_version), self._directory.routes
        route = routes.to(wanted, self._clock.now())
        if route is not None:
            return route
        silent = routes.silent()
        if silent:
            waits = ", ".join(self._directory.silent(self._directory.peer(one.name), one.problem) for one in silent)
            raise RemoteError(f"nobody who answers serves {wanted}; {waits}")
        raise Rejected(routes.unserved(wanted), code="NoAgent")

    def _uncreated(self, task: TaskContext, route: Route, job: AgentJob, exc: CallFailed) -> AgentJob:
        """What follows from a create that failed: another try, only where no second job can come of it."""
        peer, told = self._directory.peer(job.agent), said(exc.details) or exc.what
        if not exc.sent:
            self._waiting.setdefault(peer.name, {})[task.name] = task
        if not exc.sent or exc.status in _UNDONE or exc.status == "RESOURCE_EXHAUSTED":
            self._uncertain.discard(task.name)
            if "larger than max" in told:
                raise Rejected(f"the inputs are too large for {peer.named}: {told}", code="InputSizeExceeded") from exc
            raise self._unanswered(peer, exc) from exc
        if exc.refused:
            self._uncertain.discard(task.name)
            raise Rejected(told, where=peer.named, code=FAILED_CODE) from exc
        if exc.raised:
            if FINDS not in _conventions(route):
                self._uncertain.discard(task.name)
            return _with(job, refused=told[:_SAID_CHARS])
        if FINDS in _conventions(route):
            raise self._unanswered(peer, exc) from exc
        self._uncertain.discard(task.name)
        return _with(job, lost=f"{peer.named} was asked to start the job, and its answer was lost: {exc.what}")

    def _answers_again(self, agent: str) -> None:
        for task in self._waiting.pop(agent, {}).values():
            task.wake()

    def _unanswered(self, peer: Peer, exc: CallFailed) -> RemoteError:
        """A failed call as the host is to see it."""
        if exc.status == "RESOURCE_EXHAUSTED":
            return Throttled(f"{peer.named}: {exc.details}", retry_after=exc.pause)
        if exc.status in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
            return RemoteError(self._directory.silent(peer, exc.what))
        return exc

    async def _told(self, key: AgentJob) -> Told | RemoteError:
        where = f"agent {key.agent} at {key.address}"
        if key.refused:
            return Told(where, failure=AttemptFailure(FAILED_CODE, key.refused, FailureKind.USER, recoverable=True))
        if key.lost:
            what = f"{key.lost}; look there for a job that nobody waits for"
            return Told(where, failure=AttemptFailure("AgentAnswerLost", what, FailureKind.SYSTEM, recoverable=True))
        peer = self._directory.peer(key.agent, key.address)
        request = GetTaskRequest(
            task_type=key.type, resource_meta=_meta(key), task_category=_category(key), output_prefix=key.prefix
        )
        try:
            answer, _ = await self._channels.call(peer, GET, request, within=peer.endpoint.get_timeout)
        except CallFailed as exc:
            if exc.status == "NOT_FOUND" and not _unknown_type(exc):
                return RemoteNotFound(f"{peer.named} does not know the job any more: {exc.details}")
            return self._unanswered(peer, exc)
        self._directory.answered(peer)
        return self._seen(key, answer, where)

    def _seen(self, key: AgentJob, answer: GetTaskResponse, where: str) -> Told:
        told = Told(where, answer.resource)
        try:
            over = info_of(answer.resource, where=where).phase is Phase.SUCCEEDED
        except RemoteError:
            over = False
        if over:
            self._succeeded[key] = None
            if len(self._succeeded) > _SUCCEEDED_KEPT:
                del self._succeeded[next(iter(self._succeeded))]
        return told


def _with(job: AgentJob, *, meta: str = "", refused: str = "", lost: str = "") -> AgentJob:
    return AgentJob(job.agent, job.address, job.type, job.version, meta, job.prefix, refused, lost)


def _conventions(route: Route) -> frozenset[str]:
    return route.known.offer.conventions if route.known.offer is not None else frozenset()


def _meta(key: AgentJob) -> bytes:
    return base64.b64decode(key.meta)


def _category(key: AgentJob) -> TaskCategory:
    return TaskCategory(name=key.type, version=key.version)


def _unknown_type(exc: CallFailed) -> bool:
    """Whether the agent does not know the task type, rather than the job: flytekit has one status for both."""
    said = exc.details.lower()
    return "for task type" in said or "no agent" in said or "task category" in said


def _unsupported(exc: CallFailed) -> bool:
    return exc.status == "UNIMPLEMENTED" or (exc.raised and "notimplemented" in exc.details.lower())
