"""Data frames with a Pandera schema, checked when a task gets them and when it returns them.

Declare `pandera.typing.DataFrame[Schema]`, or `pandera.typing.polars.DataFrame[Schema]` and `LazyFrame[Schema]` (of
which Pandera checks names and types only, without running them). On the wire they are plain data frames, as flytekit's
plugin writes them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import html
import logging
import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

from pandera.errors import SchemaError, SchemaErrors
from pandera.typing.common import DataFrameBase

from alula.errors import ConversionError, UnsupportedType
from alula.idl import Literal as WireLiteral
from alula.idl import LiteralType
from alula.types.tabular import StructuredDataset, table_html
from alula.types.transformer import Converter, Place, Types, TypeTransformer, class_of, split, type_name, wrong_type

log = logging.getLogger(__name__)

_SHOWN = 20
"""Failures that an error message lists."""
_SHOWN_IN_REPORT = 200
_ROWS = 10
_CELL_CHARS = 80
_ABOUT_COLUMNS = {"column_in_dataframe": "is missing", "column_in_schema": "is not in the schema"}
"""Checks whose value is the name of a column."""


@dataclasses.dataclass(frozen=True, slots=True)
class ValidationConfig:
    """In `Annotated[DataFrame[Schema], ValidationConfig(...)]`: what happens to a frame that fails."""

    on_error: Literal["raise", "warn"] = "raise"
    """`warn` logs the failures and lets the frame pass."""


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """One value, or one column, that fails a check."""

    index: Any
    """The label of the row; None if the failure is not about one row."""
    column: Any
    check: str
    value: Any

    def __str__(self) -> str:
        if self.check in _ABOUT_COLUMNS:
            return f"column {self.value!r} {_ABOUT_COLUMNS[self.check]}"
        where = f"column {self.column!r}" if self.index is None else f"row {self.index!r}, column {self.column!r}"
        return f"{where}: {_short(self.value)} fails {self.check}"


class PanderaTransformer(TypeTransformer[Any]):
    """A data frame of any library that Pandera knows, with the schema in its brackets; none: any frame will do."""

    python_type = DataFrameBase
    name = "Pandera Transformer"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return types.literal_type(_plain(t))

    async def to_literal(self, value: Any, t: Any, at: Place) -> WireLiteral:
        return await at.types.converter(t).to_literal(value, at)  # type: ignore[no-any-return]

    async def to_python(self, lit: WireLiteral, t: Any, at: Place) -> Any:
        return await at.types.converter(t).to_python(lit, at)

    def converter(self, t: Any, types: Types) -> Converter:
        plain = types.converter(_plain(t))
        frame_type = class_of(plain.declared)
        assert frame_type is not None
        checked = _checker(t)

        async def put(value: Any, at: Place) -> WireLiteral:
            if isinstance(value, StructuredDataset):
                value = await asyncio.to_thread(value.open(frame_type).all)
            if not isinstance(value, frame_type):
                raise wrong_type(value, t)
            return await plain.to_literal(await asyncio.to_thread(checked, value), at)  # type: ignore[no-any-return]

        async def take(lit: WireLiteral, at: Place) -> Any:
            return await asyncio.to_thread(checked, await plain.to_python(lit, at))

        return dataclasses.replace(plain, declared=t, to_literal=put, to_python=take, name=self.name)

    def preview(self, value: Any) -> str:
        schema = getattr(getattr(value, "pandera", None), "schema", None)
        return report(value, schema) if schema is not None else _first_rows(value)


def failures(exc: SchemaError | SchemaErrors) -> list[Failure]:
    """What Pandera found, by row, then by column."""
    cases: Any = getattr(exc, "failure_cases", None)
    if isinstance(exc, SchemaError) and not hasattr(cases, "columns"):
        column = getattr(exc.schema, "name", None)
        return [Failure(None, column, str(exc.check or exc.reason_code), cases)]
    rows = cases.to_dicts() if hasattr(cases, "to_dicts") else cases.to_dict("records")
    found = [Failure(_known(row["index"]), row["column"], str(row["check"]), row["failure_case"]) for row in rows]
    return sorted(found, key=lambda one: (one.index is not None, str(type(one.index)), _order(one.index)))


def report(frame: Any, schema: Any, exc: SchemaError | SchemaErrors | None = None) -> str:
    """HTML that says whether `frame` fulfils `schema`, with the first failures and the first rows."""
    name = html.escape(_name(schema))
    if exc is None:
        return f"<h3>Schema {name} holds</h3>{_first_rows(frame)}"
    found = failures(exc)
    rows = [[one.index, one.column, one.check, _short(one.value)] for one in found[:_SHOWN_IN_REPORT]]
    of = f"{len(rows)} of {len(found)} failures"
    table = table_html(["row", "column", "check", "value"], rows, of)
    return f"<h3>Schema {name} does not hold</h3>{table}{_first_rows(frame)}"


def _checker(t: Any) -> Callable[[Any], Any]:
    base, metadata = split(t)
    config = next((item for item in metadata if isinstance(item, ValidationConfig)), ValidationConfig())
    args = get_args(base)
    if not args:
        return lambda frame: frame
    schema = args[0].to_schema()

    def checked(frame: Any) -> Any:
        try:
            return schema.validate(frame, lazy=True)
        except (SchemaError, SchemaErrors) as exc:
            error = _error(frame, schema, exc)
            if config.on_error == "raise":
                raise error from exc
            log.warning("%s", error.what)
            return frame

    return checked


def _error(frame: Any, schema: Any, exc: SchemaError | SchemaErrors) -> ConversionError:
    found = failures(exc)
    lines = [f"  {one}" for one in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"  and {len(found) - _SHOWN} more")
    size = f" of {len(frame)} rows" if hasattr(frame, "__len__") else ""
    return ConversionError(
        f"the data frame{size} does not fit schema {_name(schema)}:\n" + "\n".join(lines),
        fix="correct the rows, or the schema",
    )


def _plain(t: Any) -> Any:
    """The library's own frame type in place of Pandera's, annotated alike."""
    base, metadata = split(t)
    mro = (class_of(base) or object).__mro__
    for parent in mro:
        if parent is not object and parent.__module__.partition(".")[0] not in ("pandera", "typing"):
            kept = tuple(item for item in metadata if not isinstance(item, ValidationConfig))
            return Annotated[(parent, *kept)] if kept else parent
    raise UnsupportedType(f"{type_name(base)} is no data frame", fix="use pandera.typing.DataFrame[Schema]")


def _first_rows(frame: Any) -> str:
    head = frame.head(_ROWS)
    if hasattr(head, "itertuples"):
        return table_html(["", *head.columns], head.itertuples(), f"{frame.shape[0]} rows, {frame.shape[1]} columns")
    if hasattr(head, "rows"):
        return table_html(head.columns, head.rows(), f"{frame.height} rows, {frame.width} columns")
    return f"<pre>{html.escape(type_name(type(frame)))}</pre>"


def _name(schema: Any) -> str:
    return str(schema.name or "without a name")


def _known(index: Any) -> Any:
    """The label of a row: in a table with failures of whole columns, labels become floats, and their lack NaN."""
    if isinstance(index, float):
        return int(index) if index.is_integer() else None if math.isnan(index) else index
    return None if type(index).__name__ in ("NAType", "NaTType") else index


def _order(index: Any) -> Any:
    return index if isinstance(index, int | float) else str(index)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _CELL_CHARS else shown[: _CELL_CHARS - 3] + "..."


transformers: list[TypeTransformer[Any]] = [PanderaTransformer()]
