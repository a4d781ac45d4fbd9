"""Rows as Arrow batches, and batches as a Parquet file, with bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alula._kits import lazy
from alula.errors import Rejected
from alula.idl import LiteralType, SimpleType, StructuredDatasetType

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = lazy.module("pyarrow")
    pq = lazy.module("pyarrow.parquet")

_FIRST_ROWS = 500
_MOST_ROWS = 20_000
_AIM_BYTES = 8 << 20
"""Of one batch."""
_EXACT = 2**53
"""Whole numbers up to here are floats without loss."""
_GROUP_ROWS = 128 << 10
_GROUP_BYTES = 32 << 20
"""Rows are written when so many have come together, or so many bytes."""
Row = Sequence[Any]
Columns = Sequence[tuple[str, "pa.DataType | None"]]
"""Names and types; None: the database has no type for the column, and its values decide, batch by batch."""


def batches(fetch: Callable[[int], Sequence[Row]], columns: Columns, where: str) -> Iterator[pa.RecordBatch]:
    """What a cursor gives, as batches of about the same size in bytes; at least one, perhaps empty.

    Args:
        fetch: The next rows, so many at most; none: that was all.
    """
    wanted, first = _FIRST_ROWS, True
    while (rows := fetch(wanted)) or first:
        made = batch(rows, columns, where)
        yield made
        first = False
        if rows:
            wanted = max(1, min(_MOST_ROWS, _AIM_BYTES * len(rows) // max(made.nbytes, 1)))


def batch(rows: Sequence[Row], columns: Columns, where: str) -> pa.RecordBatch:
    """Rows as one batch. Raises Rejected, which names the column."""
    by_column = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    names = unique([name for name, _ in columns])
    made = [
        column(values, guessed(values) if type is None else type, name, where)
        for values, name, (_, type) in zip(by_column, names, columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(made, names=names)


def column(values: Sequence[Any], type: pa.DataType, name: str, where: str) -> pa.Array:
    """The values of a column. Text is made of what Arrow would not take as text."""
    try:
        if pa.types.is_string(type) or pa.types.is_large_string(type):
            values = [one if one is None or isinstance(one, str) else _text(one) for one in values]
        return pa.array(values, type)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as exc:
        raise Rejected(
            f"column '{name}' has a value that does not fit {type}: {str(exc).splitlines()[0]}",
            where=where,
            fix=f"cast it in the statement: cast({name} as ...)",
            code="ColumnUnfit",
        ) from exc


def guessed(values: Iterable[Any]) -> pa.DataType:
    """The narrowest type that holds all values, of a column that has none of its own."""
    present = [one for one in values if one is not None]
    kinds = {type(one) for one in present}
    if not kinds:
        return pa.null()
    if kinds <= {int, bool}:
        return pa.int64() if all(-(2**63) <= one < 2**63 for one in present) else pa.string()
    if kinds <= {int, bool, float}:
        exact = all(abs(one) <= _EXACT for one in present if isinstance(one, int))
        return pa.float64() if exact else pa.string()
    if kinds == {Decimal}:
        return _decimal_for(present)
    return pa.binary() if kinds == {bytes} else pa.string()


def _decimal_for(values: Sequence[Decimal]) -> pa.DataType:
    scale = whole = 0
    for one in values:
        _, digits, exponent = one.as_tuple()
        if not isinstance(exponent, int):
            return pa.string()  # NaN and the infinities
        scale, whole = max(scale, -exponent), max(whole, len(digits) + exponent)
    return decimal(38 if scale + whole <= 38 else 76, scale)


def decimal(precision: int, scale: int) -> pa.DataType:
    """The narrower of Arrow's two exact types."""
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


def unique(names: Sequence[str]) -> list[str]:
    """Column names, each once: a second `id` is `id_2`."""
    made: list[str] = []
    for name in names:
        tried, number = name, 1
        while tried in made:
            number += 1
            tried = f"{name}_{number}"
        made.append(tried)
    return made


class Sink:
    """A Parquet file that batches are written to. A later batch may have wider types; the file is then written anew.

    Args:
        path: Does not exist yet.
        declared: The columns that the output is declared with; all of them must be there, and fit.
    """

    def __init__(self, path: Path, declared: StructuredDatasetType, where: str) -> None:
        self.path, self.rows, self.bytes = path, 0, 0
        self._declared, self._where = declared, where
        self._schema: pa.Schema | None = None
        self._writer: pq.ParquetWriter | None = None
        self._pending: list[pa.RecordBatch] = []
        self._pending_bytes = 0

    @property
    def schema(self) -> pa.Schema | None:
        """None: nothing was written, so the statement had no columns."""
        return self._schema

    def write(self, made: pa.RecordBatch) -> None:
        """Add a batch. Raises Rejected if it is not as declared."""
        made = storable(made, self._where)
        if self._schema is None:
            self._check(made.schema)
            self._schema = made.schema
        elif made.schema != self._schema:
            wider = _wider(self._schema, made.schema)
            if wider != self._schema:
                self._check(wider)
                self._widen(wider)
        self._pending.append(made)
        self._pending_bytes += made.nbytes
        self.rows += made.num_rows
        self.bytes += made.nbytes
        if self._pending_bytes >= _GROUP_BYTES or sum(one.num_rows for one in self._pending) >= _GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Finish the file, if there were columns."""
        if self._schema is not None:
            self._schema = pa.schema(
                [one if one.type != pa.null() else one.with_type(pa.string()) for one in self._schema]
            )
            if self._writer is not None and self._writer.schema != self._schema:
                self._widen(self._schema)
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def abandon(self) -> None:
        """Close the file as it is; it is of no use."""
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.path, self._schema)
        if self._pending:
            self._writer.write_table(pa.Table.from_batches([_cast(one, self._schema) for one in self._pending]))
        self._pending, self._pending_bytes = [], 0

    def _widen(self, schema: pa.Schema) -> None:
        """From now on the file has these types; what is in it is written once more."""
        self._schema = schema
        if self._writer is None:
            return
        self._writer.close()
        former = self.path.with_suffix(".narrow")
        self.path.rename(former)
        self._writer = pq.ParquetWriter(self.path, schema)
        with pq.ParquetFile(former) as file:
            for one in file.iter_batches():
                self._writer.write_table(pa.Table.from_batches([_cast(one, schema)]))
        former.unlink()

    def _check(self, schema: pa.Schema) -> None:
        faults = []
        for wanted in self._declared.columns:
            if wanted.name not in schema.names:
                faults.append(f"has no column '{wanted.name}'")
            elif not _fits(schema.field(wanted.name).type, wanted.literal_type):
                found, said = schema.field(wanted.name).type, SimpleType.Name(wanted.literal_type.simple).lower()
                faults.append(f"has {found} in column '{wanted.name}', which is declared as {said}")
        if faults:
            raise Rejected(
                f"the result {' and '.join(faults)}",
                where=f"{self._where}; its columns are {', '.join(f'{one.name} {one.type}' for one in schema)}",
                fix="change the statement, or what output_schema_type declares",
                code="ColumnsUnfit",
            )


def storable(made: pa.RecordBatch, where: str) -> pa.RecordBatch:
    """A batch whose columns have names of their own, and types that Parquet has.

    Intervals without months are durations, what else is strange is text.
    """
    names = unique(made.schema.names)
    if names != made.schema.names:
        made = made.rename_columns(names)
    if not any(map(_strange, made.schema.types)):
        return made
    arrays = [
        _tamed(array, name, where) if _strange(array.type) else array
        for name, array in zip(made.schema.names, made.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=made.schema.names)


def _strange(type: pa.DataType) -> bool:
    of = pa.types
    return bool(of.is_interval(type) or of.is_union(type) or of.is_run_end_encoded(type))


def _tamed(array: pa.Array, name: str, where: str) -> pa.Array:
    values = array.to_pylist()
    if not pa.types.is_interval(array.type):
        return column(values, pa.string(), name, where)
    spans = [one and timedelta(days=one.days, microseconds=one.nanoseconds // 1000) for one in values]
    if any(one and one.months for one in values):
        raise Rejected(
            f"column '{name}' has intervals with months, which have no fixed length",
            where=where,
            fix=f"cast it in the statement: cast({name} as varchar)",
            code="ColumnUnfit",
        )
    return pa.array(spans, pa.duration("us"))


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _wider(one: pa.Schema, other: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(a.name, _common(a.type, b.type)) for a, b in zip(one, other, strict=True)])


def _common(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    if a == b or b == pa.null():
        return a
    if a == pa.null():
        return b
    if {a, b} == {pa.int64(), pa.float64()}:
        return pa.float64()
    if pa.types.is_decimal(a) and pa.types.is_decimal(b):
        scale = max(a.scale, b.scale)
        whole = max(a.precision - a.scale, b.precision - b.scale)
        return decimal(min(whole + scale, 76), scale)
    return pa.string()


def _cast(made: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if made.schema == schema:
        return made
    cast = [_widened(array, one) for array, one in zip(made.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(cast, schema=schema)


def _widened(array: pa.Array, to: pa.Field) -> pa.Array:
    if pa.types.is_string(to.type):
        return column(array.to_pylist(), to.type, to.name, "")
    try:
        return array.cast(to.type)
    except pa.ArrowInvalid as exc:
        raise Rejected(
            f"column '{to.name}' has values of {array.type} that {to.type}, which it has further down, cannot hold",
            fix=f"cast it in the statement: cast({to.name} as ...)",
            code="ColumnUnfit",
        ) from exc


def _fits(found: pa.DataType, wanted: LiteralType) -> bool:
    """Whether a column may stand for a declared one; what is nested, or all NULL, is not looked at."""
    if not wanted.HasField("simple") and wanted.WhichOneof("type") != "simple":
        return True
    of = pa.types
    number = of.is_integer(found) or of.is_floating(found) or of.is_decimal(found)
    match wanted.simple:
        case _ if of.is_null(found):
            fits = True
        case SimpleType.INTEGER:
            fits = of.is_integer(found) or (of.is_decimal(found) and found.scale == 0)
        case SimpleType.FLOAT:
            fits = number
        case SimpleType.BOOLEAN:
            fits = of.is_boolean(found) or of.is_integer(found)  # MySQL and SQLite have no other
        case SimpleType.DATETIME:
            fits = of.is_timestamp(found) or of.is_date(found) or of.is_string(found)  # SQLite has no other
        case SimpleType.DURATION:
            fits = of.is_duration(found) or of.is_time(found)
        case SimpleType.STRING:
            fits = not number and not of.is_boolean(found)
        case _:
            fits = True
    return bool(fits)
