"""`FlyteSchema`: a table with typed columns, in flytekit's older form, over Alula's data sets."""

from __future__ import annotations

import enum
import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

from alula._kits import bridge, lazy
from alula._kits.aio import to_thread
from alula.compat.flytekit.types.structured.structured_dataset import StructuredDataset
from alula.compat.names import mirror
from alula.data.workspace import fetch, workspace
from alula.errors import ConversionError
from alula.idl import Literal, LiteralType, SchemaType, SimpleType, literals
from alula.types import tabular
from alula.types.columns import dataset_type
from alula.types.registry import default
from alula.types.transformer import Packing, Place, Types, TypeTransformer, split, wrong_type

pandas = lazy.module("pandas")


class SchemaFormat(enum.Enum):
    PARQUET = "parquet"


class SchemaOpenMode(enum.Enum):
    READ = "r"
    WRITE = "w"


class SchemaReader:
    """Reads a table."""

    def __init__(self, path: Path, columns: Mapping[str, Any] | None, frame_type: Any) -> None:
        self._path, self._columns, self._frame_type = path, columns, frame_type

    @property
    def from_path(self) -> str:
        return str(self._path)

    @property
    def column_names(self) -> list[str] | None:
        return list(self._columns) if self._columns else None

    def all(self, **kwargs: Any) -> Any:
        frame = StructuredDataset(uri=str(self._path), file_format="parquet").open(self._frame_type).all()
        return frame[self.column_names] if self.column_names else frame

    def iter(self, **kwargs: Any) -> Iterator[Any]:
        files = sorted(self._path.iterdir()) if self._path.is_dir() else [self._path]
        for file in files:
            yield SchemaReader(file, self._columns, self._frame_type).all()


class SchemaWriter:
    """Writes a table, a file for each frame."""

    def __init__(self, directory: Path, columns: Mapping[str, Any] | None) -> None:
        self._directory, self._columns = directory, columns
        self._next = 0

    @property
    def to_path(self) -> str:
        return str(self._directory)

    @property
    def column_names(self) -> list[str] | None:
        return list(self._columns) if self._columns else None

    def write(self, *dfs: Any, **kwargs: Any) -> None:
        for frame in dfs:
            chosen = frame[self.column_names] if self.column_names else frame
            self._directory.mkdir(parents=True, exist_ok=True)
            made = default.converter(StructuredDataset)
            place = Place(workspace().objects, str(self._directory), default, lambda: f"{self._next:05}-made")
            stored = bridge.run(made.to_literal(StructuredDataset(chosen, file_format="parquet"), place))
            self._flatten(Path(stored.scalar.structured_dataset.uri))

    def _flatten(self, made: Path) -> None:
        """A data set is a directory of files; here each is one file."""
        for file in sorted(made.iterdir()) if made.is_dir() else [made]:
            os.replace(file, self._directory / f"{self._next:05}")
            self._next += 1
        if made.is_dir():
            made.rmdir()


class FlyteSchema:
    """A table: `FlyteSchema[kwtypes(x=int)]`; write with `open().write(frame)`, read with `open().all()`."""

    _columns: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        local_path: str | None = None,
        remote_path: str | None = None,
        supported_mode: SchemaOpenMode = SchemaOpenMode.WRITE,
        downloader: Any = None,
    ) -> None:
        if supported_mode is SchemaOpenMode.READ and remote_path is None and local_path is None:
            raise ValueError("To create a FlyteSchema in read mode, remote_path or local_path is required")
        self._local = Path(local_path) if local_path is not None else None
        self.remote_path, self.supported_mode = remote_path, supported_mode
        self._objects = workspace().objects

    def __class_getitem__(cls, columns: Any) -> Any:
        if not isinstance(columns, Mapping):
            raise AssertionError(
                f"Columns should be specified as an ordered dict of column names and their types, received {columns}"
            )
        base: Any = cls
        return _with_columns(base, tuple(columns.items()))

    @classmethod
    def columns(cls) -> dict[str, Any]:
        return dict(cls._columns)

    @classmethod
    def column_names(cls) -> list[str]:
        return list(cls._columns)

    @classmethod
    def format(cls) -> SchemaFormat:
        return SchemaFormat.PARQUET

    @property
    def local_path(self) -> str:
        if self._local is None and self.remote_path is not None:
            self._local = bridge.run(fetch(self._objects, self.remote_path))
        if self._local is None:
            self._local = workspace().new_path("schema")
        return str(self._local)

    def open(self, dataframe_fmt: Any = None, override_mode: SchemaOpenMode | None = None) -> Any:
        """A reader or a writer, as the mode of the schema says."""
        if override_mode is SchemaOpenMode.WRITE and self.supported_mode is SchemaOpenMode.READ:
            raise AssertionError("Readonly schema cannot be opened in write mode!")
        path = Path(self.local_path)
        if (override_mode or self.supported_mode) is SchemaOpenMode.WRITE:
            return SchemaWriter(path, self._columns)
        return SchemaReader(path, self._columns, dataframe_fmt or pandas.DataFrame)

    def as_readonly(self) -> FlyteSchema:
        if self.supported_mode is SchemaOpenMode.READ:
            return self
        return type(self)(self.local_path, self.remote_path, SchemaOpenMode.READ)

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        return {"remote_path": self.remote_path}

    def to_json(self, **kwargs: Any) -> str:
        return json.dumps(self.to_dict())

    def __eq__(self, other: object) -> bool:
        """Of one that was not stored yet, only the columns count."""
        if not isinstance(other, FlyteSchema):
            return NotImplemented
        stored = {self.remote_path, other.remote_path} - {None}
        return self._columns == other._columns and len(stored) < 2

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"FlyteSchema(local_path={self._local}, remote_path={self.remote_path})"


@cache
def _with_columns(base: Any, columns: tuple[tuple[str, Any], ...]) -> Any:
    return type(base.__name__, (base,), {"_columns": dict(columns), "__module__": base.__module__})


_COLUMN_TYPES = {
    SimpleType.INTEGER: SchemaType.SchemaColumn.INTEGER,
    SimpleType.FLOAT: SchemaType.SchemaColumn.FLOAT,
    SimpleType.STRING: SchemaType.SchemaColumn.STRING,
    SimpleType.BOOLEAN: SchemaType.SchemaColumn.BOOLEAN,
    SimpleType.DATETIME: SchemaType.SchemaColumn.DATETIME,
    SimpleType.DURATION: SchemaType.SchemaColumn.DURATION,
}


class FlyteSchemaTransformer(TypeTransformer[Any]):
    """`FlyteSchema` as the literal `schema`; frames that stand for one are written as one."""

    python_type = FlyteSchema
    name = "FlyteSchema Transformer"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(schema=self._schema(t))

    def check(self, value: Any, t: Any) -> None:
        if isinstance(value, (str, bytes, int, float, dict, list)):
            raise wrong_type(value, t)

    async def to_literal(self, value: Any, t: Any, at: Place) -> Literal:
        uri = await self._put(value, at) if isinstance(value, FlyteSchema) else await self._write(value, at)
        return Literal(scalar={"schema": {"uri": uri, "type": self._schema(t)}})

    async def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        kind = literals.kind(lit)
        if kind not in ("schema", "structured_dataset"):
            raise ConversionError(f"expected a schema, got a {kind or 'n empty'} literal")
        uri = lit.scalar.schema.uri if kind == "schema" else lit.scalar.structured_dataset.uri
        made = split(t)[0](None, uri, SchemaOpenMode.READ)
        made._objects = at.objects
        return made

    def packing(self, t: Any, types: Types) -> Packing:
        """A field of a dataclass holds where the table is."""

        async def pack(value: Any, at: Place) -> Any:
            return {"remote_path": await self._put(value, at)}

        def unpack(data: Any, at: Place) -> Any:
            return split(t)[0](None, data["remote_path"], SchemaOpenMode.READ)

        async def unpack_later(data: Any, at: Place) -> Any:
            return unpack(data, at)

        return Packing(pack, unpack_later, awaits=True, kinds=frozenset({dict}), of=FlyteSchema)

    @staticmethod
    def _schema(t: Any) -> SchemaType:
        columns = dataset_type(_annotated(split(t)[0]._columns)).columns
        made = SchemaType()
        for column in columns:
            made.columns.add(name=column.name, type=_COLUMN_TYPES[column.literal_type.simple])
        return made

    @staticmethod
    async def _put(schema: FlyteSchema, at: Place) -> str:
        if schema.remote_path is not None and schema.supported_mode is SchemaOpenMode.READ:
            return schema.remote_path
        uri = schema.remote_path or at.new_uri()
        path = Path(schema.local_path)
        await to_thread(lambda: path.mkdir(parents=True, exist_ok=True))
        await at.objects.upload(path, uri)
        return uri

    @staticmethod
    async def _write(frame: Any, at: Place) -> str:
        converter = default.converter(tabular.StructuredDataset)
        lit = await converter.to_literal(tabular.StructuredDataset(frame, file_format="parquet"), at)
        return str(lit.scalar.structured_dataset.uri)


def _annotated(columns: Mapping[str, Any]) -> Any:
    return Annotated[FlyteSchema, columns]


default.register(FlyteSchemaTransformer())


class SchemaHandler:
    """How a kind of frame is read and written; Alula asks the encoders and decoders of data sets instead."""

    def __init__(self, name: str, object_type: Any, reader: Any, writer: Any, handles_remote_io: bool = False) -> None:
        self.name, self.object_type, self.reader, self.writer = name, object_type, reader, writer
        self.handles_remote_io = handles_remote_io


class SchemaEngine:
    """Where such handlers are registered."""

    _SCHEMA_HANDLERS: ClassVar[dict[Any, SchemaHandler]] = {}

    @classmethod
    def register_handler(cls, h: SchemaHandler) -> None:
        if h.object_type in cls._SCHEMA_HANDLERS:
            raise ValueError(f"SchemaHandler {h.name} is registered for {h.object_type} already")
        cls._SCHEMA_HANDLERS[h.object_type] = h


__getattr__, __dir__ = mirror(__name__, {})
