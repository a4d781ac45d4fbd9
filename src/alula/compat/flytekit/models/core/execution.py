"""flytekit's models of how far an execution is."""

from __future__ import annotations

from alula import idl
from alula.compat.model import Model, constants
from alula.compat.names import mirror

WorkflowExecutionPhase = constants(idl.WorkflowExecution.Phase, "How far an execution is.")
TaskExecutionPhase = constants(idl.TaskExecution.Phase, "How far an attempt of a task is.")


class ExecutionError(Model, idl=idl.ExecutionError, fields="code message error_uri kind"):
    ErrorKind = constants(idl.ExecutionError.ErrorKind, "Who is to blame.")


__getattr__, __dir__ = mirror(__name__, {})
