"""Outputs as text."""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import yaml

from alula import Directory, File, StructuredDataset, task
from alula.cli.execution import Run, run_entity
from alula.cli.results import Format, shown
from alula.data.stores import Objects
from alula.idl import LiteralMap


class Color(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    name: str = "p"


class Both(NamedTuple):
    mean: float
    points: list[Point]


TABLE = pd.DataFrame({"a": range(20), "b": ["x"] * 20})


def gives(t: Any, value: Any) -> Any:
    def give() -> Any:
        return value

    give.__annotations__["return"] = t
    return task(give)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run("r1", str(tmp_path / "raw"), tmp_path / "reports", Objects())


def text_of(entity: Any, run: Run, form: Format = Format.TABLE) -> str:
    outcome = run_entity(entity, LiteralMap(), run)
    return shown(outcome.outputs, entity.interface, run.place, form)


READABLE = [
    (int, 3, "3"),
    (float, 0.5, "0.5"),
    (str, "two words", "two words"),
    (bool, True, "True"),
    (Color, Color.RED, "red"),
    (int | None, None, "None"),
    (datetime, datetime(2024, 1, 31, tzinfo=UTC), "2024-01-31T00:00:00+00:00"),
    (timedelta, timedelta(days=1, hours=2), "1 day, 2:00:00"),
    (list[int], [1, 2], "[1, 2]"),
    (dict[str, float], {"a": 0.5}, '{"a": 0.5}'),
    (Point, Point(1, "é"), '{"x": 1, "name": "é"}'),
    (list[Point] | None, [Point(1)], '[{"x": 1, "name": "p"}]'),
    (tuple[int, str], (1, "a"), "o0  1\no1  a"),
    (Both, Both(0.5, [Point(1)]), 'mean    0.5\npoints  [{"x": 1, "name": "p"}]'),
    (None, None, ""),
]


@pytest.mark.parametrize(("t", "value", "text"), READABLE)
def test_values_are_readable(run: Run, t: Any, value: Any, text: str) -> None:
    assert text_of(gives(t, value), run) == text


def test_a_long_value_is_spread_over_lines(run: Run) -> None:
    text = text_of(gives(list[int], list(range(100))), run)
    assert json.loads(text) == list(range(100))
    assert len(text.splitlines()) == 102


def test_a_value_of_many_lines_is_indented_below_its_name(run: Run) -> None:
    assert text_of(gives(tuple[str, int], ("a\nb", 1)), run) == "o0:\n  a\n  b\no1  1"


def test_files_are_paths_that_stay(run: Run, tmp_path: Path) -> None:
    (tmp_path / "here.txt").write_text("hello")
    path = Path(text_of(gives(File, File(tmp_path / "here.txt")), run))
    assert path.read_text() == "hello"
    assert path.is_relative_to(tmp_path / "raw")


def test_directories_are_paths_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x.txt").write_text("x")
    assert (Path(text_of(gives(Directory, Directory(tmp_path / "d")), run)) / "x.txt").read_text() == "x"


FRAMES = [
    (pd.DataFrame, lambda table: table, "[20 rows x 2 columns]"),
    (pa.Table, pa.Table.from_pandas, "[20 rows x 2 columns]"),
    (pl.DataFrame, pl.from_pandas, "shape: (10, 2)"),
    (pl.LazyFrame, lambda table: pl.from_pandas(table).lazy(), "shape: (10, 2)"),
    (duckdb.DuckDBPyRelation, duckdb.from_df, "9  x"),
]


@pytest.mark.parametrize(("t", "make", "said"), FRAMES)
def test_of_a_table_the_head_is_shown_and_where_it_is(run: Run, t: Any, make: Callable[..., Any], said: str) -> None:
    *head, uri = text_of(gives(t, make(TABLE)), run).splitlines()
    assert said in "\n".join(head)
    assert "15" not in "\n".join(head)
    assert Path(uri).exists()


def test_a_data_set_is_where_it_is(run: Run) -> None:
    text = text_of(gives(StructuredDataset, StructuredDataset(TABLE)), run)
    assert Path(text).exists()


DOCUMENTS = [
    (int, 3, 3),
    (Point, Point(1), {"x": 1, "name": "p"}),
    (timedelta, timedelta(minutes=1), 60.0),
    (Both, Both(0.5, []), {"mean": 0.5, "points": []}),
    (tuple[int, str], (1, "a"), {"o0": 1, "o1": "a"}),
    (int | None, None, None),
]


@pytest.mark.parametrize(("t", "value", "data"), DOCUMENTS)
def test_programs_get_json_or_yaml(run: Run, t: Any, value: Any, data: Any) -> None:
    assert json.loads(text_of(gives(t, value), run, Format.JSON)) == data
    assert yaml.safe_load(text_of(gives(t, value), run, Format.YAML)) == data


def test_floats_that_json_has_no_numbers_for_are_words(run: Run) -> None:
    def never(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    for value, word in ((math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")):
        for t, given, data in (
            (float, value, word),
            (list[float], [1.5, value], [1.5, word]),
            (dict[str, float], {"a": value}, {"a": word}),
            (dict, {"deep": [{"a": value}]}, {"deep": [{"a": word}]}),
        ):
            assert json.loads(text_of(gives(t, given), run, Format.JSON), parse_constant=never) == data
        assert json.loads(text_of(gives(list[float], [value]), run), parse_constant=never) == [word]
        assert str(yaml.safe_load(text_of(gives(float, value), run, Format.YAML))) == str(value)  # which has them


def test_no_outputs_are_no_text(run: Run) -> None:
    assert text_of(gives(None, None), run, Format.JSON) == ""


def test_bytes_are_shown_in_hexadecimal(run: Run) -> None:
    assert json.loads(text_of(gives(dict, {"b": b"\x01\xff"}), run, Format.JSON)) == {"b": "01ff"}
