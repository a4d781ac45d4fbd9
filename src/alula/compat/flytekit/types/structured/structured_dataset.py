"""`StructuredDataset`, and how programs for flytekit teach it further kinds of data frames."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

from alula._kits import lazy
from alula.compat.adopt import adopted
from alula.compat.declared import show_as
from alula.compat.flytekit.core.context_manager import FlyteContext
from alula.compat.flytekit.core.type_engine import LentTransformer
from alula.compat.flytekit.models import literals
from alula.compat.flytekit.models.literals import StructuredDatasetMetadata
from alula.compat.flytekit.models.types import LiteralType, SimpleType, StructuredDatasetType
from alula.compat.model import message_of
from alula.compat.names import mirror
from alula.errors import UnsupportedType
from alula.idl import StructuredDataset as DatasetMessage
from alula.idl import StructuredDatasetType as TypeMessage
from alula.types import tabular
from alula.types.columns import dataset_type
from alula.types.dataset import CSV, PARQUET, Decoder, Encoder
from alula.types.transformer import Place

numpy = lazy.module("numpy")
T = TypeVar("T")

StructuredDatasetFormat = str
GENERIC_FORMAT = ""
GENERIC_PROTOCOL = "generic protocol"


class StructuredDataset(tabular.StructuredDataset):
    """A table that is stored somewhere, or a data frame that is about to be. See `alula.StructuredDataset`."""

    def __init__(
        self,
        dataframe: Any = None,
        uri: str | None = None,
        metadata: StructuredDatasetMetadata | None = None,
        **kwargs: Any,
    ) -> None:
        kind = metadata.structured_dataset_type if metadata is not None else None
        file_format = kwargs.get("file_format") or (kind.format if kind is not None else "")
        super().__init__(dataframe, uri, file_format=file_format)
        if kind is not None:
            self._wanted = message_of(kind)
        self._opened: Any = None

    @property
    def metadata(self) -> StructuredDatasetMetadata:
        found = TypeMessage()
        if self.literal is not None:
            found.CopyFrom(self.literal.metadata.structured_dataset_type)
        found.MergeFrom(TypeMessage(format=self.file_format))
        if self._wanted.columns:
            del found.columns[:]
            found.columns.extend(self._wanted.columns)
        return StructuredDatasetMetadata(StructuredDatasetType.from_flyte_idl(found))

    def open(self, dataframe_type: type[T]) -> tabular.Opened[T]:
        self._opened = super().open(dataframe_type)
        return self._opened  # type: ignore[no-any-return]

    def all(self) -> Any:
        """The whole table, as the kind of frame that `open` was called with."""
        return self._chosen().all()

    def iter(self) -> Any:
        """The table in pieces."""
        return self._chosen().iter()

    def _chosen(self) -> Any:
        if self._opened is not None:
            return self._opened
        if self.dataframe is not None:
            return self.open(type(self.dataframe))
        raise ValueError("No dataframe type set. Use open() to set the local dataframe type you want to use.")

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        return self._as_field()

    def to_json(self, **kwargs: Any) -> str:
        return json.dumps(self.to_dict())


class StructuredDatasetEncoder(ABC, Generic[T]):
    """Writes one kind of data frame, in one format, to one kind of storage."""

    def __init__(self, python_type: type[T], protocol: str | None = None, supported_format: str | None = None) -> None:
        self._python_type, self._protocol = python_type, protocol.replace("://", "") if protocol else None
        self._supported_format = supported_format or ""

    @property
    def python_type(self) -> type[T]:
        return self._python_type

    @property
    def protocol(self) -> str | None:
        return self._protocol

    @property
    def supported_format(self) -> str:
        return self._supported_format

    @abstractmethod
    def encode(
        self,
        ctx: FlyteContext,
        structured_dataset: StructuredDataset,
        structured_dataset_type: StructuredDatasetType,
    ) -> literals.StructuredDataset:
        """Write the frame in `structured_dataset`, and say where it is. May block."""


class StructuredDatasetDecoder(ABC, Generic[T]):
    """Reads one kind of data frame from one format on one kind of storage."""

    def __init__(
        self,
        python_type: type[T],
        protocol: str | None = None,
        supported_format: str | None = None,
        additional_protocols: list[str] | None = None,
    ) -> None:
        self._python_type, self._protocol = python_type, protocol.replace("://", "") if protocol else None
        self._supported_format = supported_format or ""

    @property
    def python_type(self) -> type[T]:
        return self._python_type

    @property
    def protocol(self) -> str | None:
        return self._protocol

    @property
    def supported_format(self) -> str:
        return self._supported_format

    @abstractmethod
    def decode(
        self,
        ctx: FlyteContext,
        flyte_value: literals.StructuredDataset,
        current_task_metadata: StructuredDatasetMetadata,
    ) -> Any:
        """The data frame, or an iterator over its pieces. May block."""


def get_supported_types() -> dict[Any, LiteralType]:
    """The types of columns, numpy's and Python's, and what they are on the wire."""
    simple = {
        SimpleType.INTEGER: (numpy.int32, numpy.int64, numpy.uint32, numpy.uint64, int),
        SimpleType.FLOAT: (numpy.float32, numpy.float64, float),
        SimpleType.BOOLEAN: (bool, numpy.bool_),
        SimpleType.DATETIME: (numpy.datetime64, datetime),
        SimpleType.DURATION: (numpy.timedelta64, timedelta),
        SimpleType.STRING: (str, numpy.str_, numpy.bytes_, numpy.object_),
    }
    return {t: LiteralType(simple=kind) for kind, types in simple.items() for t in types}


class _Handling:
    """What Alula looks a handler up by."""

    def __init__(self, theirs: Any) -> None:
        self.theirs = theirs
        self.python_type, self.format = theirs.python_type, theirs.supported_format
        self.protocol = "" if theirs.protocol in (None, "fsspec", GENERIC_PROTOCOL) else theirs.protocol


class _BorrowedEncoder(_Handling, Encoder[Any]):
    def encode(self, frame: Any, uri: str, kind: TypeMessage, at: Place) -> str:
        dataset = StructuredDataset(frame, uri)
        stored = self.theirs.encode(FlyteContext.current_context(), dataset, StructuredDatasetType.from_flyte_idl(kind))
        if stored.metadata is not None and stored.metadata.structured_dataset_type is not None:
            kind.CopyFrom(message_of(stored.metadata.structured_dataset_type))
        return str(stored.uri)


class _BorrowedDecoder(_Handling, Decoder[Any]):
    def decode(self, stored: DatasetMessage, wanted: TypeMessage, at: Place) -> Any:
        metadata = StructuredDatasetMetadata(StructuredDatasetType.from_flyte_idl(wanted))
        value = literals.StructuredDataset.from_flyte_idl(stored)
        return self.theirs.decode(FlyteContext.current_context(), value, metadata)


class DuplicateHandlerError(ValueError):
    """There is a handler for this type, protocol and format already."""


class StructuredDatasetTransformerEngine(LentTransformer):
    """Where encoders, decoders and renderers are registered."""

    serves = tabular.StructuredDataset
    Renderers: ClassVar[dict[Any, Any]] = {}
    _registered: ClassVar[set[Any]] = set()

    def get_literal_type(self, t: Any = None) -> LiteralType:
        """The type of a table, whatever kind of frame is declared."""
        return LiteralType(structured_dataset_type=StructuredDatasetType.from_flyte_idl(dataset_type(t)))

    @classmethod
    def register(
        cls,
        h: Any,
        default_for_type: bool = False,
        override: bool = False,
        default_format_for_type: bool = False,
        default_storage_for_type: bool = False,
    ) -> None:
        """Use an encoder or decoder from now on.

        One for any storage that comes second is left out, as flytekit does; but Alula's own, of frames that flytekit
        itself knows nothing of, make way.

        Raises:
            DuplicateHandlerError: there is one for this type, storage and format.
        """
        ours = _BorrowedEncoder(h) if isinstance(h, StructuredDatasetEncoder) else _BorrowedDecoder(h)
        key = (type(ours), ours.python_type, ours.protocol, ours.format)
        first = key not in cls._registered
        cls._registered.add(key)
        theirs_too = getattr(ours.python_type, "__module__", "").partition(".")[0] in ("pandas", "pyarrow")
        try:
            with adopted():
                tabular.register(
                    ours,
                    default_format=default_for_type or default_format_for_type,
                    default_protocol=bool(ours.protocol) and (default_for_type or default_storage_for_type),
                    override=override or (first and not theirs_too),
                )
        except UnsupportedType as exc:
            if ours.protocol:
                raise DuplicateHandlerError(exc.what) from exc

    @classmethod
    def register_for_protocol(cls, h: Any, protocol: str, *flags: bool) -> None:
        h._protocol = protocol
        cls.register(h, *flags)

    @classmethod
    def register_renderer(cls, python_type: Any, renderer: Any) -> None:
        cls.Renderers[python_type] = renderer
        tabular.register_renderer(python_type, renderer)


show_as(tabular.StructuredDataset, StructuredDataset)
__all__ = ["CSV", "PARQUET"]
__getattr__, __dir__ = mirror(__name__, {})
