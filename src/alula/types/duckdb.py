"""`duckdb.DuckDBPyRelation` as a table: parquet, or csv if asked for.

A relation that is read belongs to DuckDB's default connection, so that two of them can be joined; nothing is loaded
until it is queried. One that is written is run by the connection that it came from.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyRelation

from alula.types.dataset import CSV, PARQUET, FileDecoder, FileEncoder, csv_files, data_files, partitioned
from alula.types.tabular import FrameTransformer, table_html
from alula.types.transformer import TypeTransformer

_ROWS = 10
_one_at_a_time = threading.Lock()
"""A connection refuses a call while another one runs, and most relations share the default connection."""
_ERRORS = (duckdb.Error, ValueError, TypeError)


class ToParquet(FileEncoder[DuckDBPyRelation]):
    python_type = DuckDBPyRelation
    format = PARQUET
    errors = _ERRORS

    def write(self, frame: DuckDBPyRelation, path: Path) -> None:
        with _one_at_a_time:
            frame.write_parquet(str(path))


class FromParquet(FileDecoder[DuckDBPyRelation]):
    python_type = DuckDBPyRelation
    format = PARQUET
    errors = _ERRORS
    lazy = True

    def read(self, path: Path, columns: list[str] | None) -> DuckDBPyRelation:
        parts, by_column = [str(part) for part in data_files(path)], partitioned(path)
        with _one_at_a_time:
            return _only(duckdb.read_parquet(parts, hive_partitioning=by_column), columns)


class ToCsv(FileEncoder[DuckDBPyRelation]):
    python_type = DuckDBPyRelation
    format = CSV
    file = ".csv"
    errors = _ERRORS

    def write(self, frame: DuckDBPyRelation, path: Path) -> None:
        with _one_at_a_time:
            frame.write_csv(str(path), header=True)


class FromCsv(FileDecoder[DuckDBPyRelation]):
    python_type = DuckDBPyRelation
    format = CSV
    errors = _ERRORS
    lazy = True

    def read(self, path: Path, columns: list[str] | None) -> DuckDBPyRelation:
        parts = [str(part) for part in csv_files(path)]
        with _one_at_a_time:
            return _only(duckdb.read_csv(parts, hive_partitioning=False), columns)


class FirstRows:
    """The schema and the first rows of a relation as an HTML table."""

    def to_html(self, frame: DuckDBPyRelation) -> str:
        names = [f"{name}: {kind}" for name, kind in zip(frame.columns, frame.types, strict=True)]
        return table_html(names, frame.limit(_ROWS).fetchall(), f"the first rows of {len(frame.columns)} columns")


class RelationTransformer(FrameTransformer):
    python_type = DuckDBPyRelation


def _only(relation: DuckDBPyRelation, columns: list[str] | None) -> DuckDBPyRelation:
    if columns is None:
        return relation
    return relation.project(", ".join('"' + name.replace('"', '""') + '"' for name in columns))


transformers: list[TypeTransformer[Any]] = [
    RelationTransformer([ToParquet(), FromParquet(), ToCsv(), FromCsv()], FirstRows())
]
