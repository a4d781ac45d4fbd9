"""The families whose values live in the store, against the suite that third parties use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from typing import Literal as OneOf

import duckdb
import numpy as np
import pandas as pd
import pandera.pandas as pa_schema
import polars as pl
import pyarrow as pa
import torch
from pandera.typing import DataFrame
from PIL import Image
from sklearn.linear_model import LinearRegression

from alula.testing.suites.transformer import TransformerSuite
from alula.types.directories import Directory
from alula.types.files import File
from alula.types.jsonlines import JSON
from alula.types.tabular import StructuredDataset
from alula.types.torch import PyTorchCheckpoint

TABLE = pa.table({"a": [1, 2], "b": ["x", None]})


class Schema(pa_schema.DataFrameModel):
    a: int


def file_in(tmp_path: Path) -> File:
    (tmp_path / "f.csv").write_text("x")
    return File(tmp_path / "f.csv")


def directory_in(tmp_path: Path) -> Directory:
    (tmp_path / "d" / "e").mkdir(parents=True, exist_ok=True)
    (tmp_path / "d" / "e" / "f").write_text("x")
    return Directory(tmp_path / "d")


def data_set() -> StructuredDataset:
    return StructuredDataset(dataframe=TABLE)


class TestFiles(TransformerSuite):
    cases = ((File, file_in), (File[OneOf["csv"]], file_in), (Annotated[File, "note"], file_in))
    wrong = ((File, 5), (File, File("nowhere")), (File, Directory(".")), (Path, 5))

    def equal(self, value: Any, other: Any) -> bool:
        return isinstance(other, File) and Path(value).read_bytes() == Path(other).read_bytes()


class TestDirectories(TransformerSuite):
    cases = ((Directory, directory_in), (Directory[OneOf["x"]], directory_in))
    wrong = ((Directory, 5), (Directory, Directory("nowhere")), (Directory, File("x")))

    def equal(self, value: Any, other: Any) -> bool:
        return [name for _, name in value.crawl()] == [name for _, name in other.crawl()]


class TestTables(TransformerSuite):
    cases = (
        (pd.DataFrame, lambda: TABLE.to_pandas()),
        (Annotated[pd.DataFrame, "csv"], lambda: TABLE.to_pandas()),
        (pa.Table, lambda: TABLE),
        (pl.DataFrame, lambda: pl.DataFrame(TABLE)),
        (pl.LazyFrame, lambda: pl.DataFrame(TABLE).lazy()),
        (duckdb.DuckDBPyRelation, lambda: duckdb.from_arrow(TABLE)),
        (StructuredDataset, data_set),
        (DataFrame[Schema], lambda: TABLE.to_pandas()),
    )
    wrong = (
        (pd.DataFrame, 5),
        (pa.Table, lambda: TABLE.to_pandas()),
        (pl.DataFrame, lambda: TABLE),
        (StructuredDataset, lambda: TABLE),
        (DataFrame[Schema], lambda: pd.DataFrame({"a": ["x"]})),
    )

    def equal(self, value: Any, other: Any) -> bool:
        return bool(_table(value).equals(_table(other)))


def _table(value: Any) -> pa.Table:
    if isinstance(value, StructuredDataset):
        return value.open(pa.Table).all()
    if isinstance(value, pl.LazyFrame):
        value = value.collect()
    if isinstance(value, pl.DataFrame | duckdb.DuckDBPyRelation):
        value = value.to_arrow() if isinstance(value, pl.DataFrame) else value.to_arrow_table()
    if isinstance(value, pd.DataFrame):
        value = pa.Table.from_pandas(value, preserve_index=False)
    return value.cast(TABLE.schema).replace_schema_metadata()


class TestArrays(TransformerSuite):
    cases = (
        (np.ndarray, lambda: np.arange(4).reshape(2, 2)),
        (torch.Tensor, lambda: torch.ones(2, 2)),
    )
    wrong = ((np.ndarray, [1]), (np.ndarray, lambda: np.array([{}])), (torch.Tensor, lambda: np.ones(1)))

    def equal(self, value: Any, other: Any) -> bool:
        return type(value) is type(other) and bool((value == other).all())


class TestImages(TransformerSuite):
    cases = ((Image.Image, lambda: Image.new("RGB", (3, 2), (1, 2, 3))),)
    wrong = ((Image.Image, "x.png"), (Image.Image, lambda: Image.new("CMYK", (1, 1))))

    def equal(self, value: Any, other: Any) -> bool:
        return bool(value.tobytes() == other.tobytes())


class TestModels(TransformerSuite):
    cases = (
        (torch.nn.Linear, lambda: torch.nn.Linear(2, 1)),
        (PyTorchCheckpoint, lambda: PyTorchCheckpoint(hyperparameters={"lr": 0.5})),
        (LinearRegression, lambda: LinearRegression(positive=True)),
    )
    wrong = ((torch.nn.Linear, lambda: torch.nn.ReLU()), (PyTorchCheckpoint, {}), (LinearRegression, LinearRegression))

    def equal(self, value: Any, other: Any) -> bool:
        return type(value) is type(other) and len(str(value)) == len(str(other))


class TestIterators(TransformerSuite):
    """Lists stand for iterators here, which could be taken only once."""

    cases = (
        (Iterator[int], lambda: [1, 2]),
        (Iterator[File], lambda tmp_path: [file_in(tmp_path)]),
        (Iterator[JSON], lambda: [{"a": 1}, 2]),
    )
    wrong = ((Iterator[int], 5), (Iterator[JSON], "x"), (Iterator[JSON], lambda: [{1}]))

    def equal(self, value: Any, other: Any) -> bool:
        return [_content(item) for item in value] == [_content(item) for item in other]


def _content(item: Any) -> Any:
    return Path(item).read_bytes() if isinstance(item, File) else item
