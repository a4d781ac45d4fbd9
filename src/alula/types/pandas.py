"""`pandas.DataFrame` as a table: parquet, or csv if asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from alula.types.columns import worth_a_dictionary
from alula.types.dataset import CSV, PARQUET, FileDecoder, FileEncoder, csv_files, data_files, one_or_all
from alula.types.tabular import FrameTransformer, table_html
from alula.types.transformer import TypeTransformer

_ROWS = 10
_ATTRS = b"PANDAS_ATTRS"
"""Where pandas keeps `DataFrame.attrs` in a parquet file."""
_BATCH_ROWS = 1 << 17
_ERRORS = (pa.ArrowException, ValueError, TypeError, KeyError)


class ToParquet(FileEncoder[pd.DataFrame]):
    python_type = pd.DataFrame
    format = PARQUET
    errors = _ERRORS

    def write(self, frame: pd.DataFrame, path: Path) -> None:
        table = pa.Table.from_pandas(frame)
        if frame.attrs:
            table = table.replace_schema_metadata({**table.schema.metadata, _ATTRS: json.dumps(frame.attrs)})
        pq.write_table(table, path, use_dictionary=worth_a_dictionary(table.schema))


class FromParquet(FileDecoder[pd.DataFrame]):
    python_type = pd.DataFrame
    format = PARQUET
    errors = _ERRORS

    def read(self, path: Path, columns: list[str] | None) -> pd.DataFrame:
        table = pq.read_table(one_or_all(path), columns=columns, use_pandas_metadata=True)
        frame: pd.DataFrame = table.to_pandas()
        attrs = (table.schema.metadata or {}).get(_ATTRS)
        if attrs:
            frame.attrs = json.loads(attrs)
        return frame

    def batches(self, path: Path, columns: list[str] | None) -> Iterator[pd.DataFrame]:
        for part in data_files(path):
            for batch in pq.ParquetFile(part).iter_batches(_BATCH_ROWS, columns=columns):
                yield batch.to_pandas()


class ToCsv(FileEncoder[pd.DataFrame]):
    python_type = pd.DataFrame
    format = CSV
    errors = _ERRORS
    file = ".csv"

    def write(self, frame: pd.DataFrame, path: Path) -> None:
        frame.to_csv(path, index=False)


class FromCsv(FileDecoder[pd.DataFrame]):
    python_type = pd.DataFrame
    format = CSV
    errors = _ERRORS

    def read(self, path: Path, columns: list[str] | None) -> pd.DataFrame:
        parts = [pd.read_csv(part, usecols=columns) for part in csv_files(path)]
        frame = parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)
        return frame[columns] if columns else frame


class FirstRows:
    """The first rows of a frame as an HTML table."""

    def to_html(self, frame: pd.DataFrame) -> str:
        shown = frame.head(_ROWS)
        size = f"{frame.shape[0]} rows, {frame.shape[1]} columns"
        return table_html(["", *shown.columns], shown.itertuples(), size)


class DataFrameTransformer(FrameTransformer):
    python_type = pd.DataFrame


transformers: list[TypeTransformer[Any]] = [
    DataFrameTransformer([ToParquet(), FromParquet(), ToCsv(), FromCsv()], FirstRows())
]
