"""`polars.DataFrame` and `polars.LazyFrame` as tables: parquet, or csv if asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from alula.types.dataset import CSV, PARQUET, FileDecoder, FileEncoder, csv_files, data_files, partitioned
from alula.types.tabular import FrameTransformer, table_html
from alula.types.transformer import TypeTransformer

_ROWS = 10
_ERRORS = (pl.exceptions.PolarsError, ValueError, TypeError, OSError)


class ToParquet(FileEncoder[pl.DataFrame]):
    python_type = pl.DataFrame
    format = PARQUET
    errors = _ERRORS

    def write(self, frame: pl.DataFrame, path: Path) -> None:
        frame.write_parquet(path)


class FromParquet(FileDecoder[pl.DataFrame]):
    python_type = pl.DataFrame
    format = PARQUET
    errors = _ERRORS

    def read(self, path: Path, columns: list[str] | None) -> pl.DataFrame:
        return scan(path, columns).collect()

    def batches(self, path: Path, columns: list[str] | None) -> Iterator[pl.DataFrame]:
        for part in data_files(path):
            for batch in pq.ParquetFile(part).iter_batches(columns=columns):
                yield pl.DataFrame(batch)


class ToCsv(FileEncoder[pl.DataFrame]):
    python_type = pl.DataFrame
    format = CSV
    file = ".csv"
    errors = _ERRORS

    def write(self, frame: pl.DataFrame, path: Path) -> None:
        frame.write_csv(path)


class FromCsv(FileDecoder[pl.DataFrame]):
    python_type = pl.DataFrame
    format = CSV
    errors = _ERRORS

    def read(self, path: Path, columns: list[str] | None) -> pl.DataFrame:
        return pl.concat([pl.read_csv(part, columns=columns) for part in csv_files(path)], how="vertical_relaxed")


class LazyToParquet(FileEncoder[pl.LazyFrame]):
    """Streams: the frame is never whole in memory where its plan allows that."""

    python_type = pl.LazyFrame
    format = PARQUET
    errors = _ERRORS

    def write(self, frame: pl.LazyFrame, path: Path) -> None:
        frame.sink_parquet(path)


class LazyFromParquet(FileDecoder[pl.LazyFrame]):
    """Reads nothing until the frame is collected."""

    python_type = pl.LazyFrame
    format = PARQUET
    errors = _ERRORS
    lazy = True

    def read(self, path: Path, columns: list[str] | None) -> pl.LazyFrame:
        return scan(path, columns)


class LazyToCsv(FileEncoder[pl.LazyFrame]):
    python_type = pl.LazyFrame
    format = CSV
    file = ".csv"
    errors = _ERRORS

    def write(self, frame: pl.LazyFrame, path: Path) -> None:
        frame.sink_csv(path)


class LazyFromCsv(FileDecoder[pl.LazyFrame]):
    """Reads nothing until the frame is collected."""

    python_type = pl.LazyFrame
    format = CSV
    errors = _ERRORS
    lazy = True

    def read(self, path: Path, columns: list[str] | None) -> pl.LazyFrame:
        frame = pl.concat([pl.scan_csv(part) for part in csv_files(path)], how="vertical_relaxed")
        return frame.select(columns) if columns else frame


def scan(path: Path, columns: list[str] | None) -> pl.LazyFrame:
    """The parquet file, or all in a directory, not read yet."""
    frame = pl.scan_parquet(data_files(path), hive_partitioning=partitioned(path))
    return frame.select(columns) if columns else frame


class FirstRows:
    """The schema and the first rows of a frame as an HTML table; of a lazy one the schema alone, which runs nothing."""

    def to_html(self, frame: pl.DataFrame | pl.LazyFrame) -> str:
        if isinstance(frame, pl.LazyFrame):
            schema = frame.collect_schema()
            return table_html([f"{name}: {kind}" for name, kind in schema.items()], [], "not collected yet")
        names = [f"{name}: {kind}" for name, kind in frame.schema.items()]
        return table_html(names, frame.head(_ROWS).rows(), f"{frame.height} rows, {frame.width} columns")


class DataFrameTransformer(FrameTransformer):
    python_type = pl.DataFrame


class LazyFrameTransformer(FrameTransformer):
    python_type = pl.LazyFrame


transformers: list[TypeTransformer[Any]] = [
    DataFrameTransformer([ToParquet(), FromParquet(), ToCsv(), FromCsv()], FirstRows()),
    LazyFrameTransformer([LazyToParquet(), LazyFromParquet(), LazyToCsv(), LazyFromCsv()], FirstRows()),
]
