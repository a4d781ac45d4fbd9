"""Free annotations of literal types."""

from __future__ import annotations

from typing import Any

from alula import idl
from alula.compat.model import Model
from alula.compat.names import mirror


class TypeAnnotation(Model, idl=idl.TypeAnnotation, fields="annotations", dicts="annotations"):
    @classmethod
    def merge_annotations(cls, lhs: Any, rhs: Any) -> TypeAnnotation:
        """Both; where they differ, the second."""
        return cls(annotations={**lhs.annotations, **rhs.annotations})


__getattr__, __dir__ = mirror(__name__, {})
