"""The three services of agents over plugins. Knows nothing of gRPC: `server` gives it requests and headers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from alula.agent.answers import resource_of
from alula.agent.meta import Meta, pack, unpack
from alula.agent.served import Served
from alula.data.objects import ObjectStore
from alula.errors import Rejected, RemoteError, RemoteNotFound, RequestError
from alula.idl import LiteralMap
from alula.idl.agent import (
    CONVENTIONS,
    DELETES_SUCCEEDED,
    FIND,
    FINDS,
    FRESH,
    KEY,
    SECRET,
    Agent,
    CreateTaskRequest,
    CreateTaskResponse,
    DeleteTaskRequest,
    DeleteTaskResponse,
    ExecuteTaskSyncRequest,
    ExecuteTaskSyncResponse,
    ExecuteTaskSyncResponseHeader,
    GetAgentRequest,
    GetAgentResponse,
    GetTaskLogsRequest,
    GetTaskLogsResponse,
    GetTaskLogsResponseBody,
    GetTaskLogsResponseHeader,
    GetTaskRequest,
    GetTaskResponse,
    ListAgentsRequest,
    ListAgentsResponse,
    LogLine,
    TaskCategory,
)
from alula.plugin.core import Plugin, SyncPlugin
from alula.plugin.phase import Phase
from alula.plugin.webapi import WebApiPlugin

Headers = Sequence[tuple[str, str | bytes]]
_REMEMBERED = 10_000
"""Jobs whose key is given at once when they are created again."""
_GATHER_SECONDS = 0.005
"""Questions that come so close together are put to the plugin as one."""


class UnknownType(RequestError, LookupError):
    """Nothing here serves a task type."""


class Services:
    """Everything is called on one event loop.

    Args:
        objects: For plugins that read and write files.
    """

    def __init__(self, plugins: Sequence[WebApiPlugin[Any, Any] | SyncPlugin], objects: ObjectStore) -> None:
        self.plugins = tuple(plugins)
        self._objects = objects
        self._by_type: dict[str, Plugin] = {}
        for plugin in plugins:
            for task_type in sorted(plugin.info.task_types):
                other = self._by_type.setdefault(task_type, plugin)
                if other is not plugin:
                    raise RequestError(
                        f"task type {task_type!r} is served by two plugins: {other.info.name} and {plugin.info.name}",
                        fix="serve them as two agents",
                    )
        self._creating: dict[str, tuple[asyncio.Lock, int]] = {}
        self._opened: set[Plugin] = set()
        self._opening = asyncio.Lock()
        self._made: dict[str, bytes] = {}
        self._gathering: dict[Plugin, _Gathering] = {}

    @property
    def conventions(self) -> tuple[tuple[str, str], ...]:
        """Headers of the answer to ListAgents."""
        return ((CONVENTIONS, f"{FINDS},{DELETES_SUCCEEDED}"),)

    # --- what there is ---

    def list_agents(self, request: ListAgentsRequest) -> ListAgentsResponse:
        return ListAgentsResponse(agents=[_described(plugin) for plugin in self.plugins])

    def get_agent(self, request: GetAgentRequest) -> GetAgentResponse:
        for plugin in self.plugins:
            if plugin.info.name == request.name:
                return GetAgentResponse(agent=_described(plugin))
        raise UnknownType(f"there is no agent {request.name!r}", fix=f"there are {_names(self.plugins)}")

    # --- jobs ---

    async def create(self, request: CreateTaskRequest, headers: Headers) -> CreateTaskResponse:
        """Start a job, or give the one that was started under the same key."""
        plugin = await self._jobs(request.template.type)
        task = self._task(request, headers)
        only_find = _header(headers, FIND) == "1"
        async with self._alone(task.name), _strict(task):
            meta = self._made.get(task.name)
            if meta is None:
                key = None
                if only_find or not (task.fresh or plugin.idempotent_create):
                    key = await plugin.find(task)
                if key is None and only_find:
                    raise RemoteNotFound(f"no job was started under {task.name}")
                if key is None:
                    key = await plugin.create(task)
                kept = Meta(key, task.name, task.execution, task.output_prefix, task.template)
                meta = self._remember(task.name, pack(plugin, kept))
        return CreateTaskResponse(resource_meta=meta)

    async def get(self, request: GetTaskRequest) -> GetTaskResponse:
        plugin = await self._jobs(request.task_category.name or request.task_type)
        meta = unpack(plugin, request.resource_meta)
        task = self._task_of(meta)
        async with _strict(task):
            remote = await self._gather(plugin).ask(meta.key)
            info = plugin.phase(task, remote)
            outputs = info.outputs
            if info.phase is Phase.SUCCEEDED and outputs is None:
                outputs = await plugin.outputs(task, meta.key, remote)
            return GetTaskResponse(resource=resource_of(info, outputs, task.struck))

    async def delete(self, request: DeleteTaskRequest) -> DeleteTaskResponse:
        plugin = await self._jobs(request.task_category.name or request.task_type)
        meta = unpack(plugin, request.resource_meta)
        await plugin.delete(meta.key)
        self._made.pop(meta.name, None)
        return DeleteTaskResponse()

    async def logs(self, request: GetTaskLogsRequest) -> AsyncIterator[GetTaskLogsResponse]:
        plugin = await self._jobs(request.task_category.name or request.task_type)
        meta = unpack(plugin, request.resource_meta)
        task = self._task_of(meta)
        async with _strict(task):
            page = await plugin.logs(task, meta.key, request.token)
        yield GetTaskLogsResponse(header=GetTaskLogsResponseHeader(token=page.token))
        lines = [LogLine(message=task.struck(line)) for line in page.lines]
        yield GetTaskLogsResponse(body=GetTaskLogsResponseBody(structured_lines=lines))

    # --- answers at once ---

    async def execute(
        self, requests: AsyncIterator[ExecuteTaskSyncRequest], headers: Headers
    ) -> AsyncIterator[ExecuteTaskSyncResponse]:
        header, inputs = None, LiteralMap()
        async for part in requests:
            if part.WhichOneof("part") == "header" and header is None:
                header = part.header
            else:
                inputs.MergeFrom(part.inputs)
        if header is None:
            raise Rejected("the stream has no header", fix="send the header first, then the inputs")
        plugin = self._find(header.template.type)
        if not isinstance(plugin, SyncPlugin):
            raise UnknownType(f"tasks of type {header.template.type!r} are not answered at once; use AsyncAgentService")
        await self._ready(plugin)
        request = CreateTaskRequest(
            template=header.template,
            inputs=inputs,
            output_prefix=header.output_prefix,
            task_execution_metadata=header.task_execution_metadata,
        )
        task = self._task(request, headers)
        async with _strict(task):
            info = await asyncio.wait_for(plugin.do(task), plugin.timeout_seconds)
            limit = header.max_dataset_size_bytes
            if limit and info.outputs is not None and info.outputs.ByteSize() > limit:
                raise Rejected(f"the outputs have {info.outputs.ByteSize()} bytes, and may have {limit}")
            resource = resource_of(info, info.outputs, task.struck)
        yield ExecuteTaskSyncResponse(header=ExecuteTaskSyncResponseHeader(resource=resource))

    # --- the rest ---

    def _find(self, task_type: str) -> Plugin:
        found = self._by_type.get(task_type)
        if found is None:
            raise UnknownType(
                f"cannot find an agent for task type {task_type!r}", fix=f"here are {', '.join(sorted(self._by_type))}"
            )
        return found

    async def _jobs(self, task_type: str) -> WebApiPlugin[Any, Any]:
        found = self._find(task_type)
        if not isinstance(found, WebApiPlugin):
            raise UnknownType(f"for task type {task_type!r} there are only answers at once; use SyncAgentService")
        await self._ready(found)
        return found

    def _task(self, request: CreateTaskRequest, headers: Headers) -> Served:
        about = request.task_execution_metadata
        task = Served(
            name=_header(headers, KEY),
            execution=about.task_execution_id,
            template=request.template,
            output_prefix=request.output_prefix,
            objects=self._objects,
            given=request.inputs,
            about=about,
            fresh=_header(headers, FRESH) == "1",
            sent=_secrets(headers),
        )
        task.name = task.name or task.id.name
        return task

    def _task_of(self, meta: Meta) -> Served:
        return Served(meta.name, meta.execution, meta.template, meta.prefix, self._objects)

    def _remember(self, name: str, meta: bytes) -> bytes:
        self._made[name] = meta
        if len(self._made) > _REMEMBERED:
            del self._made[next(iter(self._made))]
        return meta

    @asynccontextmanager
    async def _alone(self, name: str) -> AsyncIterator[None]:
        """One at a time creates under a name."""
        lock, users = self._creating.get(name) or (asyncio.Lock(), 0)
        self._creating[name] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            _, users = self._creating.pop(name)
            if users > 1:
                self._creating[name] = lock, users - 1

    async def _ready(self, plugin: Plugin) -> None:
        """Open a plugin before its first call; one that cannot be opened is tried again with the next call."""
        if plugin in self._opened:
            return
        async with self._opening:
            if plugin not in self._opened:
                await plugin.open()
                self._opened.add(plugin)

    async def aclose(self) -> None:
        """Close what was opened."""
        while self._opened:
            await self._opened.pop().close()

    def _gather(self, plugin: WebApiPlugin[Any, Any]) -> _Gathering:
        return self._gathering.setdefault(plugin, _Gathering(plugin))


class _Gathering:
    """Makes few calls of `get` out of many questions."""

    def __init__(self, plugin: WebApiPlugin[Any, Any]) -> None:
        self._plugin = plugin
        self._waiting: list[tuple[Any, asyncio.Future[Any]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def ask(self, key: Any) -> Any:
        """What the remote says of one job. Raises what the plugin raised, or gave for it."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((key, answer))
        if len(self._waiting) == 1:
            loop.call_later(_GATHER_SECONDS, self._go)
        elif len(self._waiting) >= self._plugin.limits.batch:
            self._go()
        return await answer

    def _go(self) -> None:
        batch, self._waiting = self._waiting, []
        if batch:
            task = asyncio.create_task(self._get(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _get(self, batch: list[tuple[Any, asyncio.Future[Any]]]) -> None:
        answers: Sequence[Any]
        try:
            answers = await self._plugin.get([key for key, _ in batch])
            if len(answers) != len(batch):
                raise RemoteError(f"{self._plugin.info.name}.get gave {len(answers)} answers to {len(batch)} questions")
        except Exception as exc:  # noqa: BLE001 the border to a guest, who may raise anything; it is told to who asked
            answers = [exc] * len(batch)
        for (_, waiting), answer in zip(batch, answers, strict=True):
            if waiting.done():
                continue
            if isinstance(answer, Exception):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)


class Struck(RemoteError):
    """What a plugin raised, without its secrets."""

    def __init__(self, what: str, cause: Exception) -> None:
        super().__init__(what)
        self.cause = cause


@asynccontextmanager
async def _strict(task: Served) -> AsyncIterator[None]:
    """Takes the secrets that the plugin has out of what it raises."""
    try:
        yield
    except Exception as exc:
        said = str(exc)
        if task.struck(said) == said:
            raise
        raise Struck(task.struck(said), exc) from None


def _described(plugin: Plugin) -> Agent:
    types = sorted(plugin.info.task_types)
    return Agent(
        name=plugin.info.name,
        is_sync=isinstance(plugin, SyncPlugin),
        supported_task_types=types,
        supported_task_categories=[TaskCategory(name=one, version=0) for one in types],
    )


def _names(plugins: Sequence[Plugin]) -> str:
    return ", ".join(sorted(plugin.info.name for plugin in plugins)) or "none"


def _header(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key == name and isinstance(value, str)), "")


def _secrets(headers: Headers) -> Mapping[tuple[str, str], str]:
    found = {}
    for key, value in headers:
        if key == SECRET and isinstance(value, bytes):
            try:
                said = json.loads(value)
                found[(str(said["group"]), str(said["key"]))] = str(said["value"])
            except (ValueError, KeyError, TypeError):
                raise Rejected(f"the header {SECRET} is no secret") from None
    return found
