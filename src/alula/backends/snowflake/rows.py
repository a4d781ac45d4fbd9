"""Rows of the SQL API, where every value is text, as Arrow batches with their types.

Source: Snowflake's documentation of the SQL API, "Handling responses", how data types are serialized.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from alula._kits import lazy
from alula.data.sql import table

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = lazy.module("pyarrow")

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # of timestamps without a zone
_DAY = date(1970, 1, 1)
_SMALL = 18
"""Digits that always fit 64 bits."""


def batch(rows: Sequence[Sequence[str | None]], columns: Sequence[Mapping[str, Any]], where: str) -> pa.RecordBatch:
    """A partition's rows."""
    kinds = [_kind(one) for one in columns]
    readers = [read for _, read in kinds]
    values = [[None if cell is None else read(cell) for cell, read in zip(row, readers, strict=True)] for row in rows]
    named = [(str(one["name"]), kind) for one, (kind, _) in zip(columns, kinds, strict=True)]
    return table.batch(values, named, where)


def _kind(column: Mapping[str, Any]) -> tuple[pa.DataType, Callable[[str], Any]]:
    scale, precision = int(column.get("scale") or 0), int(column.get("precision") or 38)
    match str(column["type"]).lower():
        case "fixed" if scale == 0 and precision <= _SMALL:
            return pa.int64(), int
        case "fixed":
            return table.decimal(precision, scale), Decimal
        case "real" | "float" | "double":
            return pa.float64(), float
        case "boolean":
            return pa.bool_(), lambda text: text.lower() in ("true", "1")
        case "date":
            return pa.date32(), lambda text: _DAY + timedelta(days=int(text))
        case "time":
            return pa.time64("us"), _time
        case "timestamp_ntz":
            return pa.timestamp("us"), _moment
        case "timestamp_ltz":
            return pa.timestamp("us", "UTC"), lambda text: _moment(text).replace(tzinfo=UTC)
        case "timestamp_tz":  # the offset in minutes follows; the point in time is the same without it
            return pa.timestamp("us", "UTC"), lambda text: _moment(text.partition(" ")[0]).replace(tzinfo=UTC)
        case "binary":
            return pa.binary(), bytes.fromhex
        case _:  # text, and JSON of variant, object and array
            return pa.string(), str


def _micros(text: str) -> int:
    """Seconds with a fraction, or nanoseconds without one."""
    return int(Decimal(text) * 1_000_000) if "." in text or len(text) < 15 else int(text) // 1000


def _moment(text: str) -> datetime:
    return _EPOCH + timedelta(microseconds=_micros(text))


def _time(text: str) -> time:
    return (_EPOCH + timedelta(microseconds=_micros(text))).time()
