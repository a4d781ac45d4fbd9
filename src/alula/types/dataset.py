"""The contract of data frames: how one kind is written to, and read from, one format on one kind of storage.

    class ToFeather(FileEncoder[pa.Table]):
        python_type = pa.Table
        format = "feather"

        def write(self, frame, path):
            feather.write_feather(frame, path)

    class FromFeather(FileDecoder[pa.Table]):
        python_type = pa.Table
        format = "feather"

        def read(self, path, columns):
            return feather.read_table(path, columns)

and register both with `alula.types.tabular.register`. A storage that holds no files (a warehouse) subclasses `Encoder`
and `Decoder`, and names its `protocol`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from alula.data import uris
from alula.data.workspace import fetch, read_file, write_file
from alula.errors import ConversionError, UnsupportedType
from alula.idl import StructuredDataset as DatasetMessage
from alula.idl import StructuredDatasetType
from alula.types.transformer import Place, type_name

D = TypeVar("D")
H = TypeVar("H", bound="Handler")

PARQUET = "parquet"
CSV = "csv"
ANY = ""
"""In place of a format or protocol: all of them."""


class Handler(ABC):
    """What an encoder and a decoder have in common: what they are looked up by."""

    python_type: ClassVar[Any]
    format: ClassVar[str] = ANY
    """`parquet`, `csv`, ...; empty: any, and then the data set carries no format."""
    protocol: ClassVar[str] = ANY
    """The scheme of the URIs (`s3`, `bq`); empty: every storage that the object store serves."""


class Encoder(Handler, Generic[D]):
    """Writes one kind of data frame, in one format, to one kind of storage."""

    @abstractmethod
    def encode(self, frame: D, uri: str, kind: StructuredDatasetType, at: Place) -> str | Awaitable[str]:
        """Write `frame` and return the URI where it lives now: `uri`, unless this storage names things itself.

        Args:
            frame: Must not be changed.
            uri: What the user asked for, or a fresh one; overwrite what is there.
            kind: The type that the data set will carry; refine it in place if you know better. Its format is set
                to this encoder's afterwards.
            at: The store to write to.

        Raises:
            ConversionError: this frame cannot be written in this format.
        """


class Decoder(Handler, Generic[D]):
    """Reads one kind of data frame from one format on one kind of storage."""

    @abstractmethod
    def decode(
        self, stored: DatasetMessage, wanted: StructuredDatasetType, at: Place
    ) -> D | Iterator[D] | Awaitable[D | Iterator[D]]:
        """The data frame, or an iterator over its pieces for what is too large for memory.

        Args:
            stored: URI, and the type as it was written.
            wanted: The columns that the reader asked for; all of them if there are none.
            at: The store to read from.

        Raises:
            ConversionError: what is there cannot be read as this kind of frame.
        """

    def pieces(self, stored: DatasetMessage, wanted: StructuredDatasetType, at: Place) -> Any:
        """The same as an iterator over pieces, or None: `decode` is all there is. May be awaitable."""
        return None


class FileEncoder(Encoder[D]):
    """An encoder that writes one file."""

    file: ClassVar[str] = "00000"
    """The name of the file in the data set's directory; flytekit's, so that its readers find it."""
    errors: ClassVar[tuple[type[Exception], ...]] = ()
    """What the library raises when a frame does not fit the format; translated into ConversionError."""

    @abstractmethod
    def write(self, frame: D, path: Path) -> None:
        """Write `frame` to the file `path`, which does not exist yet. Runs in a thread."""

    async def encode(self, frame: D, uri: str, kind: StructuredDatasetType, at: Place) -> str:
        try:
            await write_file(at.objects, uris.join(uri, self.file), lambda path: self.write(frame, path))
        except self.errors as exc:
            raise ConversionError(
                f"the {type_name(self.python_type)} cannot be written as {self.format}: {_first_line(exc)}",
                fix="give each column a string for a name, and one type that the format has",
            ) from exc
        return uri


class FileDecoder(Decoder[D]):
    """A decoder that reads a local file, or a directory of them."""

    errors: ClassVar[tuple[type[Exception], ...]] = ()
    """What the library raises when a file is not what it should be; translated into ConversionError."""
    lazy: ClassVar[bool] = False
    """Whether the frame goes on reading the files after `read` has returned."""

    @abstractmethod
    def read(self, path: Path, columns: list[str] | None) -> D:
        """Read the file or directory `path`; `columns` None means all. Runs in a thread; must not write to `path`."""

    def batches(self, path: Path, columns: list[str] | None) -> Iterator[D]:
        """The same in pieces of bounded size; by default in one piece."""
        yield self.read(path, columns)

    async def decode(self, stored: DatasetMessage, wanted: StructuredDatasetType, at: Place) -> D:
        columns = column_names(wanted)
        try:
            if self.lazy:
                return self.read(await fetch(at.objects, stored.uri), columns)
            return await read_file(at.objects, stored.uri, lambda path: self.read(path, columns))
        except ConversionError:
            raise
        except self.errors as exc:
            raise ConversionError(
                f"the table at {stored.uri} cannot be read as {self.format}"
                + (f" with the columns {', '.join(columns)}" if columns else "")
                + f": {_first_line(exc)}",
                where=stored.uri,
                fix="declare the columns and the format that it was written with",
            ) from exc

    async def pieces(self, stored: DatasetMessage, wanted: StructuredDatasetType, at: Place) -> Iterator[D]:
        return self.batches(await fetch(at.objects, stored.uri), column_names(wanted))


class Renderer(Protocol):
    """What shows a data frame in a deck."""

    def to_html(self, frame: Any) -> str: ...


class Handlers:
    """The encoders and decoders of one type of data frame. Append-only but for `override`.

    The order of search, first hit wins, for a protocol and a format:

    1. both match
    2. the protocol matches, for any format; then, if no format is asked for, for the default format
    3. any protocol, the format matches; any protocol, any format; and likewise the default format
    4. the protocol matches, for the default format, or it has only one handler
    5. any protocol, if no format is asked for and there is only one handler
    """

    def __init__(self, python_type: Any) -> None:
        self.python_type = python_type
        self.default_format = ANY
        self.default_protocol = ANY
        self._encoders: dict[tuple[str, str], Encoder[Any]] = {}
        self._decoders: dict[tuple[str, str], Decoder[Any]] = {}

    def add(
        self,
        handler: Handler,
        *,
        default_format: bool = False,
        default_protocol: bool = False,
        override: bool = False,
    ) -> None:
        """Use `handler` from now on; a default that is set already stays, unless `override`.

        Raises:
            UnsupportedType: there is one for this protocol and format already, and `override` is False; or it is
                neither an encoder nor a decoder.
        """
        key = (handler.protocol.removesuffix("://"), handler.format)
        if isinstance(handler, Encoder):
            self._put(self._encoders, key, handler, override)
        elif isinstance(handler, Decoder):
            self._put(self._decoders, key, handler, override)
        else:
            raise UnsupportedType(f"{handler!r} is neither an Encoder nor a Decoder", fix="subclass one of the two")
        if default_format and (override or not self.default_format):
            self.default_format = handler.format
        if default_protocol and (override or not self.default_protocol):
            self.default_protocol = key[0]

    def encoder(self, protocol: str, format: str) -> Encoder[Any]:
        """Raises UnsupportedType when there is none."""
        return self._find(self._encoders, protocol, format, "written to")

    def decoder(self, protocol: str, format: str) -> Decoder[Any]:
        """Raises UnsupportedType when there is none."""
        return self._find(self._decoders, protocol, format, "read from")

    def formats(self) -> set[str]:
        """All formats that can be read."""
        return {format for _, format in self._decoders}

    def _put(self, table: dict[tuple[str, str], H], key: tuple[str, str], handler: H, override: bool) -> None:
        known = table.get(key)
        if known is not None and not override:
            raise UnsupportedType(
                f"{type(known).__name__} handles {type_name(self.python_type)} in {_shown(*key)} already",
                where=f"registration of {type(handler).__name__}",
                fix="pass override=True to replace it",
            )
        table[key] = handler

    def _find(self, table: Mapping[tuple[str, str], H], protocol: str, format: str, act: str) -> H:
        wanted = format or self.default_format
        for key in (
            (protocol, format),
            (protocol, ANY),
            (protocol, wanted),
            (ANY, format),
            (ANY, ANY),
            (ANY, wanted),
            (protocol, self.default_format),
        ):
            if key in table:
                return table[key]
        for of in (protocol, ANY):
            only = [handler for (its, _), handler in table.items() if its == of]
            if len(only) == 1 and (of or not format):
                return only[0]
        known = ", ".join(sorted(_shown(*key) for key in table)) or "nothing"
        raise UnsupportedType(
            f"{type_name(self.python_type)} cannot be {act} {_shown(protocol, format)}",
            where=f"known: {known}",
            fix="name one of the known formats, or register an Encoder and a Decoder",
        )


def data_files(path: Path) -> list[Path]:
    """The files of a table at `path`: itself, or all below a directory but for those that begin with a dot or `_`.

    Raises:
        ConversionError: there are none.
    """
    if not path.is_dir():
        return [path]
    found = sorted(part for part in path.rglob("*") if part.is_file() and not _hidden(part.relative_to(path)))
    if not found:
        raise ConversionError(f"the directory {str(path)!r} holds no table", where=str(path), fix="correct the URI")
    return found


def one_or_all(path: Path) -> Path:
    """The one file of a table, or the directory if there are more; raises like `data_files`."""
    found = data_files(path)
    return path if len(found) > 1 or partitioned(path) else found[0]


def csv_files(path: Path) -> list[Path]:
    """Likewise for csv, whose one file flytekit's writers, and ours, call `.csv`."""
    return [path / ".csv"] if (path / ".csv").exists() else data_files(path)


def partitioned(path: Path) -> bool:
    """Whether directories below `path` are named `column=value`."""
    return any("=" in name for part in data_files(path) for name in part.relative_to(path).parent.parts)


def _hidden(path: Path) -> bool:
    return any(name.startswith((".", "_")) for name in path.parts)


def column_names(kind: StructuredDatasetType) -> list[str] | None:
    """The names of the columns, or None for all of them."""
    return [column.name for column in kind.columns] or None


def _first_line(exc: Exception) -> str:
    return next(iter(str(exc).splitlines()), "") or type(exc).__name__


def _shown(protocol: str, format: str) -> str:
    return f"{format or 'any format'} on {protocol or 'any storage'}"
