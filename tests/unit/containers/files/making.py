"""Container tasks for tests, by their types."""

from __future__ import annotations

from collections.abc import Mapping

from alula.idl import (
    BlobType,
    DataLoadingConfig,
    LiteralType,
    SimpleType,
    StructuredDatasetType,
    TaskTemplate,
    UnionType,
)

INT = LiteralType(simple=SimpleType.INTEGER)
STR = LiteralType(simple=SimpleType.STRING)
NONE = LiteralType(simple=SimpleType.NONE)
FILE = LiteralType(blob=BlobType(format="csv"))
FOLDER = LiteralType(blob=BlobType(dimensionality=BlobType.MULTIPART))
TABLE = LiteralType(structured_dataset_type=StructuredDatasetType(format="parquet"))
FILES = LiteralType(collection_type=FILE)
NAMED = LiteralType(map_value_type=FILE)
MAYBE = LiteralType(union_type=UnionType(variants=[INT, NONE]))
MAYBE_FILE = LiteralType(union_type=UnionType(variants=[STR, FILE, NONE]))
Types = Mapping[str, LiteralType]


def raw(inputs: Types | None = None, outputs: Types | None = None, **config: object) -> TaskTemplate:
    """A task with its inputs in /in and its outputs in /out."""
    made = TaskTemplate(type="raw-container")
    made.id.name = "tool"
    for interface, types in ((made.interface.inputs, inputs or {}), (made.interface.outputs, outputs or {})):
        for name, t in types.items():
            interface.variables[name].type.CopyFrom(t)
    loading = {"enabled": True, "input_path": "/in", "output_path": "/out", **config}
    made.container.data_config.CopyFrom(DataLoadingConfig(**loading))  # type: ignore[arg-type]
    return made
