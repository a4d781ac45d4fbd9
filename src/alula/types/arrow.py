"""`pyarrow.Table` as a table: parquet, or csv if asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from alula.types.columns import worth_a_dictionary
from alula.types.dataset import CSV, PARQUET, FileDecoder, FileEncoder, csv_files, data_files, one_or_all
from alula.types.tabular import FrameTransformer, table_html
from alula.types.transformer import TypeTransformer

_ROWS = 10
_ERRORS = (pa.ArrowException, ValueError, TypeError, KeyError)


class ToParquet(FileEncoder[pa.Table]):
    python_type = pa.Table
    format = PARQUET
    errors = _ERRORS

    def write(self, frame: pa.Table, path: Path) -> None:
        pq.write_table(frame, path, use_dictionary=worth_a_dictionary(frame.schema))


class FromParquet(FileDecoder[pa.Table]):
    python_type = pa.Table
    format = PARQUET
    errors = _ERRORS

    def read(self, path: Path, columns: list[str] | None) -> pa.Table:
        return pq.read_table(one_or_all(path), columns=columns)

    def batches(self, path: Path, columns: list[str] | None) -> Iterator[pa.Table]:
        for part in data_files(path):
            for batch in pq.ParquetFile(part).iter_batches(columns=columns):
                yield pa.Table.from_batches([batch])


class ToCsv(FileEncoder[pa.Table]):
    python_type = pa.Table
    format = CSV
    file = ".csv"
    errors = _ERRORS

    def write(self, frame: pa.Table, path: Path) -> None:
        pc.write_csv(frame, path)


class FromCsv(FileDecoder[pa.Table]):
    python_type = pa.Table
    format = CSV
    errors = _ERRORS

    def read(self, path: Path, columns: list[str] | None) -> pa.Table:
        options = pc.ConvertOptions(include_columns=columns, strings_can_be_null=True, quoted_strings_can_be_null=False)
        parts = [pc.read_csv(part, convert_options=options) for part in csv_files(path)]
        return pa.concat_tables(parts, promote_options="permissive")


class FirstRows:
    """The schema and the first rows of a table as an HTML table."""

    def to_html(self, frame: pa.Table) -> str:
        names = [f"{field.name}: {field.type}" for field in frame.schema]
        rows = zip(*(column.to_pylist() for column in frame.slice(0, _ROWS).columns), strict=True)
        return table_html(names, rows, f"{frame.num_rows} rows, {frame.num_columns} columns")


class TableTransformer(FrameTransformer):
    python_type = pa.Table


transformers: list[TypeTransformer[Any]] = [
    TableTransformer([ToParquet(), FromParquet(), ToCsv(), FromCsv()], FirstRows())
]
