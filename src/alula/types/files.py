"""`File` and `File["csv"]`: one file, wherever it is stored, fetched when somebody opens it."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Self, cast, get_args, get_origin
from typing import Literal as OneOf

import msgpack

from alula._kits import bridge
from alula.data import uris
from alula.data.objects import ObjectStore
from alula.data.workspace import workspace
from alula.errors import ConversionError, DataError, UnsupportedType
from alula.idl import BlobType, Literal, LiteralType
from alula.idl import literals as lits
from alula.types.blob import model_field, uri_of
from alula.types.transformer import Converter, Place, Types, TypeTransformer, split, type_name, wrong_type

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    F = TypeVar("F", bound=str, default=str)
else:
    from typing import TypeVar

    F = TypeVar("F", bound=str)

PathLike = str | os.PathLike[str]


class Stored(os.PathLike[str], Generic[F]):
    """A path or URI, and a local copy that is fetched at first use. `File` and `Directory` are its two kinds.

    `path` and `os.fspath` give a path on this machine. For what is stored elsewhere that is a private copy: writing
    to it changes nothing but the copy.
    """

    _parent: ClassVar[Any] = None
    _extension: ClassVar[str] = ""
    __slots__ = ("_fetching", "_local", "_objects", "metadata", "remote_path", "source", "uri")

    source: str
    """The path or URI as it was given."""
    uri: str | None
    """Where it is stored; None for a local path that no task has returned yet."""
    remote_path: str | OneOf[False] | None
    """Where to upload it to when a task returns it; None: a fresh place; False: nowhere, the path itself travels."""
    metadata: dict[str, str] | None
    """Free words that travel with it."""

    def __init__(
        self,
        path: PathLike,
        *,
        remote_path: PathLike | OneOf[False] | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        if isinstance(path, Stored):
            self.source, self.uri = path.source, path.uri
        else:
            self.source = os.fspath(path)
            self.uri = self.source if is_uri(self.source) else None
        self.remote_path = remote_path if remote_path is None or remote_path is False else os.fspath(remote_path)
        self.metadata = metadata
        self._local = None if self.uri else self.source
        self._objects: ObjectStore | None = None
        self._fetching = threading.Lock()

    @classmethod
    def from_source(
        cls, uri: PathLike, *, objects: ObjectStore | None = None, metadata: dict[str, str] | None = None
    ) -> Self:
        """What is stored at `uri` already (a plain path counts as well): never uploaded, copied when used by path."""
        made = cls(uri, metadata=metadata)
        made.uri, made._local, made._objects = made.source, None, objects
        return made

    @classmethod
    def extension(cls) -> str:
        """The declared format: `csv` for `File["csv"]`, empty for a plain `File`."""
        return cls._extension

    def __class_getitem__(cls, item: Any) -> Any:
        if item is F or item is str:  # type: ignore[misc]  # `class File(Stored[F])`, and the default of F
            return cls
        return specific(cls._parent or cls, _extension_of(item))

    @property
    def path(self) -> str:
        """A path on this machine, where the content is; fetched at first use.

        Raises:
            ObjectNotFound: it is gone from its store.
            DataError: the store did not answer.
        """
        if self._local is None:
            with self._fetching:
                if self._local is None:
                    self._local = self._fetch()
        return self._local

    def download(self) -> str:
        """Fetch now, rather than at first use; the local path."""
        return self.path

    @property
    def downloaded(self) -> bool:
        """Whether the content is on this machine."""
        return self._local is not None

    @property
    def remote_source(self) -> str | None:
        """Another name of `uri`."""
        return self.uri

    @property
    def objects(self) -> ObjectStore:
        """The store that holds it."""
        return self._objects or workspace().objects

    def _fetch(self) -> str:
        assert self.uri is not None
        target = workspace().new_path(uris.name(self.uri))
        bridge.run(self.objects.download(self.uri, target))
        return str(target)

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Stored):
            return (
                (self._parent or type(self)) is (other._parent or type(other))
                and self.source == other.source
                and self.remote_path == other.remote_path
                and self.extension() == other.extension()
            )
        return self.source == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.source)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return model_field(cls._schema_name(), cls._schema_fields(), cls._of_field, cls._as_field, handler)

    @classmethod
    def _schema_name(cls) -> str:
        """What flytekit calls the class in JSON schemas, from which types are guessed."""
        raise NotImplementedError

    @classmethod
    def _schema_fields(cls) -> dict[str, tuple[Any, Any]]:
        return {"path": (PathLike, None)}

    @classmethod
    def _of_field(cls, given: Any) -> Self:
        if isinstance(given, cls._parent or cls):
            return given  # of any extension
        if isinstance(given, Stored):
            raise TypeError(given)
        if isinstance(given, Mapping):
            return cls(given["path"], metadata=given.get("metadata"))
        return cls(given)

    def _as_field(self) -> dict[str, Any]:
        return {"path": self.source}

    def __reduce__(self) -> tuple[Any, ...]:
        state = (self.source, self.uri, self.remote_path, self.metadata)
        return _restore, (self._parent or type(self), self._extension, state)


class File(Stored[F]):
    """One file, wherever it is stored: `File("out.csv")`, `File("s3://bucket/in.csv")`.

    `File["csv"]` (or `File[Literal["csv"]]`, which type checkers understand) declares the format. A local file that a
    task returns is uploaded; one that is stored already travels as its URI. `open(file)` fetches a private copy;
    `file.open()` streams.

    Args:
        path: A local path, or a URI of what is stored already.
        remote_path: Upload to this URI instead of a fresh place; False: do not upload, hand the path on as it is.
        metadata: Free words that travel with it.
    """

    __slots__ = ()

    @classmethod
    def _schema_name(cls) -> str:
        return "_SpecificFormatClass" if cls._extension else "FlyteFile"

    @classmethod
    def _schema_fields(cls) -> dict[str, tuple[Any, Any]]:
        return {**super()._schema_fields(), "metadata": (dict[str, str] | None, None)}

    def _as_field(self) -> dict[str, Any]:
        return {**super()._as_field(), **({"metadata": self.metadata} if self.metadata else {})}

    @classmethod
    def new(cls, name: PathLike) -> Self:
        """A local file that you are going to write, in a fresh directory.

        Raises:
            DataError: `name` is absolute.
        """
        if os.path.isabs(name):
            raise DataError(f"{os.fspath(name)!r} is absolute", fix="give a relative name, or use File(path)")
        path = workspace().new_path(os.fspath(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(path)

    @classmethod
    def new_remote_file(cls, name: str | None = None) -> Self:
        """A file that you are going to write with `open("w")`, straight into the store."""
        return cls.from_source(workspace().new_uri(name or ""))

    @contextmanager
    def open(self, mode: str = "r", *, encoding: str | None = None, newline: str | None = None) -> Iterator[IO[Any]]:
        """A stream: what is stored elsewhere is read block by block, with no copy, and written whole when closed.

        If the block that writes raises, nothing is stored.

        Raises:
            ObjectNotFound: nothing is stored there.
            DataError: the mode wants to change what is stored (`a`, `r+`), which no object store can.
        """
        reads = mode.strip("bt") == "r"
        if self.uri is None or (reads and self._local):
            if "r" not in mode:
                Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, mode, encoding=encoding, newline=newline) as stream:
                yield stream
        elif reads:
            raw = bridge.run(self.objects.open_reader(self.uri))
            with raw if "b" in mode else io.TextIOWrapper(raw, encoding, newline=newline) as stream:
                yield stream
        elif "+" in mode or "a" in mode:
            raise DataError(
                f"{self!r} cannot be opened with mode {mode!r}",
                fix="open(file, ...) changes a private copy, which you can return as a new File",
            )
        else:
            with bridge.run(self.objects.open_writer(self.uri)) as out:
                if "b" in mode:
                    yield out
                else:
                    text = io.TextIOWrapper(out, encoding, newline=newline)
                    try:
                        yield text
                    finally:
                        text.detach()  # else it would publish what a failed block has written
            self._local = None


class FileTransformer(TypeTransformer[File]):
    """`File`, and the standard library's paths, as a blob of one part.

    `pathlib.Path` is uploaded and fetched at once. `os.PathLike` is never uploaded: the path itself travels.
    """

    python_type = File
    more_types = (os.PathLike, Path)
    name = "FlyteFilePath"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(blob=BlobType(format=format_of(t), dimensionality=BlobType.SINGLE))

    def check(self, value: Any, t: Any) -> None:
        if not isinstance(value, str | os.PathLike) or (isinstance(value, Stored) and not isinstance(value, File)):
            raise wrong_type(value, t)

    async def to_literal(self, value: Any, t: Any, at: Place) -> Literal:
        file = value if isinstance(value, File) else File(value)
        uri = file.uri or await self._put(file, t, at)
        lit = lits.blob(uri, format=format_of(t))
        if file.metadata:
            lit.metadata.update(file.metadata)
        return lit

    async def _put(self, file: File, t: Any, at: Place) -> str:
        path = existing(file, Path.is_file)
        if file.remote_path is False or split(t)[0] is os.PathLike:
            return str(path.absolute())
        uri = file.remote_path or at.new_uri(f"/{path.name}")
        await at.objects.upload(path, uri)
        return uri

    async def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        uri, metadata = stored_at(lit, t)
        still_there(uri, at, Path.is_file)
        base = split(t)[0]
        if isinstance(base, type) and issubclass(base, Path):
            copy = workspace().new_path(uris.name(uri))
            await at.objects.download(uri, copy)
            return base(copy)
        kind = base if isinstance(base, type) and issubclass(base, File) else File
        return kind.from_source(uri, objects=at.objects, metadata=metadata)

    def guess(self, lt: LiteralType, types: Types) -> Any:
        if not lt.HasField("blob") or lt.blob.dimensionality != BlobType.SINGLE or lt.HasField("metadata"):
            return None  # those with metadata are pickles and JSON lines
        return specific(File, lt.blob.format)

    def converter(self, t: Any, types: Types) -> Converter:
        made = super().converter(t, types)
        return made if split(t)[0] in self.more_types else with_match(made, File)


def existing(value: Stored, holds: Callable[[Path], bool]) -> Path:
    """The local path of a value that is about to be stored.

    Raises:
        ConversionError: nothing is there, or a directory where a file is wanted, or the other way round.
    """
    path = Path(value.source)
    if holds(path):
        return path
    wanted, other = ("file", "Directory") if isinstance(value, File) else ("directory", "File")
    if path.exists():
        raise ConversionError(f"{value.source!r} is not a {wanted}", where=str(path.absolute()), fix=f"declare {other}")
    raise ConversionError(
        f"there is no {wanted} {value.source!r}",
        where=str(path.absolute()),
        fix="write it before you return or pass it",
    )


def still_there(uri: str, at: Place, holds: Callable[[Path], bool]) -> None:
    """Raise ConversionError when `uri` is on this machine, and nothing of the right kind is there any more."""
    path = at.objects.local_path(uri)
    if path is not None and not holds(path):
        raise ConversionError(f"nothing is stored at {uri!r}", where=uri, fix="run the task that made it again")


def with_match(made: Converter, kind: type) -> Converter:
    """`made`, which knows that instances of `kind` are certainly its own."""
    return replace(made, matches=lambda value: isinstance(value, kind))


def stored_at(lit: Literal, t: Any, *, multipart: bool = False) -> tuple[str, dict[str, str] | None]:
    """URI and metadata of a blob, whether it is one or an attribute of a dataclass, which holds `{"path": uri}`.

    Raises:
        ConversionError: it is neither.
    """
    kind = lits.kind(lit)
    if kind not in ("binary", "generic"):
        return uri_of(lit, t, multipart=multipart), dict(lit.metadata) or None
    packed = msgpack.unpackb(lit.scalar.binary.value) if kind == "binary" else lit.scalar.generic
    try:
        return str(packed["path"]), dict(cast(Any, packed["metadata"])) if "metadata" in packed else None
    except (KeyError, TypeError, ValueError) as exc:
        raise ConversionError(f"expected {{'path': uri}} for {type_name(t)}, got {packed!r}") from exc


def format_of(t: Any) -> str:
    """The extension that a declared type carries."""
    base = split(t)[0]
    return base.extension() if isinstance(base, type) and issubclass(base, Stored) else ""


def is_uri(path: str) -> bool:
    return "://" in path


@cache
def specific(base: Any, extension: str) -> Any:
    """`File["csv"]` for `File` and `csv`; the same class each time."""
    if not extension:
        return base
    shown = f"{base.__name__}[{extension!r}]"
    body = {"__slots__": (), "__module__": base.__module__, "_parent": base, "_extension": extension}
    return type(base)(shown, (base,), body)


def _extension_of(item: Any) -> str:
    """`csv` from `"csv"`, `".csv"`, `Literal["csv"]`, `Annotated[str, "csv"]` or a type variable of that name."""
    if get_origin(item) is OneOf:
        [item, *more] = get_args(item)
        if more:
            raise UnsupportedType(f"a file has one format, not {[item, *more]}", fix="name one, or none")
    elif get_origin(item) is Annotated:
        item = item.__metadata__[0]
    return str(item).strip().lstrip("~.")


def _restore(base: Any, extension: str, state: tuple[Any, ...]) -> Any:
    source, uri, remote_path, metadata = state
    made = specific(base, extension)(source, remote_path=remote_path, metadata=metadata)
    made.uri = uri
    made._local = None if uri else source
    return made


transformers: list[TypeTransformer[Any]] = [FileTransformer()]

CSVFile = File[OneOf["csv"]]
HDF5File = HDF5EncodedFile = File[OneOf["hdf5"]]
HTMLPage = File[OneOf["html"]]
JoblibSerializedFile = File[OneOf["joblib"]]
JPEGImageFile = File[OneOf["jpeg"]]
JSONLFile = File[OneOf["jsonl"]]
ONNXFile = File[OneOf["onnx"]]
PDFFile = File[OneOf["pdf"]]
PNGImageFile = File[OneOf["png"]]
PythonNotebook = File[OneOf["ipynb"]]
PythonPickledFile = File[OneOf["python_pickle"]]
SVGImageFile = File[OneOf["svg"]]
TFRecordFile = File[OneOf["tfrecord"]]
