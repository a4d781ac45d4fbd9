"""flytekit's models of what goes in and what comes out."""

from __future__ import annotations

from typing import Any

from alula import idl
from alula.compat.model import Model
from alula.compat.names import mirror


class Variable(Model, idl=idl.Variable, fields="type description artifact_partial_id artifact_tag"): ...


class VariableMap(Model, idl=idl.VariableMap, fields="variables"): ...


class TypedInterface(Model, idl=idl.TypedInterface, fields="inputs outputs"):
    """Names to `Variable`, in both directions."""

    @classmethod
    def from_flyte_idl(cls, pb2_object: Any) -> Any:
        made = super().from_flyte_idl(pb2_object)
        made.inputs, made.outputs = made.inputs or {}, made.outputs or {}
        return made


class Parameter(Model, idl=idl.Parameter, fields="var default required artifact_query artifact_id"):
    @property
    def behavior(self) -> Any:
        return self.default if self.default is not None else self.required


class ParameterMap(Model, idl=idl.ParameterMap, fields="parameters"): ...


__getattr__, __dir__ = mirror(__name__, {})
