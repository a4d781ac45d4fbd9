"""Values as text, and text as values."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import ConversionError, SignatureError
from alula.sdk.local import current_run
from alula.sdk.texts import check_names, names, parse, put_in, text_of


class Color(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int


@given(
    st.one_of(
        st.integers(),
        st.floats(allow_nan=False),
        st.booleans(),
        st.text().map(lambda t: t),
        st.datetimes(timezones=st.just(UTC)),
        st.dates(),
        st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000)),
    )
)
def test_primitive_values_survive_as_text(value: Any) -> None:
    assert parse(text_of(value), type(value), current_run().place) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, ""),
        (Color.RED, "red"),
        (Path("/a/b"), "/a/b"),
        ([1, "a", None], '[1, "a", null]'),
        ({"a": [True]}, '{"a": [true]}'),
        (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00+00:00"),
        (date(2024, 1, 2), "2024-01-02"),
    ],
)
def test_values_are_written_as_programs_expect_them(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("t", "text", "value"),
    [
        (timedelta, "90", timedelta(seconds=90)),
        (timedelta, "1:30:00", timedelta(hours=1, minutes=30)),
        (timedelta, "2 days, 0:00:01.5", timedelta(days=2, seconds=1.5)),
        (Literal[1, 2], "2", 2),
        (Color, "red", Color.RED),
        (list[Point], '[{"x": 3}]', [Point(3)]),
        (int | str | None, "null", None),
        (bool, "Yes", True),
    ],
)
def test_text_is_read_as_it_is_commonly_written(t: Any, text: str, value: object) -> None:
    assert parse(text, t, current_run().place) == value


@pytest.mark.parametrize(("t", "text"), [(timedelta, ""), (timedelta, "soon"), (int, "1.5"), (list[int], "1,2")])
def test_text_that_is_no_such_value_is_refused(t: Any, text: str) -> None:
    with pytest.raises(ConversionError):
        parse(text, t, current_run().place)


def test_what_is_put_into_a_template_is_not_looked_at_again() -> None:
    template = "a {{ .inputs.x }} {{.Inputs.y}} {{inputs.x}} {{.outputPrefix}} {inputs.x}"
    assert names(template) == {"x", "y"}
    filled = put_in(template, {"x": "{{.inputs.y}}", "y": "2"}.__getitem__)
    assert filled == "a {{.inputs.y}} 2 {{.inputs.y}} {{.outputPrefix}} {inputs.x}"


def test_unknown_and_unused_inputs_are_told_together() -> None:
    with pytest.raises(SignatureError, match=r"the query asks for the input 'y'.* and never uses the input 'x'"):
        check_names(["{{.inputs.y}}"], ["x"], what="the query", where="", all_used=True)
    check_names(["{{.inputs.x}}"], ["x", "y"], what="the query", where="", all_used=False)
