"""Shell words and documents as plain data."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula import Directory, File, StructuredDataset
from alula.cli.texts import choices, document, from_data, from_text, shape
from alula.errors import ConversionError
from alula.idl import LiteralType
from alula.types.registry import default

NOW = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


@dataclass
class Point:
    x: int


def of(t: Any) -> LiteralType:
    return default.literal_type(t)


SHAPES = [
    (int, "INTEGER"),
    (float, "FLOAT"),
    (str, "TEXT"),
    (bool, "BOOLEAN"),
    (datetime, "TIME"),
    (date, "TIME"),
    (timedelta, "DURATION"),
    (Color, "[red|green]"),
    (Literal["a", "b"], "[a|b]"),
    (Literal[1, 2], "[1|2]"),
    (File, "FILE"),
    (File["csv"], "FILE"),
    (Directory, "DIRECTORY"),
    (StructuredDataset, "TABLE"),
    (list[int], "JSON"),
    (dict[str, int], "JSON"),
    (Point, "JSON"),
    (Optional[int], "INTEGER"),  # noqa: UP045 - both spellings
    (Color | None, "[red|green]"),
    (str | int, "INTEGER|TEXT"),
    (Point | None, "JSON"),
]


@pytest.mark.parametrize(("t", "word"), SHAPES)
def test_a_type_has_a_shape_that_a_newcomer_understands(t: Any, word: str) -> None:
    assert shape(of(t)) == word


def test_choices_are_those_that_the_type_lists() -> None:
    assert choices(of(Literal[True])) == ("True",)
    assert choices(of(Color)) == ("red", "green")
    assert choices(of(str)) == ()


TEXTS = [
    ("3", int, 3),
    ("-3", int, -3),
    ("3", float, 3.0),
    ("1e3", float, 1000.0),
    ("3", str, "3"),
    (" spaced ", str, " spaced "),
    ("yes", bool, True),
    ("FALSE", bool, False),
    ("red", Color, "red"),
    ("2", Literal[1, 2], 2),
    ("today", datetime, "2024-02-29T00:00:00+00:00"),
    ("10 days", timedelta, 864_000.0),
    ("s3://b/x.csv", File, {"path": "s3://b/x.csv"}),
    ("s3://b/t", StructuredDataset, {"uri": "s3://b/t"}),
    ("[1, 2]", list[int], [1, 2]),
    ('["now"]', list[datetime], ["2024-02-29T12:30:00+00:00"]),
    ('{"a": "1h"}', dict[str, timedelta], {"a": 3600.0}),
    ('{"x": 1}', Point, {"x": 1}),
    ("{x: 1}", Point, {"x": 1}),
    ("[a, b]", list[str], ["a", "b"]),
    ("none", int | None, None),
    ("NULL", Color | None, None),
    ("5", int | None, 5),
    ("5", str | int, 5),
    ("five", str | int, "five"),
    ("[1]", list[int] | int, [1]),
    ("1", list[int] | int, 1),
    ("[null, 1]", list[int | None], [None, 1]),
]


@pytest.mark.parametrize(("text", "t", "meant"), TEXTS)
def test_a_word_of_a_shell_is_read(text: str, t: Any, meant: object) -> None:
    found = from_text(text, of(t), NOW)
    assert found == meant
    assert type(found) is type(meant)


FAULTS = [
    ("1.5", int, "no integer"),
    ("x", float, "no number"),
    ("maybe", bool, "no boolean"),
    ("blue", Color, "none of red, green"),
    ("3", Literal[1, 2], "none of 1, 2"),
    ("nowhere.txt", File, "there is no file"),
    ("nowhere", Directory, "there is no directory"),
    ("nowhere.csv", StructuredDataset, "there is no table"),
    ("[1", list[int], "no JSON"),
    ("one", list[int], "no JSON"),
    ('{"a": 1}', list[int], "is not a list"),
    ("[1]", dict[str, int], "is not an object"),
    ("x", int | None, "no integer"),
    ("x", int | float, "fits no variant"),
]


@pytest.mark.parametrize(("text", "t", "said"), FAULTS)
def test_what_does_not_fit_is_refused(text: str, t: Any, said: str) -> None:
    with pytest.raises(ConversionError, match=said):
        from_text(text, of(t), NOW)


DATA = [
    (3, int, 3),
    (3.0, int, 3),
    (3, float, 3),
    (True, bool, True),
    ("3", str, "3"),
    ("now", datetime, "2024-02-29T12:30:00+00:00"),
    (60, timedelta, 60),
    ({"path": "s3://b/x"}, File, {"path": "s3://b/x"}),
    (["s3://b/x"], list[File], [{"path": "s3://b/x"}]),
    (None, int | None, None),
    ({"x": 1}, Point | None, {"x": 1}),
]


@pytest.mark.parametrize(("data", "t", "meant"), DATA)
def test_a_value_of_a_document_is_read(data: object, t: Any, meant: object) -> None:
    assert from_data(data, of(t), NOW) == meant


BAD_DATA = [
    (3.5, int, "no integer"),
    (True, int, "no number"),
    (1, bool, "no boolean"),
    (3, str, "no text"),
    (20240101, datetime, "no date and time"),
    ([1, "a"], list[int], r"\[1\].*no integer"),
    ({"a": [1, None]}, dict[str, list[int]], r"\['a'\]\[1\].*no number"),
    (3, Literal[1, 2], "none of 1, 2"),
    ([], int | None, "no number"),
]


@pytest.mark.parametrize(("data", "t", "said"), BAD_DATA)
def test_a_value_that_does_not_fit_is_refused_with_its_path(data: object, t: Any, said: str) -> None:
    with pytest.raises(ConversionError, match=said):
        from_data(data, of(t), NOW)


def test_local_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").touch()
    assert from_text("a.txt", of(File), NOW) == {"path": str(tmp_path / "a.txt")}
    assert from_text(".", of(Directory), NOW) == {"path": str(tmp_path)}


def test_a_file_is_no_directory_and_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(ConversionError, match="is a directory, and no file"):
        from_text(str(tmp_path), of(File), NOW)
    with pytest.raises(ConversionError, match="is a file, and no directory"):
        from_text(str(tmp_path / "a.txt"), of(Directory), NOW)


@pytest.mark.parametrize(("name", "text"), [("p.json", '{"x": 1}'), ("p.yaml", "x: 1"), ("p.yml", "{x: 1}")])
def test_structured_data_may_be_in_a_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert from_text(str(tmp_path / name), of(Point), NOW) == {"x": 1}


def test_times_in_yaml_become_text() -> None:
    assert document("a: 2024-01-31\nb: [2024-01-31T10:00:00]", "in.yaml") == {
        "a": "2024-01-31",
        "b": ["2024-01-31T10:00:00"],
    }


@pytest.mark.parametrize(("text", "name", "said"), [("{", "in.json", "no JSON"), ("a: [", "in.yaml", "nor YAML")])
def test_a_document_that_cannot_be_read_is_named(text: str, name: str, said: str) -> None:
    with pytest.raises(ConversionError, match=said) as caught:
        document(text, name)
    assert caught.value.where == name


@given(st.text())
def test_a_text_input_is_taken_as_it_is(text: str) -> None:
    assert from_text(text, of(str), NOW) == text


@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
def test_numbers_are_read_as_python_prints_them(whole: int, real: float) -> None:
    assert from_text(str(whole), of(int), NOW) == whole
    assert from_text(repr(real), of(float), NOW) == real
