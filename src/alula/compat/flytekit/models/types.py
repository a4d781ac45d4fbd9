"""flytekit's models of literal types."""

from __future__ import annotations

from typing import Any

from alula import idl
from alula.compat.flytekit.models.annotation import TypeAnnotation
from alula.compat.flytekit.models.core.types import BlobType, EnumType
from alula.compat.model import Model, constants
from alula.compat.names import mirror

SimpleType = constants(idl.SimpleType, "Types without parts.")


class SchemaType(Model, idl=idl.SchemaType, fields="columns"):
    class SchemaColumn(Model, idl=idl.SchemaType.SchemaColumn, fields="name type"):
        SchemaColumnType = constants(idl.SchemaType.SchemaColumn.SchemaColumnType, "Types of columns.")

    def __init__(self, columns: Any = None) -> None:
        super().__init__(columns=columns or [])


class UnionType(Model, idl=idl.UnionType, fields="variants"): ...


class TypeStructure(Model, idl=idl.TypeStructure, fields="tag dataclass_type", blank="dataclass_type"): ...


class StructuredDatasetType(
    Model, idl=idl.StructuredDatasetType, fields="columns format external_schema_type external_schema_bytes"
):
    class DatasetColumn(Model, idl=idl.StructuredDatasetType.DatasetColumn, fields="name literal_type"): ...

    def __init__(
        self,
        columns: Any = None,
        format: str = "",
        external_schema_type: str | None = None,
        external_schema_bytes: bytes | None = None,
    ) -> None:
        super().__init__(columns or [], format, external_schema_type, external_schema_bytes)


class LiteralType(
    Model,
    idl=idl.LiteralType,
    fields="simple schema collection_type map_value_type blob enum_type union_type structured_dataset_type metadata "
    "structure annotation",
    dicts="metadata",
): ...


class OutputReference(Model, idl=idl.OutputReference, fields="node_id var attr_path"):
    """An output of a node, and the way into it: field names and indexes."""

    def to_flyte_idl(self) -> Any:
        made = idl.OutputReference(node_id=self.node_id or "", var=self.var or "")
        for step in self.attr_path or ():
            is_index = isinstance(step, int)
            made.attr_path.add(**{"int_value" if is_index else "string_value": step})
        return made

    @classmethod
    def from_flyte_idl(cls, pb2_object: Any) -> Any:
        made = super().from_flyte_idl(pb2_object)
        made.attr_path = [getattr(step, step.WhichOneof("value")) for step in pb2_object.attr_path]
        return made


class Error(Model, idl=idl.Error, fields="failed_node_id message"): ...


__getattr__, __dir__ = mirror(__name__, {})
