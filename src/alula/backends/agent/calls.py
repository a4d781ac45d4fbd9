"""Agents that answer at once (SyncAgentService), as a plugin."""

from __future__ import annotations

from alula._kits.clock import Clock, SystemClock
from alula.backends.agent import requests
from alula.backends.agent.answers import FAILED_CODE, Gathered, info_of, said
from alula.backends.agent.channels import CallFailed, Channels, Peer
from alula.backends.agent.directory import Directory
from alula.backends.agent.routes import Category
from alula.backends.agent.settings import Settings
from alula.errors import Rejected, RemoteError, Throttled
from alula.idl import TaskTemplate
from alula.idl.agent import EXECUTE, CreateRequestHeader, ExecuteTaskSyncRequest, Resource
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo, SyncPlugin
from alula.plugin.failure import FailureKind
from alula.plugin.phase import PhaseInfo


class AgentCalls(SyncPlugin):
    info = PluginInfo("agent-call", frozenset(), settings=Settings, section="agent")

    def __init__(self, settings: Settings | None = None, *, clock: Clock | None = None) -> None:
        self.settings, self._clock = settings or Settings(), clock or SystemClock()
        self._channels = Channels()
        self._directory = Directory(self.settings, self._channels, self._clock, keeps=False, back=self._answers_again)
        self._waiting: dict[str, dict[str, TaskContext]] = {}
        """Attempts that were not answered, by the agent that does not answer."""
        every = (*self.settings.endpoints.values(), self.settings.registered)
        self.timeout_seconds = max(one.call_timeout.total_seconds() for one in every) + 10

    async def open(self) -> None:
        await self._directory.open()

    async def close(self) -> None:
        await self._directory.close()
        await self._channels.aclose()

    def accepts(self, template: TaskTemplate) -> str | None:
        wanted, routes = Category(template.type, template.task_type_version), self._directory.routes
        route = routes.to(wanted, self._clock.now())
        if route is None:
            return routes.unsure(wanted, template)
        return "" if route.sync else f"{route.known.named} starts jobs for tasks of type {wanted}"

    async def do(self, task: TaskContext) -> PhaseInfo:
        wanted = Category(task.template.type, task.template.task_type_version)
        route = self._directory.routes.to(wanted, self._clock.now())
        if route is None:
            raise Rejected(self._directory.routes.unserved(wanted), code="NoAgent")
        peer = self._directory.peer(route.known.name)
        try:
            resource = await self._ask(peer, task)
        except CallFailed as exc:
            if not exc.sent:
                self._waiting.setdefault(peer.name, {})[task.name] = task
            return self._unanswered(peer, exc)
        self._directory.answered(peer)
        self._waiting.get(peer.name, {}).pop(task.name, None)
        info = info_of(resource, where=peer.named)
        if not info.phase.terminal:
            raise RemoteError(
                f"{peer.named} answered with the phase {info.phase}, and must answer with an outcome",
                fix="an agent whose jobs go on is none of SyncAgentService",
            )
        return info

    def _answers_again(self, agent: str) -> None:
        for task in self._waiting.pop(agent, {}).values():
            task.wake()

    async def _ask(self, peer: Peer, task: TaskContext) -> Resource:
        limit = self.settings.max_dataset_bytes
        header = CreateRequestHeader(
            template=await requests.template(task),
            output_prefix=task.output_prefix,
            task_execution_metadata=requests.metadata(task),
            max_dataset_size_bytes=limit,
        )
        asks = [ExecuteTaskSyncRequest(header=header), ExecuteTaskSyncRequest(inputs=await task.inputs())]
        headers = await requests.headers(task, peer.endpoint)
        gathered = Gathered(limit)
        answer = self._channels.stream(peer, EXECUTE, asks, within=peer.endpoint.call_timeout, headers=headers)
        async for part in answer:
            gathered.add(part)
        return gathered.done()

    def _unanswered(self, peer: Peer, exc: CallFailed) -> PhaseInfo:
        """A failed call: the user's failure if the agent's own code raised, else it is made again."""
        if exc.status == "RESOURCE_EXHAUSTED":
            raise Throttled(f"{peer.named}: {exc.details}", retry_after=exc.pause) from exc
        if exc.refused:
            raise Rejected(exc.details, where=peer.named, code=FAILED_CODE) from exc
        if exc.raised:
            return PhaseInfo.failed(FAILED_CODE, said(exc.details), kind=FailureKind.USER, recoverable=True)
        if exc.status in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
            raise RemoteError(self._directory.silent(peer, exc.what)) from exc
        raise exc
