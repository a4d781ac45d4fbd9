"""flytekit's model of what a dynamic task leaves."""

from __future__ import annotations

from alula import idl
from alula.compat.model import Model
from alula.compat.names import mirror


class DynamicJobSpec(Model, idl=idl.DynamicJobSpec, fields="tasks nodes min_successes outputs subworkflows"): ...


__getattr__, __dir__ = mirror(__name__, {})
