"""Output literals as text: for people, or as JSON or YAML for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from alula._kits import bridge, lazy
from alula.cli.documents import as_json, odd
from alula.errors import AlulaError, ConversionError
from alula.idl import Literal, LiteralMap, literals, packing
from alula.sdk.signature import Interface, Output
from alula.types.transformer import Place

if TYPE_CHECKING:
    import yaml
else:
    yaml = lazy.module("yaml")  # 15 ms that the other formats need not pay

_ROWS = 10
"""Rows of a data frame that are shown."""


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    """Readable."""
    JSON = "json"
    YAML = "yaml"


def shown(outputs: LiteralMap, interface: Interface, place: Place, form: Format) -> str:
    """The outputs of a run as text without a final newline; empty if there are none.

    The one output of a function that returns a value is that value alone; several are named.
    """
    declared = interface.outputs
    alone = len(declared) == 1 and not interface.as_tuple
    if form is not Format.TABLE:
        data = {name: plain(outputs.literals[name]) for name in declared}
        return _document(next(iter(data.values())) if alone else data, form) if declared else ""
    parts = {name: readable(outputs.literals[name], one, place) for name, one in declared.items()}
    return next(iter(parts.values())) if alone else _named(parts)


def untyped(outputs: LiteralMap, form: Format) -> str:
    """Outputs of something whose declaration is not here; one alone is printed as that value."""
    names = sorted(outputs.literals)
    alone = names == ["o0"]
    if form is not Format.TABLE:
        data = {name: plain(outputs.literals[name]) for name in names}
        return _document(data["o0"] if alone else data, form) if names else ""
    parts = {name: readable_literal(outputs.literals[name]) for name in names}
    return parts["o0"] if alone else _named(parts)


def plain(lit: Literal) -> Any:
    """A literal as JSON has it: files and tables as where they are, packed data unpacked."""
    try:
        return packing.plain_of(lit)
    except ConversionError:  # a schema, or packed data in a format of others
        return str(lit).strip()


def readable(lit: Literal, one: Output, place: Place) -> str:
    """One value for people: text as it is, files as paths, the head of a table, the rest as JSON."""
    if literals.kind(literals.unpacked(lit)) == "structured_dataset":
        return _table(literals.unpacked(lit), one, place)
    return readable_literal(lit)


def readable_literal(lit: Literal) -> str:
    """One value for people, of no declared type: a table is where it is."""
    lit = literals.unpacked(lit)
    kind = literals.kind(lit)
    if kind == "blob":
        return str(lit.scalar.blob.uri)
    if kind == "structured_dataset":
        return str(lit.scalar.structured_dataset.uri)
    if kind == "datetime":
        return literals.to_datetime(lit).isoformat()
    if kind == "duration":
        return str(literals.to_timedelta(lit))
    value = plain(lit)
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        return _pretty(value)
    return str(value)


def _named(parts: dict[str, str]) -> str:
    width = max((len(name) for name in parts), default=0)
    lines = []
    for name, text in parts.items():
        if "\n" in text:
            lines.append(f"{name}:")
            lines += [f"  {line}" for line in text.splitlines()]
        else:
            lines.append(f"{name:<{width}}  {text}")
    return "\n".join(lines)


def _pretty(value: Any) -> str:
    one_line = as_json(value, indent=None)
    return one_line if len(one_line) <= 100 else as_json(value)


def _document(data: Any, form: Format) -> str:
    if form is Format.JSON:
        return as_json(data)
    text: str = yaml.safe_dump(json.loads(json.dumps(data, default=odd)), allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _table(lit: Literal, one: Output, place: Place) -> str:
    """The first rows of a table, as the library of its declared type prints them, and where it is."""
    uri = lit.scalar.structured_dataset.uri
    try:
        made = one.converter.to_python(lit, place)
        frame = bridge.run(made) if one.converter.awaits else made
    except (AlulaError, ImportError):  # it is somewhere, and that is what counts
        return uri
    head = _head(frame)
    return f"{head}\n{uri}" if head else uri


def _head(frame: Any) -> str:
    """The first rows; empty for a frame whose rows cannot be had without more."""
    match type(frame).__module__.partition(".")[0]:
        case "pandas":
            size = f"[{len(frame):,} rows x {len(frame.columns)} columns]"
            return f"{frame.head(_ROWS).to_string()}\n{size}"
        case "pyarrow" if hasattr(frame, "slice"):
            rows = frame.slice(0, _ROWS).to_pylist()
            size = f"[{frame.num_rows:,} rows x {frame.num_columns} columns]"
            return f"{_grid(frame.column_names, [row.values() for row in rows])}\n{size}"
        case "polars":
            return str(frame.head(_ROWS).collect() if hasattr(frame, "collect") else frame.head(_ROWS))
        case "duckdb":
            return _grid(frame.columns, frame.limit(_ROWS).fetchall())
    return ""


def _grid(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    cells = [[str(name) for name in names], *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(lines)
