"""`Directory` and `Directory["csv"]`: many files under one prefix, listed without fetching them."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar
from typing import Literal as OneOf

from alula._kits import bridge
from alula.data.workspace import workspace
from alula.errors import DataError
from alula.idl import BlobType, Literal, LiteralType
from alula.idl import literals as lits
from alula.types.files import (
    F,
    File,
    PathLike,
    Stored,
    existing,
    format_of,
    specific,
    still_there,
    stored_at,
    with_match,
)
from alula.types.transformer import Converter, Place, Types, TypeTransformer, split, wrong_type

S = TypeVar("S", bound=Stored[Any])


class Directory(Stored[F]):
    """A directory, wherever it is stored: `Directory("out")`, `Directory("s3://bucket/images")`.

    `Directory["png"]` declares the format of its files. A local directory that a task returns is uploaded whole; one
    that is stored already travels as its URI. Listing never fetches; `os.listdir(directory)` and `directory.path`
    fetch all of it.

    Args:
        path: A local path, or a URI of what is stored already.
        remote_path: Upload to this URI instead of a fresh place; False: do not upload, hand the path on as it is.
        metadata: Free words that travel with it.
    """

    __slots__ = ()

    @classmethod
    def _schema_name(cls) -> str:
        return "_SpecificFormatDirectoryClass" if cls._extension else "FlyteDirectory"

    @classmethod
    def new(cls, name: PathLike) -> Self:
        """An empty local directory that you are going to fill.

        Raises:
            DataError: `name` is absolute.
        """
        if os.path.isabs(name):
            raise DataError(f"{os.fspath(name)!r} is absolute", fix="give a relative name, or use Directory(path)")
        path = workspace().new_path(os.fspath(name))
        path.mkdir(parents=True)
        return cls(path)

    @classmethod
    def new_remote(cls, stem: str | None = None) -> Self:
        """A directory that you are going to fill with `new_file(name).open("w")`, straight into the store."""
        return cls.from_source(workspace().new_uri(stem or ""))

    def new_file(self, name: str | None = None) -> File:
        """A file in this directory that you are going to write."""
        return self._child(File, name or uuid.uuid4().hex)

    def new_dir(self, name: str | None = None) -> Directory:
        """A directory in this one that you are going to fill."""
        return self._child(Directory, name or uuid.uuid4().hex)

    def iterdir(self) -> Iterator[File | Directory]:
        """The files and directories in this one, by name, without fetching them."""
        seen: set[str] = set()
        for name in self._names():
            first, below, _ = name.partition("/")
            if first not in seen:
                seen.add(first)
                yield self._child(Directory, first) if below else self._child(File, first)

    def listdir(self) -> list[File | Directory]:
        """The files and directories in this one, by name, without fetching them."""
        return list(self.iterdir())

    def walk(self) -> Iterator[tuple[str, list[str], list[str]]]:
        """Like `os.walk`, from the top, without fetching: directory, names of directories, names of files."""
        tree: dict[str, tuple[list[str], list[str]]] = {"": ([], [])}
        for name in self._names():
            parent, _, last = name.rpartition("/")
            self._grow(tree, parent)[1].append(last)
        pending = [""]
        while pending:
            at = pending.pop()
            directories, files = tree[at]
            yield self._join(at) if at else self._root, directories, files
            pending += [f"{at}/{name}" if at else name for name in reversed(directories)]

    def crawl(self, maxdepth: int | None = None) -> Iterator[tuple[str, str]]:
        """Every file below, as this directory and the file's path within it; `maxdepth` 1 is its own files only."""
        for name in self._names():
            if maxdepth is None or name.count("/") < maxdepth:
                yield self._root, name

    def __truediv__(self, name: PathLike) -> Path:
        """A path inside the local copy."""
        return Path(self.path) / name

    @property
    def _root(self) -> str:
        return (self.uri or self.source).rstrip("/")

    def _join(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _child(self, kind: type[S], name: str) -> S:
        if self.uri is None:
            return kind(self._join(name))
        return kind.from_source(self._join(name), objects=self._objects)

    def _names(self) -> list[str]:
        """The paths of all files below, relative to this directory, in order."""
        if self.uri is None:
            found = (os.path.join(at, name) for at, _, names in os.walk(self.source) for name in names)
            return sorted(Path(os.path.relpath(path, self.source)).as_posix() for path in found)
        skip = len(self._root) + 1
        return [uri[skip:] for uri in bridge.run(_all(self.objects.list(self._root)))]

    @classmethod
    def _grow(cls, tree: dict[str, tuple[list[str], list[str]]], at: str) -> tuple[list[str], list[str]]:
        if at not in tree:
            parent, _, last = at.rpartition("/")
            cls._grow(tree, parent)[0].append(last)
            tree[at] = ([], [])
        return tree[at]


class DirectoryTransformer(TypeTransformer[Directory]):
    """`Directory` as a blob of many parts."""

    python_type = Directory
    name = "FlyteDirectory"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(blob=BlobType(format=format_of(t), dimensionality=BlobType.MULTIPART))

    def check(self, value: Any, t: Any) -> None:
        if not isinstance(value, str | os.PathLike) or isinstance(value, File):
            raise wrong_type(value, t)

    async def to_literal(self, value: Any, t: Any, at: Place) -> Literal:
        directory = value if isinstance(value, Directory) else Directory(value)
        uri = directory.uri or await self._put(directory, at)
        lit = lits.blob(uri, format=format_of(t), multipart=True)
        if directory.metadata:
            lit.metadata.update(directory.metadata)
        return lit

    async def _put(self, directory: Directory, at: Place) -> str:
        path = existing(directory, Path.is_dir)
        if directory.remote_path is False:
            return str(path.absolute())
        uri = directory.remote_path or at.new_uri()
        await at.objects.upload(path, uri)
        return uri

    async def to_python(self, lit: Literal, t: Any, at: Place) -> Directory:
        uri, metadata = stored_at(lit, t, multipart=True)
        still_there(uri, at, Path.is_dir)
        kind: type[Directory] = split(t)[0]
        return kind.from_source(uri, objects=at.objects, metadata=metadata)

    def guess(self, lt: LiteralType, types: Types) -> Any:
        if not lt.HasField("blob") or lt.blob.dimensionality != BlobType.MULTIPART:
            return None
        return specific(Directory, lt.blob.format)

    def converter(self, t: Any, types: Types) -> Converter:
        return with_match(super().converter(t, types), Directory)


async def _all(uris: AsyncIterator[str]) -> list[str]:
    return [uri async for uri in uris]


transformers: list[TypeTransformer[Any]] = [DirectoryTransformer()]

TensorboardLogs = Directory[OneOf["tensorboard"]]
TFRecordsDirectory = Directory[OneOf["tfrecords_dir"]]
