"""What cached values are kept under, and the files they refer to: their content, and whether it is the same still."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from alula.data import uris
from alula.data.local import hollow, path_of, tree
from alula.idl import Literal, LiteralMap, TypedInterface
from alula.idl.literals import digest
from alula.idl.packing import MSGPACK, packed, unpacked

Stamp = list[list[str | int]]
"""Each file below a path: relative name, size, time of the last change in nanoseconds."""


def key(
    task: str,
    version: str,
    interface: TypedInterface,
    inputs: LiteralMap,
    *,
    ignored: Iterable[str] = (),
    produced_below: str = "",
) -> str:
    """What one result is kept under: changes with the task, its version, its types, and its inputs.

    Descriptions and ignored inputs do not matter. Of local files the content counts, not the name; reading them blocks.

    Args:
        task: The task's full name.
        version: What its author changes when the outputs for the same inputs change.
        interface: Its types.
        inputs: Left as they are.
        ignored: Names of inputs that do not matter.
        produced_below: The prefix of files that runs themselves made, whose names mean nothing.
    """
    counted = LiteralMap()
    counted.CopyFrom(inputs)
    for name in ignored:
        counted.literals.pop(name, None)
    rewrite(counted.literals.values(), content_or_name, below=produced_below)
    types = TypedInterface()
    types.CopyFrom(interface)
    for variables in (types.inputs.variables, types.outputs.variables):
        for variable in variables.values():
            variable.description = ""
    shape = hashlib.sha256(types.SerializeToString(deterministic=True)).hexdigest()
    return hashlib.sha256("\0".join([task, version, shape, digest(counted)]).encode()).hexdigest()


def uris_in(values: Iterable[Literal], *, below: str) -> list[str]:
    """Every URI in the literals, in their order; in plain data those below the prefix `below`."""
    found: list[str] = []

    def note(uri: str) -> str:
        found.append(uri)
        return uri

    rewrite(values, note, below=below)
    return found


def local_path(uri: str) -> Path | None:
    """The path behind a URI of a file or directory of this machine."""
    return path_of(uri) if uris.scheme(uri) == "file" and uris.rest(uri).startswith("/") else None


def rewrite(values: Iterable[Literal], change: Callable[[str], str], *, below: str) -> None:
    """Put `change(uri)` for every URI in the literals, in place.

    In plain data (dataclasses and the like) a URI is a string like any other, so only those below the prefix `below`
    are taken for one: nobody but us makes such names.
    """
    for lit in values:
        match lit.WhichOneof("value"):
            case "collection":
                rewrite(lit.collection.literals, change, below=below)
            case "map":
                rewrite(lit.map.literals.values(), change, below=below)
            case "scalar":
                _rewrite_scalar(lit, change, below)


def content_or_name(uri: str) -> str:
    """What stands for a URI in a cache key: of local files the content, of all others the name."""
    path = local_path(uri)
    return f"content:{content(path)}" if path is not None and os.path.exists(path) else uri


def content(path: Path) -> str:
    """A hash of a file, or of all files and empty directories below a directory with their relative names."""
    if path.is_dir():
        parts = [f"{name}\0{content(path / name)}" for name in tree(path)]
        parts += [f"{name}/" for name in hollow(path) if name]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()
    here = path.stat()
    return _content_of_file(str(path), here.st_ino, here.st_size, here.st_mtime_ns)


def stamp(path: Path) -> Stamp | None:
    """What shows whether files have changed, without reading them; None if there is nothing."""
    try:
        names = tree(path) if path.is_dir() else [""]
        found = [(name, (path / name).stat()) for name in names]
    except OSError:
        return None
    return [[name, here.st_size, here.st_mtime_ns] for name, here in found]


def size(stamped: Stamp) -> int:
    return sum(int(each[1]) for each in stamped)


def copy(source: Path, target: Path) -> None:
    """Copy a file or a directory to a path where nothing is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def _rewrite_scalar(lit: Literal, change: Callable[[str], str], below: str) -> None:
    match lit.scalar.WhichOneof("value"):
        case "union":
            rewrite([lit.scalar.union.value], change, below=below)
        case "blob":
            lit.scalar.blob.uri = change(lit.scalar.blob.uri)
        case "schema":
            lit.scalar.schema.uri = change(lit.scalar.schema.uri)
        case "structured_dataset":
            lit.scalar.structured_dataset.uri = change(lit.scalar.structured_dataset.uri)
        case "binary" if below and lit.scalar.binary.tag == MSGPACK:
            _rewrite_plain(lit, change, uris.base(below))


def _rewrite_plain(lit: Literal, change: Callable[[str], str], start: str) -> None:
    if start.encode() not in lit.scalar.binary.value:
        return

    def walked(value: Any) -> Any:
        if isinstance(value, str):
            return change(value) if value.startswith(start) else value
        if isinstance(value, list):
            return [walked(each) for each in value]
        if isinstance(value, dict):
            return {walked(key): walked(each) for key, each in value.items()}
        return value

    lit.scalar.CopyFrom(packed(walked(unpacked(lit))).scalar)


@lru_cache(maxsize=1024)
def _content_of_file(path: str, inode: int, size: int, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
