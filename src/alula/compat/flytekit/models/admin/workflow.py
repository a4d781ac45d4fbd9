"""flytekit's models of registered workflows."""

from __future__ import annotations

from alula.compat.model import Model
from alula.compat.names import mirror
from alula.idl import admin


class WorkflowSpec(
    Model, idl=admin.WorkflowSpec, fields="template sub_workflows docs", renamed={"docs": "description"}
): ...


__getattr__, __dir__ = mirror(__name__, {})
