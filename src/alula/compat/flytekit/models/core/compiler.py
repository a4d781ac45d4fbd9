"""flytekit's models of compiled workflows."""

from __future__ import annotations

from alula import idl
from alula.compat.model import Model
from alula.compat.names import mirror


class CompiledTask(Model, idl=idl.CompiledTask, fields="template"): ...


class CompiledWorkflow(Model, idl=idl.CompiledWorkflow, fields="template connections"): ...


class CompiledWorkflowClosure(Model, idl=idl.CompiledWorkflowClosure, fields="primary sub_workflows tasks"): ...


__getattr__, __dir__ = mirror(__name__, {})
