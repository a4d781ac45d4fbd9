"""`Iterator[JSON]` as a file of JSON lines, written and read one line at a time."""

from __future__ import annotations

import io
import json
import typing
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

from alula._kits import bridge
from alula.data.objects import ObjectStore
from alula.data.workspace import write_file
from alula.errors import ConversionError
from alula.idl import BlobType, Literal, LiteralType, Struct
from alula.idl import literals as lits
from alula.types.blob import uri_of
from alula.types.transformer import Place, Types, TypeTransformer, wrong_type

JSON: TypeAlias = dict[str, Any] | list[Any] | bool | float | int | str
"""One JSON value."""

_FORMAT = "jsonl"
_METADATA = {"format": "json iterator"}


class JsonLines(Iterator[JSON]):
    """The values of a file of JSON lines, one after the other; `iter` starts it anew. Nothing is held in memory.

    Raises:
        ConversionError: when a line is not JSON.
    """

    def __init__(self, objects: ObjectStore, uri: str) -> None:
        self._objects, self.uri = objects, uri
        self._values: Iterator[JSON] | None = None

    def __iter__(self) -> Iterator[JSON]:
        self._values = self._open()
        return self

    def __next__(self) -> JSON:
        if self._values is None:
            self._values = self._open()
        return next(self._values)

    def _open(self) -> Iterator[JSON]:
        raw = bridge.run(self._objects.open_reader(self.uri))
        with closing(raw), io.TextIOWrapper(raw, "utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.isspace():
                    yield self._value(line, number)

    def _value(self, line: str, number: int) -> JSON:
        try:
            value: JSON = json.loads(line)
        except ValueError as exc:
            raise ConversionError(f"line {number} is not JSON: {exc}", where=f"{self.uri}:{number}") from exc
        return value


class JsonLinesTransformer(TypeTransformer[Iterator[JSON]]):
    """An iterator of JSON values, run to its end when it is written."""

    python_type = Iterator[JSON]
    more_types = (typing.Iterator[JSON], JsonLines)
    name = "JSON Iterator"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        metadata = Struct()
        metadata.update(_METADATA)
        return LiteralType(blob=BlobType(format=_FORMAT, dimensionality=BlobType.SINGLE), metadata=metadata)

    def check(self, value: Any, t: Any) -> None:
        if not isinstance(value, Iterable) or isinstance(value, str | bytes | dict):
            raise wrong_type(value, t)

    async def to_literal(self, value: Iterator[JSON], t: Any, at: Place) -> Literal:
        uri = at.new_uri()
        await write_file(at.objects, uri, lambda path: _write(value, path))
        return lits.blob(uri, format=_FORMAT)

    async def to_python(self, lit: Literal, t: Any, at: Place) -> JsonLines:
        uri = uri_of(lit, t)
        if not await at.objects.exists(uri):
            raise ConversionError(f"the lines at {uri} are gone", where=uri, fix="run the task that made them again")
        return JsonLines(at.objects, uri)

    def guess(self, lt: LiteralType, types: Types) -> Any:
        mine = lt.blob.format == _FORMAT and lt.HasField("metadata") and dict(lt.metadata.items()) == _METADATA
        return Iterator[JSON] if mine else None


def _write(values: Iterable[JSON], path: Path) -> None:
    with open(path, "w", encoding="utf-8") as out:
        for nth, value in enumerate(values):
            try:
                out.write(json.dumps(value) + "\n")
            except (TypeError, ValueError) as exc:
                raise ConversionError(
                    f"a {type(value).__name__} is no JSON value: {exc}", fix="yield dicts, lists, strings and numbers"
                ).inside(f"[{nth}]") from exc


transformers: list[TypeTransformer[Any]] = [JsonLinesTransformer()]
