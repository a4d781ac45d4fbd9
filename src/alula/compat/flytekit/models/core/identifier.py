"""flytekit's models of identifiers."""

from __future__ import annotations

from typing import Any

from alula import idl
from alula.compat.model import Model, constants
from alula.compat.names import mirror

ResourceType = constants(idl.ResourceType, "Kinds of what is registered.")


class Identifier(Model, idl=idl.Identifier, fields="resource_type project domain name version"):
    def resource_type_name(self) -> Any:
        return ResourceType.enum_to_string(self.resource_type)

    def __repr__(self) -> str:
        kind = self.resource_type_name()
        return f"{kind}:{self.project}:{self.domain}:{self.name}:{self.version}"

    __str__ = __repr__


class WorkflowExecutionIdentifier(Model, idl=idl.WorkflowExecutionIdentifier, fields="project domain name"): ...


class NodeExecutionIdentifier(Model, idl=idl.NodeExecutionIdentifier, fields="node_id execution_id"): ...


class TaskExecutionIdentifier(
    Model, idl=idl.TaskExecutionIdentifier, fields="task_id node_execution_id retry_attempt"
): ...


__getattr__, __dir__ = mirror(__name__, {})
