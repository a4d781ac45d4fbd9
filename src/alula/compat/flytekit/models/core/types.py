"""flytekit's models of blobs and enums."""

from __future__ import annotations

from alula import idl
from alula.compat.model import Model, constants
from alula.compat.names import mirror


class EnumType(Model, idl=idl.EnumType, fields="values"): ...


class BlobType(Model, idl=idl.BlobType, fields="format dimensionality"):
    BlobDimensionality = constants(idl.BlobType.BlobDimensionality, "One file, or many under one prefix.")


__getattr__, __dir__ = mirror(__name__, {})
