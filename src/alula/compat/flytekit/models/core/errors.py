"""flytekit's models of the error that a container leaves."""

from __future__ import annotations

from alula import idl
from alula.compat.model import Model, constants
from alula.compat.names import mirror


class ContainerError(Model, idl=idl.ContainerError, fields="code message kind origin timestamp worker"):
    Kind = constants(idl.ContainerError.Kind, "Whether another attempt may succeed.")


class ErrorDocument(Model, idl=idl.ErrorDocument, fields="error"): ...


__getattr__, __dir__ = mirror(__name__, {})
