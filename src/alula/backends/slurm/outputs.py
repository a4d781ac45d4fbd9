"""What a script left in files, as the outputs that its task declares."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alula._kits.aio import to_thread
from alula._kits.units import duration
from alula.data import uris
from alula.data.objects import ObjectStore
from alula.errors import Rejected
from alula.idl import BlobType, Literal, LiteralMap, LiteralType, SimpleType, Struct, literals

_MOST_BYTES = 1 << 20
"""Of a value that is text; larger ones are files."""


async def collected(
    declared: Mapping[str, LiteralType], find: Callable[[str], Path], objects: ObjectStore, raw: str
) -> LiteralMap:
    """The outputs. Files that are not on the file system of the attempt's data go there.

    Args:
        find: Where an output lies, by its name.
        raw: A prefix for files.

    Raises:
        Rejected: One is missing, or is not what was declared; names all of them.
    """
    made, faults = {}, []
    for name, kind in sorted(declared.items()):
        path = find(name)
        try:
            made[name] = await _literal(path, kind, objects, uris.join(raw, name))
        except FileNotFoundError:
            faults.append(f"the script left nothing for output '{name}' at {path}")
        except (ValueError, OSError) as exc:
            faults.append(f"output '{name}': {exc}")
    if faults:
        raise Rejected("; ".join(faults), fix="write each output to {{.outputs.NAME}}", code="USER:MissingOutput")
    return literals.literal_map(made)


async def _literal(path: Path, kind: LiteralType, objects: ObjectStore, uri: str) -> Literal:
    if kind.WhichOneof("type") == "blob":
        multipart = kind.blob.dimensionality == BlobType.MULTIPART
        if stat.S_ISDIR((await to_thread(path.stat)).st_mode) != multipart:
            raise ValueError(f"{path} is to be {'a directory' if multipart else 'a file'}, and is not")
        await objects.upload(path, uri)
        return literals.blob(uri, format=kind.blob.format, multipart=multipart)
    return read(await to_thread(_content, path), kind)


def _content(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"more than {_MOST_BYTES} bytes are no value; declare it as a File")
    return data.decode()


def read(text: str, kind: LiteralType) -> Literal:
    """A value from text. Raises ValueError."""
    if kind.WhichOneof("type") == "union_type":
        for variant in kind.union_type.variants:
            try:
                return literals.union(read(text, variant), variant)
            except ValueError:
                continue
        raise ValueError(f"{text[:80]!r} is of none of the declared types")
    if kind.WhichOneof("type") != "simple":
        raise ValueError("a script can leave numbers, text, yes or no, times, JSON, files and directories only")
    if kind.simple == SimpleType.STRING:
        return literals.string(text.removesuffix("\n"))
    form = _SIMPLE.get(kind.simple)
    if form is None:
        raise ValueError(f"a script can leave no {SimpleType.Name(kind.simple).lower()}")
    return form(text.strip())


def _boolean(text: str) -> Literal:
    if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
        raise ValueError(f"{text[:80]!r} is neither true nor false")
    return literals.boolean(text.lower() in ("true", "1", "yes"))


def _time(text: str) -> Literal:
    moment = datetime.fromisoformat(text)
    return literals.timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _span(text: str) -> Literal:
    try:
        return literals.duration(timedelta(seconds=float(text)))
    except ValueError:
        return literals.duration(duration(text))


def _structure(text: str) -> Literal:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("the JSON of a structure begins with {")
    made = Struct()
    made.update(value)
    return literals.generic(made)


def _none(text: str) -> Literal:
    if text:
        raise ValueError(f"{text[:80]!r} is not nothing")
    return literals.none()


_SIMPLE: Mapping[int, Callable[[str], Literal]] = {
    SimpleType.INTEGER: lambda text: literals.integer(int(text)),
    SimpleType.FLOAT: lambda text: literals.floating(float(text)),
    SimpleType.BOOLEAN: _boolean,
    SimpleType.DATETIME: _time,
    SimpleType.DURATION: _span,
    SimpleType.STRUCT: _structure,
    SimpleType.NONE: _none,
}
