"""What people write, in a shell or in a JSON or YAML file, as plain data that a literal type takes.

Plain data is what `alula.idl.packing` has it to be: a file is `{"path": ...}`, a time is text in ISO 8601, a duration
is a number of seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alula._kits import lazy
from alula.cli.times import moment, span
from alula.errors import ConversionError
from alula.idl import BlobType, LiteralType, SimpleType

if TYPE_CHECKING:
    import yaml
else:
    yaml = lazy.module("yaml")  # 15 ms that a run without a document need not pay

_TRUE, _FALSE = ("true", "yes", "y", "1", "on"), ("false", "no", "n", "0", "off")


def choices(lt: LiteralType) -> tuple[str, ...]:
    """The words that a value may be, where the type lists them: an enum, a `Literal[...]`; empty: any."""
    if lt.HasField("enum_type"):
        return tuple(lt.enum_type.values)
    listed = lt.annotation.annotations.fields.get("literal_values")
    if listed is None:
        return ()
    return tuple(_word(value) for value in _values(listed))


def shape(lt: LiteralType) -> str:
    """What a value looks like in a shell, in one word: `INTEGER`, `FILE`, `JSON`, `[red|green]`."""
    known = choices(lt)
    if known:
        return f"[{'|'.join(known)}]"
    match lt.WhichOneof("type"):
        case "simple":
            return _SHAPES.get(lt.simple, "JSON")
        case "blob":
            return "DIRECTORY" if lt.blob.dimensionality == BlobType.MULTIPART else "FILE"
        case "structured_dataset_type" | "schema":
            return "TABLE"
        case "union_type":
            return "|".join(dict.fromkeys(shape(v) for v in _variants(lt))) or "NONE"
    return "JSON"


def from_text(text: str, lt: LiteralType, now: datetime) -> Any:
    """One argument of a shell as plain data of a type. Raises ConversionError.

    Args:
        text: As it was written.
        lt: The type of the input.
        now: What `now` means.
    """
    match lt.WhichOneof("type"):
        case "simple" if lt.simple in _SHAPES:
            return _simple(text, lt, now)
        case "enum_type":
            return _chosen(text, lt)
        case "blob":
            return _blob(text, lt)
        case "structured_dataset_type":
            return {"uri": _existing(text, "table")}
        case "union_type":
            return _of_union(text, lt, now)
    return from_data(_parsed(text, lt), lt, now)


def from_data(data: Any, lt: LiteralType, now: datetime) -> Any:
    """A part of a JSON or YAML document as plain data of a type; text in it may be written as in a shell.

    Raises:
        ConversionError: it does not fit, with the path to the part that does not.
    """
    kind = lt.WhichOneof("type")
    if kind == "simple" and lt.simple == SimpleType.STRING and not isinstance(data, str):
        raise ConversionError(f"{data!r:.80} is no text", fix="put it into quotes")
    if isinstance(data, str) and (kind != "simple" or lt.simple in _SHAPES) and not _is_container(lt):
        return from_text(data, lt, now)
    if kind == "collection_type" and isinstance(data, list):
        return [_inside(f"[{i}]", item, lt.collection_type, now) for i, item in enumerate(data)]
    if kind == "map_value_type" and isinstance(data, dict):
        return {str(key): _inside(f"[{key!r}]", item, lt.map_value_type, now) for key, item in data.items()}
    if kind == "union_type":
        return _first_fit(data, lt, now)
    if kind in ("collection_type", "map_value_type"):
        wanted = "a list: [...]" if kind == "collection_type" else "an object: {...}"
        raise ConversionError(f"{_shown(data)} is not {wanted}")
    if kind == "simple" and lt.simple in _SHAPES:
        return _scalar(data, lt, now)
    return data


def _simple(text: str, lt: LiteralType, now: datetime) -> Any:
    if choices(lt):
        text = _chosen(text, lt)
    match lt.simple:
        case SimpleType.STRING:
            return text
        case SimpleType.INTEGER:
            return _number(text, int)
        case SimpleType.FLOAT:
            return _number(text, float)
        case SimpleType.BOOLEAN:
            return _boolean(text)
        case SimpleType.DATETIME:
            return moment(text, now).isoformat()
        case SimpleType.DURATION:
            return span(text).total_seconds()
    if text.strip().lower() not in ("none", "null", ""):
        raise ConversionError(f"{text!r:.80} is not none")
    return None


def _scalar(data: Any, lt: LiteralType, now: datetime) -> Any:
    """A number, a boolean or a null of a document, where a scalar is wanted."""
    if lt.simple == SimpleType.BOOLEAN and not isinstance(data, bool):
        raise ConversionError(f"{_shown(data)} is no boolean", fix="write true or false")
    if lt.simple in (SimpleType.INTEGER, SimpleType.FLOAT, SimpleType.DURATION) and (
        isinstance(data, bool) or not isinstance(data, int | float)
    ):
        raise ConversionError(f"{_shown(data)} is no number")
    if lt.simple == SimpleType.INTEGER and data != int(data):
        raise ConversionError(f"{data!r} is no integer")
    if lt.simple == SimpleType.DATETIME:
        raise ConversionError(f"{_shown(data)} is no date and time", fix="write it as text: 2024-12-31T23:59:00")
    if lt.simple == SimpleType.NONE and data is not None:
        raise ConversionError(f"{_shown(data)} is not null")
    if choices(lt):
        _chosen(_word(data), lt)
    return int(data) if lt.simple == SimpleType.INTEGER else data


def _number(text: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError:
        raise ConversionError(f"{text!r:.80} is no {'integer' if kind is int else 'number'}") from None


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE + _FALSE:
        raise ConversionError(f"{text!r:.80} is no boolean", fix="write true or false")
    return word in _TRUE


def _chosen(text: str, lt: LiteralType) -> str:
    known = choices(lt)
    if text not in known:
        raise ConversionError(f"{text!r:.80} is none of {', '.join(known)}")
    return text


def _blob(text: str, lt: LiteralType) -> dict[str, str]:
    return {"path": _existing(text, "directory" if lt.blob.dimensionality == BlobType.MULTIPART else "file")}


def _existing(text: str, what: str) -> str:
    """A URI as it is, a local path made absolute. Raises ConversionError when nothing is there."""
    if "://" in text:
        return text
    path = Path(text).expanduser().absolute()
    if not path.exists():
        raise ConversionError(f"there is no {what} {text!r}", where=str(path))
    if what != "table" and path.is_dir() != (what == "directory"):
        raise ConversionError(f"{text!r} is {'a directory' if path.is_dir() else 'a file'}, and no {what}")
    return str(path)


def _variants(lt: LiteralType) -> Iterable[LiteralType]:
    """The variants of a union, those that take any text last, without none."""
    some = [v for v in lt.union_type.variants if not _is_none(v)]
    return sorted(some, key=lambda v: v.WhichOneof("type") == "simple" and v.simple == SimpleType.STRING)


def _of_union(text: str, lt: LiteralType, now: datetime) -> Any:
    if any(_is_none(v) for v in lt.union_type.variants) and text.strip().lower() in ("none", "null"):
        return None
    faults = []
    for variant in _variants(lt):
        try:
            return from_text(text, variant, now)
        except ConversionError as exc:
            faults.append(exc)
    raise _no_variant(text, faults)


def _first_fit(data: Any, lt: LiteralType, now: datetime) -> Any:
    if data is None and any(_is_none(v) for v in lt.union_type.variants):
        return None
    faults = []
    for variant in _variants(lt):
        try:
            return from_data(data, variant, now)
        except ConversionError as exc:
            faults.append(exc)
    raise _no_variant(data, faults)


def _no_variant(value: Any, faults: list[ConversionError]) -> ConversionError:
    if len(faults) == 1:
        return faults[0]
    return ConversionError(f"{_shown(value)} fits no variant of the union: " + "; ".join(f.what for f in faults))


def _inside(step: str, data: Any, lt: LiteralType, now: datetime) -> Any:
    try:
        return from_data(data, lt, now)
    except ConversionError as exc:
        raise exc.inside(step) from None


def _parsed(text: str, lt: LiteralType) -> Any:
    """JSON or YAML in an argument, or in the file that the argument names."""
    words = text.strip()
    if Path(words).suffix in (".json", ".yaml", ".yml") and len(words) < 4096 and Path(words).expanduser().is_file():
        return document(Path(words).expanduser().read_text(encoding="utf-8"), words)
    try:
        return json.loads(words)
    except json.JSONDecodeError as exc:
        with suppress(ConversionError):
            data = document(words, "")
            if isinstance(data, list | dict):  # YAML, which needs fewer quotes
                return data
        example = {"collection_type": "'[1, 2]'", "map_value_type": "'{\"a\": 1}'"}.get(lt.WhichOneof("type") or "")
        raise ConversionError(
            f"{text!r:.80} is no JSON ({exc.msg.lower()} at character {exc.pos + 1})",
            fix=f"quote it for your shell, like {example}, or name a .json or .yaml file",
        ) from None


def document(text: str, name: str) -> Any:
    """What a document holds: JSON if its name says so, else YAML, of which JSON is a part. Times in it become text.

    Raises:
        ConversionError: it cannot be read.
    """
    if name.endswith(".json"):
        try:
            return json.loads(text)
        except json.JSONDecodeError as exc:
            raise ConversionError(f"no JSON: {exc}", where=name) from None
    try:
        return _with_times_as_text(yaml.safe_load(text))
    except yaml.YAMLError as exc:
        raise ConversionError(f"neither JSON nor YAML: {exc}", where=name) from None


def _with_times_as_text(data: Any) -> Any:
    match data:
        case dict():
            return {key: _with_times_as_text(value) for key, value in data.items()}
        case list():
            return [_with_times_as_text(item) for item in data]
        case date():
            return data.isoformat()
    return data


def _is_none(lt: LiteralType) -> bool:
    return lt.WhichOneof("type") == "simple" and lt.simple == SimpleType.NONE


def _is_container(lt: LiteralType) -> bool:
    return lt.WhichOneof("type") in ("collection_type", "map_value_type")


def _values(listed: Any) -> list[Any]:
    return [getattr(one, one.WhichOneof("kind")) for one in listed.list_value.values]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str) if isinstance(value, list | dict | bool | None) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


_SHAPES: Mapping[int, str] = {
    SimpleType.INTEGER: "INTEGER",
    SimpleType.FLOAT: "FLOAT",
    SimpleType.STRING: "TEXT",
    SimpleType.BOOLEAN: "BOOLEAN",
    SimpleType.DATETIME: "TIME",
    SimpleType.DURATION: "DURATION",
    SimpleType.NONE: "NONE",
}
