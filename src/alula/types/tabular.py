"""`StructuredDataset`, and every type of data frame: a table in a store, with its columns and its format.

A family of frames (`types/pandas.py`) is one `FrameTransformer` with its encoders and decoders; see `types.dataset`.
"""

from __future__ import annotations

import dataclasses
import html
import inspect
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, cast

import msgpack

from alula._kits import bridge
from alula.data import uris
from alula.data.workspace import workspace
from alula.errors import ConversionError, ObjectNotFound, UnsupportedType
from alula.idl import Literal, LiteralType, StructuredDatasetMetadata, StructuredDatasetType
from alula.idl import StructuredDataset as DatasetMessage
from alula.idl import literals as lits
from alula.types import registry
from alula.types.blob import model_field
from alula.types.columns import columns_of_schema, dataset_type
from alula.types.dataset import PARQUET, Handler, Handlers, Renderer
from alula.types.transformer import Converter, Place, Types, TypeTransformer, split, type_name, wrong_type

D = TypeVar("D")

_GONE = "run the task that made it again, or correct the URI"


class StructuredDataset:
    """A table that is stored somewhere, or a data frame that is about to be.

    Return `StructuredDataset(dataframe=df)` or `StructuredDataset(uri="s3://...", file_format="parquet")`; read one
    with `dataset.open(pd.DataFrame).all()`, as any kind of frame that can read its format.

    Args:
        dataframe: A data frame of any supported type.
        uri: Where the table is stored; with `dataframe`, where to store it.
        file_format: `parquet`, `csv`, ...; empty: what suits the frame.
    """

    __slots__ = ("_place", "_wanted", "dataframe", "file_format", "literal", "uri")

    literal: DatasetMessage | None
    """What travels, if it came from a task; None if you made it."""

    def __init__(self, dataframe: Any = None, uri: str | None = None, *, file_format: str = "") -> None:
        self.dataframe, self.uri, self.file_format = dataframe, uri, file_format
        self.literal = None
        self._wanted = StructuredDatasetType()
        self._place: Place | None = None

    def open(self, frame_type: type[D]) -> Opened[D]:
        """The table as a `frame_type`, not read yet."""
        return Opened(self, frame_type)

    @property
    def columns(self) -> list[str]:
        """The names of the declared columns; empty: all that there are."""
        return [column.name for column in self._wanted.columns]

    def __repr__(self) -> str:
        held = f"dataframe={type_name(type(self.dataframe))}, " if self.dataframe is not None else ""
        return f"StructuredDataset({held}uri={self.uri!r}, file_format={self.file_format!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StructuredDataset):
            return NotImplemented
        same = self.uri == other.uri and self.file_format == other.file_format
        return same and self.dataframe is other.dataframe

    def __hash__(self) -> int:
        return hash((self.uri, self.file_format))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        fields = {"uri": (str | None, None), "file_format": (str | None, "")}
        return model_field("StructuredDataset", fields, cls._of_field, cls._as_field, handler)

    @classmethod
    def _of_field(cls, given: Any) -> Any:
        if isinstance(given, StructuredDataset):
            return given
        if not isinstance(given, Mapping):
            raise TypeError(given)
        return cls(uri=given["uri"], file_format=given.get("file_format") or "")

    def _as_field(self) -> dict[str, Any]:
        return {"uri": self.uri, "file_format": self.file_format}

    def __getstate__(self) -> dict[str, Any]:
        stored = self.literal.SerializeToString() if self.literal is not None else None
        given = {"dataframe": self.dataframe, "uri": self.uri, "file_format": self.file_format}
        return {**given, "literal": stored, "wanted": self._wanted.SerializeToString()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.dataframe, self.uri, self.file_format = state["dataframe"], state["uri"], state["file_format"]
        self.literal = DatasetMessage.FromString(state["literal"]) if state["literal"] is not None else None
        self._wanted = StructuredDatasetType.FromString(state["wanted"])
        self._place = None


class Opened(Generic[D]):
    """A table about to be read as one kind of frame."""

    def __init__(self, dataset: StructuredDataset, frame_type: type[D]) -> None:
        self._dataset, self._frame_type = dataset, frame_type

    def all(self) -> D:
        """The whole table, with the declared columns.

        Raises:
            ConversionError: it cannot be read as this kind of frame, or is gone.
        """
        held = self._dataset.dataframe
        if held is not None and self._dataset.literal is None and type(held) is self._frame_type:
            return held
        return cast(D, bridge.run(self._read(pieces=False)))

    def iter(self) -> Iterator[D]:
        """The table in pieces that fit into memory, as large as its decoder makes them."""
        return cast(Iterator[D], bridge.run(self._read(pieces=True)))

    async def _read(self, *, pieces: bool) -> Any:
        at = self._dataset._place or _anywhere()
        stored = self._dataset.literal or await _stored(self._dataset, StructuredDatasetType(), at, upload=False)
        return await _decode(self._frame_type, stored, self._dataset._wanted, at, pieces=pieces)


class DatasetTransformer(TypeTransformer[Any]):
    """`StructuredDataset` as a structured dataset; its reader decides what kind of frame it becomes."""

    python_type: ClassVar[Any] = StructuredDataset
    name = "StructuredDataset Transformer"

    def __init__(self) -> None:
        self.beside: dict[Any, FrameTransformer] = {}
        """Families of types that another family serves when they are declared by themselves (numpy's arrays)."""

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(structured_dataset_type=dataset_type(t))

    def check(self, value: Any, t: Any) -> None:
        if not isinstance(value, StructuredDataset):
            raise wrong_type(value, t, fix="wrap it: StructuredDataset(dataframe=...)")

    async def to_literal(self, value: Any, t: Any, at: Place) -> Literal:
        dataset = value if isinstance(value, StructuredDataset) else StructuredDataset(dataframe=value)
        return Literal(scalar={"structured_dataset": await _stored(dataset, dataset_type(t), at)})

    async def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        stored = _message(lit, t)
        wanted = _wanted(stored, dataset_type(t))
        dataset = split(t)[0](uri=stored.uri, file_format=wanted.format)
        dataset.literal, dataset._wanted, dataset._place = stored, wanted, at
        return dataset

    def guess(self, lt: LiteralType, types: Types) -> Any:
        return StructuredDataset if lt.HasField("structured_dataset_type") or lt.HasField("schema") else None

    def preview(self, value: Any) -> str:
        if value.dataframe is None:
            return f"<pre>{html.escape(repr(value))}</pre>"
        family = _family(registry.default, type(value.dataframe))
        return family.preview(value.dataframe)

    def converter(self, t: Any, types: Types) -> Converter:
        """Resolved once: the dataset type of `t`, from its annotations."""
        mine = self.python_type
        made = super().converter(t, types)
        return dataclasses.replace(made, matches=lambda value: isinstance(value, mine))


class FrameTransformer(DatasetTransformer):
    """One type of data frame, with its encoders and decoders; a subclass names its `python_type`.

    Args:
        handlers: Its encoders and decoders; the first one's format is the default.
        renderer: Makes its preview.
    """

    def __init__(self, handlers: Iterable[Handler] = (), renderer: Renderer | None = None) -> None:
        super().__init__()
        self.handlers = Handlers(self.python_type)
        self.renderer = renderer
        for handler in handlers:
            self.handlers.add(handler, default_format=True)

    def check(self, value: Any, t: Any) -> None:
        if not isinstance(value, (self.python_type, StructuredDataset)):
            raise wrong_type(value, t)

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        base = split(t)[0]
        if base is not self.python_type:
            raise UnsupportedType(
                f"{type_name(base)} would come back as {type_name(self.python_type)}",
                fix=f"declare {type_name(self.python_type)}, or register an Encoder and a Decoder for it",
            )
        return super().literal_type(t, types)

    async def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        stored = _message(lit, t)
        return await _decode(self.python_type, stored, _wanted(stored, dataset_type(t)), at, pieces=False)

    def guess(self, lt: LiteralType, types: Types) -> Any:
        return None

    def preview(self, value: Any) -> str:
        if isinstance(value, StructuredDataset):
            return super().preview(value)
        return self.renderer.to_html(value) if self.renderer else f"<pre>{html.escape(repr(value))}</pre>"


def register(
    handler: Handler,
    *,
    default_format: bool = False,
    default_protocol: bool = False,
    override: bool = False,
    into: registry.Registry = registry.default,
) -> None:
    """Use an encoder or decoder from now on; a new type of frame becomes a declared type by its first handler.

    Args:
        handler: Looked up by its `python_type`, `protocol` and `format`.
        default_format: Its format is written when nobody names one.
        default_protocol: Its protocol is used when nobody names a URI.
        override: Replace the handler, and the defaults, that are there.
        into: The registry of types.

    Raises:
        UnsupportedType: there is one already, and `override` is False.
    """
    family = _own_family(into, handler.python_type)
    family.handlers.add(handler, default_format=default_format, default_protocol=default_protocol, override=override)


def register_renderer(python_type: Any, renderer: Renderer, *, into: registry.Registry = registry.default) -> None:
    """Show data frames of this type with `renderer`."""
    _own_family(into, python_type).renderer = renderer


def table_html(columns: Sequence[str], rows: Iterable[Sequence[Any]], of: str) -> str:
    """An HTML table of the first rows of a frame, escaped; `of` says how large the whole is."""
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"{table}<p>{html.escape(of)}</p>"


async def _stored(
    dataset: StructuredDataset, declared: StructuredDatasetType, at: Place, *, upload: bool = True
) -> DatasetMessage:
    """The message of a data set, written now unless it is stored already; `upload`: local files go to the store."""
    if dataset.literal is not None:
        return dataset.literal
    kind = StructuredDatasetType()
    kind.CopyFrom(declared)
    kind.format = declared.format or dataset.file_format
    if dataset.dataframe is not None:
        return await _encode(dataset, kind, at)
    if not dataset.uri:
        raise ConversionError(
            "a StructuredDataset with neither a dataframe nor a uri", fix="pass StructuredDataset(dataframe=...)"
        )
    uri = dataset.uri
    if "://" not in uri:
        path = _existing(uri)
        uri = at.new_uri(f"/{path.name}") if upload else str(path.absolute())
        if upload:
            await at.objects.upload(path, uri)
    return DatasetMessage(uri=uri, metadata=StructuredDatasetMetadata(structured_dataset_type=kind))


def _existing(uri: str) -> Path:
    path = Path(uri)
    if not path.exists():
        raise ConversionError(f"there is no table {uri!r}", where=str(path.absolute()), fix=_GONE)
    return path


async def _encode(dataset: StructuredDataset, kind: StructuredDatasetType, at: Place) -> DatasetMessage:
    handlers = _family(at.types, type(dataset.dataframe)).handlers
    uri = dataset.uri or at.new_uri()
    protocol = handlers.default_protocol or uris.scheme(uri)
    encoder = handlers.encoder(protocol, kind.format)
    made = encoder.encode(dataset.dataframe, uri, kind, at)
    uri = await made if inspect.isawaitable(made) else made
    kind.format = encoder.format
    return DatasetMessage(uri=uri, metadata=StructuredDatasetMetadata(structured_dataset_type=kind))


async def _decode(
    frame_type: Any, stored: DatasetMessage, wanted: StructuredDatasetType, at: Place, *, pieces: bool
) -> Any:
    handlers = _family(at.types, frame_type).handlers
    decoder = handlers.decoder(uris.scheme(stored.uri), _format_of(stored, handlers))
    try:
        if pieces and (made := decoder.pieces(stored, wanted, at)) is not None:
            return await made if inspect.isawaitable(made) else made
        made = decoder.decode(stored, wanted, at)
        frame = await made if inspect.isawaitable(made) else made
    except ObjectNotFound as exc:
        raise ConversionError(f"the table at {stored.uri} is gone", where=stored.uri, fix=_GONE) from exc
    if pieces:
        return frame if isinstance(frame, Iterator) else iter([frame])
    if isinstance(frame, Iterator):
        raise ConversionError(
            f"{type(decoder).__name__} reads {type_name(frame_type)} in pieces only",
            where=stored.uri,
            fix=f"declare StructuredDataset, and use .open({frame_type.__name__}).iter()",
        )
    return frame


def _format_of(stored: DatasetMessage, handlers: Handlers) -> str:
    """The format as written; of a URI that nobody wrote, what its name says."""
    suffix = uris.name(stored.uri).rpartition(".")[2].lower()
    return stored.metadata.structured_dataset_type.format or (suffix if suffix in handlers.formats() else "")


def _message(lit: Literal, t: Any) -> DatasetMessage:
    """A dataset literal's message; also of an old schema literal, and of an attribute of a dataclass."""
    made = DatasetMessage()
    match lits.kind(lit):
        case "structured_dataset":
            return lit.scalar.structured_dataset
        case "schema":
            made.uri = lit.scalar.schema.uri
            kind = StructuredDatasetType(columns=columns_of_schema(lit.scalar.schema.type), format=PARQUET)
            made.metadata.structured_dataset_type.CopyFrom(kind)
            return made
        case "binary":
            packed = msgpack.unpackb(lit.scalar.binary.value)
        case "generic":
            packed = dict(lit.scalar.generic.items())
        case other:
            raise ConversionError(f"expected a table for {type_name(t)}, got the literal {other or 'nothing'}")
    if not isinstance(packed, dict) or not isinstance(packed.get("uri"), str):
        raise ConversionError(f"expected {{'uri': ..., 'file_format': ...}} for {type_name(t)}, got {packed!r}")
    made.uri = packed["uri"]
    made.metadata.structured_dataset_type.format = packed.get("file_format") or ""
    return made


def _wanted(stored: DatasetMessage, declared: StructuredDatasetType) -> StructuredDatasetType:
    """What was written, but with the columns that the reader declares, if it declares any."""
    wanted = StructuredDatasetType()
    wanted.CopyFrom(stored.metadata.structured_dataset_type)
    if declared.columns:
        del wanted.columns[:]
        wanted.columns.extend(declared.columns)
    return wanted


def _family(types: Types, frame_type: Any) -> FrameTransformer:
    """The family of a class of frames, or of the nearest base class that has one (Pandera's frames are pandas')."""
    known = cast(registry.Registry, types)
    for base in getattr(frame_type, "__mro__", (frame_type,))[:-1]:
        found = _beside(known).get(base) or known.transformer(base)
        if isinstance(found, FrameTransformer):
            return found
    raise UnsupportedType(f"{type_name(frame_type)} is no data frame", fix="register an Encoder and a Decoder for it")


def _own_family(types: registry.Registry, frame_type: Any) -> FrameTransformer:
    """The family of just this type, made if there is none."""
    try:
        found = _beside(types).get(frame_type) or types.transformer(frame_type)
    except UnsupportedType:
        found = None
    if isinstance(found, FrameTransformer) and found.python_type is frame_type:
        return found
    made: FrameTransformer = type(
        f"{frame_type.__name__}Transformer", (FrameTransformer,), {"python_type": frame_type}
    )()
    if found is None or found.python_type is not frame_type:
        types.register(made)
    else:
        _beside(types)[frame_type] = made
    return made


def _beside(types: registry.Registry) -> dict[Any, FrameTransformer]:
    mine = types.transformer(StructuredDataset)
    return mine.beside if isinstance(mine, DatasetTransformer) else {}


def _anywhere() -> Place:
    """A place for a data set that is opened where it was made, in the workspace of the running code."""
    here = workspace()
    return Place(here.objects, here.prefix, registry.default, lambda: uuid.uuid4().hex)


transformers: list[TypeTransformer[Any]] = [DatasetTransformer()]
