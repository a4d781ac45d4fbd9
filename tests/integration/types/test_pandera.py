"""Data frames with a Pandera schema, on their way out of one task and into the next."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import pandas as pd
import pandera.pandas as pa
import pandera.polars as pl_schema
import pandera.typing.polars as pl_typing
import polars as pl
import pytest
from pandera.errors import SchemaErrors
from pandera.typing import DataFrame, Series

from alula.errors import ConversionError
from alula.types import Place, default
from alula.types.pandera import ValidationConfig, failures, report
from alula.types.tabular import StructuredDataset
from tests.integration.types.convert import read, round_trip, write


class People(pa.DataFrameModel):
    age: Series[int] = pa.Field(ge=0, le=120)
    name: Series[str] = pa.Field(str_length={"min_value": 1})

    @pa.dataframe_check
    @classmethod
    def grown_up_or_nameless(cls, frame: pd.DataFrame) -> Any:
        return (frame["age"] >= 18) | (frame["name"] != "boss")


class Coerced(pa.DataFrameModel):
    age: Series[float]

    class Config:
        coerce = True
        strict = True


class PolarsPeople(pl_schema.DataFrameModel):
    age: int = pl_schema.Field(ge=0)
    name: str


GOOD = pd.DataFrame({"age": [20, 30], "name": ["a", "b"], "extra": [1.5, 2.5]})
BAD = pd.DataFrame({"age": [20, -1, 130, 5], "name": ["", "b", "c", "boss"]}, index=["w", "x", "y", "z"])


def test_a_frame_that_fulfils_its_schema_passes_whole(at: Place) -> None:
    pd.testing.assert_frame_equal(round_trip(DataFrame[People], GOOD, at), GOOD)


def test_on_the_wire_it_is_a_plain_frame(here: Place) -> None:
    assert default.literal_type(DataFrame[People]) == default.literal_type(pd.DataFrame)
    assert default.converter(DataFrame[People]).name == "Pandera Transformer"
    lit = write(DataFrame[People], GOOD, here)
    pd.testing.assert_frame_equal(read(pd.DataFrame, lit, here), GOOD)


def test_a_bad_frame_is_refused_on_the_way_out_with_its_rows(here: Place) -> None:
    with pytest.raises(ConversionError) as caught:
        write(DataFrame[People], BAD, here)
    text = str(caught.value)
    assert "data frame of 4 rows does not fit schema People" in text
    assert "row 'w', column 'name': '' fails str_length(1, None)" in text
    assert "row 'x', column 'age': -1 fails greater_than_or_equal_to(0)" in text
    assert "row 'y', column 'age': 130 fails less_than_or_equal_to(120)" in text
    assert "fails grown_up_or_nameless" in text
    assert isinstance(caught.value.__cause__, SchemaErrors)


def test_a_bad_frame_is_refused_on_the_way_in(here: Place) -> None:
    lit = write(pd.DataFrame, BAD, here)
    with pytest.raises(ConversionError, match="row 'x', column 'age': -1"):
        read(DataFrame[People], lit, here)


def test_a_missing_column_and_a_wrong_type_are_told_together(here: Place) -> None:
    with pytest.raises(ConversionError) as caught:
        write(DataFrame[People], pd.DataFrame({"age": ["old"]}), here)
    assert "column 'name' is missing" in str(caught.value)
    assert "dtype('int64')" in str(caught.value)


def test_only_the_first_failures_are_listed(here: Place) -> None:
    many = pd.DataFrame({"age": [-1] * 1000, "name": ["a"] * 1000})
    with pytest.raises(ConversionError) as caught:
        write(DataFrame[People], many, here)
    lines = str(caught.value).splitlines()
    assert lines[1] == "  row 0, column 'age': -1 fails greater_than_or_equal_to(0)"
    assert "  and 980 more" in lines
    assert len(lines) < 25


def test_a_schema_may_change_the_frame(at: Place) -> None:
    got = round_trip(DataFrame[Coerced], pd.DataFrame({"age": [1, 2]}), at)
    assert got["age"].dtype == "float64"
    with pytest.raises(ConversionError, match="column 'name' is not in the schema"):
        write(DataFrame[Coerced], GOOD, at)


def test_the_frame_that_was_passed_stays_as_it_was(here: Place) -> None:
    frame = pd.DataFrame({"age": [1, 2]})
    write(DataFrame[Coerced], frame, here)
    assert frame["age"].dtype == "int64"


def test_a_failure_may_be_a_warning(here: Place, caplog: pytest.LogCaptureFixture) -> None:
    lenient = Annotated[DataFrame[People], ValidationConfig(on_error="warn")]
    with caplog.at_level(logging.WARNING):
        pd.testing.assert_frame_equal(round_trip(lenient, BAD, here), BAD)
    assert "row 'x', column 'age': -1" in caplog.text


def test_a_format_may_be_asked_for(here: Place) -> None:
    csv = Annotated[DataFrame[People], "csv"]
    lit = write(csv, GOOD, here)
    assert lit.scalar.structured_dataset.metadata.structured_dataset_type.format == "csv"
    pd.testing.assert_frame_equal(read(csv, lit, here), GOOD)


def test_a_data_set_may_be_passed(here: Place) -> None:
    pd.testing.assert_frame_equal(round_trip(DataFrame[People], StructuredDataset(dataframe=GOOD), here), GOOD)
    with pytest.raises(ConversionError, match="row 'x'"):
        write(DataFrame[People], StructuredDataset(dataframe=BAD), here)
    with pytest.raises(ConversionError, match="expected pandera"):
        write(DataFrame[People], [1], here)


def test_a_frame_of_pandera_may_be_put_into_a_data_set(here: Place) -> None:
    frame = DataFrame[People](GOOD)
    got = round_trip(StructuredDataset, StructuredDataset(dataframe=frame), here)
    pd.testing.assert_frame_equal(got.open(pd.DataFrame).all(), GOOD)


def test_without_a_schema_any_frame_will_do(here: Place) -> None:
    pd.testing.assert_frame_equal(round_trip(DataFrame, BAD, here), BAD)


def test_polars_frames_are_checked_too(at: Place) -> None:
    t = pl_typing.DataFrame[PolarsPeople]
    good = pl.DataFrame({"age": [1], "name": ["a"]})
    assert round_trip(t, good, at).equals(good)
    with pytest.raises(ConversionError, match="row 1, column 'age': '-1' fails greater_than_or_equal_to"):
        write(t, pl.DataFrame({"age": [1, -1], "name": ["a", "b"]}), at)
    with pytest.raises(ConversionError, match="column 'name' is missing"):
        read(t, write(pl.DataFrame, pl.DataFrame({"age": [1]}), at), at)


def test_lazy_frames_stay_lazy_and_their_types_are_checked(here: Place) -> None:
    t = pl_typing.LazyFrame[PolarsPeople]
    good = pl.DataFrame({"age": [1], "name": ["a"]})
    got = round_trip(t, good.lazy(), here)
    assert isinstance(got, pl.LazyFrame)
    assert got.collect().equals(good)
    with pytest.raises(ConversionError, match="PolarsPeople"):
        write(t, pl.LazyFrame({"age": ["x"], "name": ["a"]}), here)


def test_a_report_shows_what_failed_escaped() -> None:
    schema = People.to_schema()
    bad = pd.DataFrame({"age": [-1], "name": ["<b>"]})
    with pytest.raises(SchemaErrors) as caught:
        schema.validate(bad, lazy=True)
    shown = report(bad, schema, caught.value)
    assert "Schema People does not hold" in shown
    assert "greater_than_or_equal_to(0)" in shown
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert "Schema People holds" in report(GOOD, schema)
    assert [failure.index for failure in failures(caught.value)] == [0]


def test_a_frame_that_was_checked_shows_its_schema(here: Place) -> None:
    got = round_trip(DataFrame[People], GOOD, here)
    assert "Schema People holds" in default.transformer(DataFrame[People]).preview(got)
    assert "2 rows, 3 columns" in default.transformer(DataFrame[People]).preview(GOOD.copy())
