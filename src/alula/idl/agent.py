"""The wire of agents (flyteidl.admin.agent, flyteidl.service.agent): messages, calls, and what Alula adds in headers.

Loaded only by those who call agents or serve one. Nothing here needs gRPC: whoever has a channel or a server makes a
call out of an `Rpc`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from flyteidl.admin.agent_pb2 import (
    Agent,
    AgentError,
    CreateRequestHeader,
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
    GetTaskMetricsRequest,
    GetTaskMetricsResponse,
    GetTaskRequest,
    GetTaskResponse,
    ListAgentsRequest,
    ListAgentsResponse,
    LogLine,
    Resource,
    State,
    TaskCategory,
    TaskExecutionMetadata,
)
from flyteidl.core.execution_pb2 import TaskLog
from flyteidl.service import agent_pb2 as _service
from google.protobuf.message import Message

__all__ = [
    "CONVENTIONS",
    "CREATE",
    "DELETE",
    "DELETES_SUCCEEDED",
    "EXECUTE",
    "FIND",
    "FINDS",
    "FRESH",
    "GET",
    "GET_AGENT",
    "KEY",
    "LIST",
    "LOGS",
    "METRICS",
    "RAW",
    "SECRET",
    "SERVICES",
    "Agent",
    "AgentError",
    "CreateRequestHeader",
    "CreateTaskRequest",
    "CreateTaskResponse",
    "DeleteTaskRequest",
    "DeleteTaskResponse",
    "ExecuteTaskSyncRequest",
    "ExecuteTaskSyncResponse",
    "ExecuteTaskSyncResponseHeader",
    "GetAgentRequest",
    "GetAgentResponse",
    "GetTaskLogsRequest",
    "GetTaskLogsResponse",
    "GetTaskLogsResponseBody",
    "GetTaskLogsResponseHeader",
    "GetTaskMetricsRequest",
    "GetTaskMetricsResponse",
    "GetTaskRequest",
    "GetTaskResponse",
    "ListAgentsRequest",
    "ListAgentsResponse",
    "LogLine",
    "Resource",
    "Rpc",
    "State",
    "TaskCategory",
    "TaskExecutionMetadata",
    "TaskLog",
]

KEY = "alula-idempotency-key"
"""Header of CreateTask and ExecuteTaskSync: the attempt's name, the same whenever the call is made again. An agent that
gives the job it already made under this key can leave none behind."""
FRESH = "alula-fresh"
"""Header of CreateTask, `1`: nothing was ever created under this key, so the agent need not look."""
FIND = "alula-find"
"""Header of CreateTask, `1`: give the `resource_meta` of the job that was made under this key, or NOT_FOUND, and start
none. There are no inputs then. Sent only to an agent that declares `FINDS`."""
SECRET = "alula-secret-bin"
"""Header of CreateTask and ExecuteTaskSync, once per secret of the task: JSON with `group`, `key` and `value`."""
RAW = "alula.dev/raw-prefix"
"""Annotation of an execution: where the job's files go, if not below its output prefix."""
CONVENTIONS = "alula-conventions"
"""Header of the answer to ListAgents: which of the following the agent keeps, separated by commas."""
FINDS = "find"
"""It answers `FIND`, and never makes two jobs under one key."""
DELETES_SUCCEEDED = "delete-succeeded"
"""It wants DeleteTask also for jobs that succeeded."""

SERVICES = tuple(sorted(service.full_name for service in _service.DESCRIPTOR.services_by_name.values()))
"""Full names of the services, for health checks and reflection."""


AsksT = TypeVar("AsksT", bound=Message)
AnswersT = TypeVar("AnswersT", bound=Message)


@dataclass(frozen=True, slots=True)
class Rpc(Generic[AsksT, AnswersT]):
    """One call of one service."""

    service: str
    name: str
    asks: type[AsksT]
    answers: type[AnswersT]
    asks_stream: bool = False
    answers_stream: bool = False

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.name}"


_ASYNC, _SYNC, _METADATA = (f"flyteidl.service.{name}Service" for name in ("AsyncAgent", "SyncAgent", "AgentMetadata"))

CREATE = Rpc(_ASYNC, "CreateTask", CreateTaskRequest, CreateTaskResponse)
GET = Rpc(_ASYNC, "GetTask", GetTaskRequest, GetTaskResponse)
DELETE = Rpc(_ASYNC, "DeleteTask", DeleteTaskRequest, DeleteTaskResponse)
METRICS = Rpc(_ASYNC, "GetTaskMetrics", GetTaskMetricsRequest, GetTaskMetricsResponse)
LOGS = Rpc(_ASYNC, "GetTaskLogs", GetTaskLogsRequest, GetTaskLogsResponse, answers_stream=True)
EXECUTE = Rpc(
    _SYNC, "ExecuteTaskSync", ExecuteTaskSyncRequest, ExecuteTaskSyncResponse, asks_stream=True, answers_stream=True
)
GET_AGENT = Rpc(_METADATA, "GetAgent", GetAgentRequest, GetAgentResponse)
LIST = Rpc(_METADATA, "ListAgents", ListAgentsRequest, ListAgentsResponse)
