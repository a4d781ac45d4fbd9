"""Tables of every library on their way through every kind of store."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, ValidationError

from alula._kits import bridge
from alula.data.stores import Objects
from alula.errors import ConversionError, UnsupportedType
from alula.idl import Literal, Schema, SchemaType, Struct, StructuredDatasetType
from alula.idl import StructuredDataset as DatasetMessage
from alula.idl import literals as lits
from alula.types import Place, default
from alula.types.dataset import Decoder, Encoder
from alula.types.registry import Registry
from alula.types.tabular import StructuredDataset, register
from tests.integration.types.convert import read, round_trip, write

TABLE = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]})
RELATION = duckdb.DuckDBPyRelation

FRAMES: dict[Any, tuple[Callable[[], Any], Callable[[Any], pa.Table]]] = {
    pd.DataFrame: (TABLE.to_pandas, lambda frame: pa.Table.from_pandas(frame, preserve_index=False)),
    pa.Table: (lambda: TABLE, lambda frame: frame),
    pl.DataFrame: (lambda: pl.DataFrame(TABLE), lambda frame: frame.to_arrow()),
    pl.LazyFrame: (lambda: pl.DataFrame(TABLE).lazy(), lambda frame: frame.collect().to_arrow()),
    RELATION: (lambda: duckdb.from_arrow(TABLE), lambda frame: frame.to_arrow_table()),
}
each_frame = pytest.mark.parametrize("t", FRAMES, ids=lambda t: f"{t.__module__.partition('.')[0]}-{t.__name__}")
each_format = pytest.mark.parametrize("format", ["parquet", "csv"])


def frame_of(t: Any) -> Any:
    return FRAMES[t][0]()


def rows(frame: Any) -> list[dict[str, Any]]:
    t = next(t for t in FRAMES if isinstance(frame, t))
    found: list[dict[str, Any]] = FRAMES[t][1](frame).to_pylist()
    return found


@each_frame
@each_format
def test_a_table_comes_back_whole(at: Place, t: Any, format: str) -> None:
    declared = Annotated[t, format] if format != "parquet" else t
    lit = write(declared, frame_of(t), at)
    assert lit == lits.dataset(f"{at.prefix}/blob0", StructuredDatasetType(format=format))
    got = read(declared, lit, at)
    assert type(got) is t
    assert rows(got) == TABLE.to_pylist()


@each_frame
@each_format
def test_the_readers_columns_win_over_the_writers(at: Place, t: Any, format: str) -> None:
    lit = write(Annotated[t, format, {"a": int}], frame_of(t), at)
    assert list(rows(read(Annotated[t, {"b": str}], lit, at))[0]) == ["b"]
    assert list(rows(read(t, lit, at))[0]) == ["a"]
    assert list(rows(read(Annotated[t, {"b": str, "a": int}], lit, at))[0]) == ["b", "a"]


@each_frame
def test_one_library_reads_what_another_wrote(here: Place, t: Any) -> None:
    for other in FRAMES:
        assert rows(read(other, write(t, frame_of(t), here), here)) == TABLE.to_pylist()


@each_frame
def test_a_data_set_is_opened_as_what_the_reader_likes(at: Place, t: Any) -> None:
    got = round_trip(StructuredDataset, StructuredDataset(dataframe=frame_of(t)), at)
    assert (got.dataframe, got.uri, got.file_format) == (None, f"{at.prefix}/blob0", "parquet")
    for other in FRAMES:
        assert rows(got.open(other).all()) == TABLE.to_pylist()


@each_frame
def test_a_missing_column_is_named(at: Place, t: Any) -> None:
    lit = write(t, frame_of(t), at)
    with pytest.raises((ConversionError, pl.exceptions.ColumnNotFoundError), match="nope"):
        rows(read(Annotated[t, {"nope": int}], lit, at))


@each_frame
def test_a_table_that_is_gone_is_named(here: Place, t: Any) -> None:
    lit = lits.dataset(f"{here.prefix}/nowhere", StructuredDatasetType(format="parquet"))
    with pytest.raises(ConversionError, match="nowhere"):
        read(t, lit, here)


@each_frame
def test_a_file_that_is_no_table_is_named(here: Place, t: Any, tmp_path: Path) -> None:
    bad = tmp_path / "bad.parquet"
    bad.write_text("this is no parquet file")
    lit = lits.dataset(str(bad), StructuredDatasetType(format="parquet"))
    with pytest.raises((ConversionError, pl.exceptions.PolarsError), match=r"(?i)parquet"):
        rows(read(t, lit, here))


@each_frame
def test_a_table_comes_in_pieces(at: Place, t: Any) -> None:
    got = round_trip(StructuredDataset, StructuredDataset(dataframe=frame_of(t)), at)
    pieces = got.open(t).iter()
    assert isinstance(pieces, Iterator)
    assert [row for piece in pieces for row in rows(piece)] == TABLE.to_pylist()


@pytest.mark.parametrize("t", [pd.DataFrame, pa.Table, pl.DataFrame], ids=lambda t: t.__module__)
def test_pieces_of_a_large_table_are_bounded(here: Place, t: Any) -> None:
    count = 300_000
    whole = StructuredDataset(dataframe=pa.table({"a": np.arange(count)}))
    pieces = list(round_trip(StructuredDataset, whole, here).open(t).iter())
    assert len(pieces) > 1
    assert sum(len(piece) for piece in pieces) == count


@each_frame
def test_previews_escape_what_they_show(t: Any) -> None:
    table = pa.table({"<name>": ["<script>"]})
    frame = {
        pd.DataFrame: table.to_pandas,
        pa.Table: lambda: table,
        pl.DataFrame: lambda: pl.DataFrame(table),
        pl.LazyFrame: lambda: pl.DataFrame(table).lazy(),
        RELATION: lambda: duckdb.from_arrow(table),
    }[t]()
    shown = default.transformer(t).preview(frame)
    assert "&lt;name&gt;" in shown
    assert "<script>" not in shown
    assert default.transformer(StructuredDataset).preview(StructuredDataset(dataframe=frame)) == shown


@each_frame
def test_frames_in_lists_and_optionals(here: Place, t: Any) -> None:
    [one, two] = round_trip(list[t], [frame_of(t), frame_of(t)], here)
    assert rows(one) == rows(two) == TABLE.to_pylist()
    assert rows(round_trip(t | None, frame_of(t), here)) == TABLE.to_pylist()
    assert round_trip(t | None, None, here) is None


# pandas keeps what parquet can hold.


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame({"a": []}),
        pd.DataFrame({"a": [1, 2]}, index=["x", "y"]),
        pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(4, 8, 2, name="n")),
        pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([(1, "x"), (2, "y")], names=["k", "l"])),
        pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": pd.array([True, None], "boolean")}),
        pd.DataFrame({"a": pd.Categorical(["x", "y"], ["y", "x", "z"], ordered=True)}),
        pd.DataFrame({"a": pd.date_range("2020", periods=2, unit="ns") + pd.Timedelta(1, "ns")}),
        pd.DataFrame({"a": pd.date_range("2020", periods=2, tz="Europe/Warsaw", unit="us")}),
        pd.DataFrame({"a": pd.to_timedelta([1, None], "s")}),
        pd.DataFrame({"a": ["x", None], "b": [b"x", None]}),
        pd.DataFrame({"a": [1.5, float("nan")], "b": np.array([1, 2], "uint8")}),
        pd.DataFrame({"a": [[1, 2], []], "b": [{"x": 1}, {"x": 2}]}),
    ],
    ids=str,
)
def test_pandas_frames_come_back_as_pandas_itself_would_read_them(
    here: Place, frame: pd.DataFrame, tmp_path: Path
) -> None:
    frame.to_parquet(tmp_path / "theirs")
    pd.testing.assert_frame_equal(round_trip(pd.DataFrame, frame, here), pd.read_parquet(tmp_path / "theirs"))


def test_attributes_of_a_frame_are_kept(here: Place) -> None:
    frame = TABLE.to_pandas()
    frame.attrs = {"source": "here"}
    assert round_trip(pd.DataFrame, frame, here).attrs == {"source": "here"}


def test_a_frame_that_was_read_can_be_changed(here: Place) -> None:
    got = round_trip(pd.DataFrame, pd.DataFrame({"a": [1.0, 2.0]}), here)
    got.loc[0, "a"] = 5.0
    assert got["a"].tolist() == [5.0, 2.0]


def test_the_index_is_kept_when_columns_are_chosen(here: Place) -> None:
    frame = pd.DataFrame({"a": [1], "b": [2]}, index=pd.Index(["x"], name="k"))
    lit = write(pd.DataFrame, frame, here)
    pd.testing.assert_frame_equal(read(Annotated[pd.DataFrame, {"b": int}], lit, here), frame[["b"]])


def test_a_frame_that_parquet_cannot_hold_is_refused_with_advice(here: Place) -> None:
    with pytest.raises(ConversionError, match="cannot be written as parquet") as caught:
        write(pd.DataFrame, pd.DataFrame({"a": [1, "x"]}), here)
    assert "one type" in caught.value.fix
    with pytest.raises(ConversionError, match=r"expected pandas\.DataFrame, got int"):
        write(pd.DataFrame, 5, here)


# Data sets.


def test_the_format_is_the_declared_one_else_the_users_else_the_frames(here: Place) -> None:
    frame = TABLE.to_pandas()

    def written(t: Any, dataset: StructuredDataset) -> str:
        kind = write(t, dataset, here).scalar.structured_dataset.metadata.structured_dataset_type
        return kind.format

    assert written(StructuredDataset, StructuredDataset(dataframe=frame)) == "parquet"
    assert written(StructuredDataset, StructuredDataset(dataframe=frame, file_format="csv")) == "csv"
    assert written(Annotated[StructuredDataset, "csv"], StructuredDataset(dataframe=frame)) == "csv"
    both = StructuredDataset(dataframe=frame, file_format="parquet")
    assert written(Annotated[StructuredDataset, "csv"], both) == "csv"
    with pytest.raises(UnsupportedType, match="orc"):
        written(Annotated[StructuredDataset, "orc"], StructuredDataset(dataframe=frame))


def test_a_table_goes_where_the_user_says(at: Place) -> None:
    uri = f"{at.prefix}/chosen"
    lit = write(StructuredDataset, StructuredDataset(dataframe=TABLE, uri=uri), at)
    assert lit.scalar.structured_dataset.uri == uri
    assert rows(read(pa.Table, lit, at)) == TABLE.to_pylist()
    write(StructuredDataset, StructuredDataset(dataframe=TABLE.slice(0, 1), uri=uri), at)
    assert len(read(pa.Table, lit, at)) == 1


def test_what_came_in_goes_out_as_it_is(at: Place) -> None:
    lit = write(Annotated[StructuredDataset, {"a": int}], StructuredDataset(dataframe=TABLE), at)
    got = read(StructuredDataset, lit, at)
    assert got.columns == ["a"]
    assert write(StructuredDataset, got, at) == lit
    assert write(pd.DataFrame, got, at) == lit
    assert pickle.loads(pickle.dumps(got)) == got


def test_a_local_table_is_uploaded_and_a_stored_one_is_not(at: Place, tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "t.parquet")
    lit = write(StructuredDataset, StructuredDataset(uri=str(tmp_path / "t.parquet")), at)
    assert lit.scalar.structured_dataset.uri == f"{at.prefix}/blob0/t.parquet"
    assert rows(read(pd.DataFrame, lit, at)) == TABLE.to_pylist()
    stored = write(StructuredDataset, StructuredDataset(uri="s3://b/k", file_format="csv"), at)
    assert stored == lits.dataset("s3://b/k", StructuredDatasetType(format="csv"))
    with pytest.raises(ConversionError, match="there is no table"):
        write(StructuredDataset, StructuredDataset(uri=str(tmp_path / "nowhere")), at)
    with pytest.raises(ConversionError, match="neither a dataframe nor a uri"):
        write(StructuredDataset, StructuredDataset(), at)


def test_a_data_set_is_opened_where_it_was_made(here: Place, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,x\n")
    made = StructuredDataset(uri=str(tmp_path / "t.csv"))
    assert rows(made.open(pl.DataFrame).all()) == [{"a": 1, "b": "x"}]
    assert StructuredDataset(dataframe=TABLE).open(pa.Table).all() is TABLE
    assert rows(StructuredDataset(dataframe=TABLE).open(pd.DataFrame).all()) == TABLE.to_pylist()


def test_tables_of_many_files_are_read_whole(here: Place, tmp_path: Path) -> None:
    for format in ("csv", "parquet"):
        root = tmp_path / format
        root.mkdir()
        for nth in range(2):
            part = TABLE.slice(nth, 1)
            if format == "csv":
                part.to_pandas().to_csv(root / f"part-{nth}.csv", index=False)
            else:
                pq.write_table(part, root / f"part-{nth}.parquet")
        (root / "_SUCCESS").touch()
        lit = lits.dataset(str(root), StructuredDatasetType(format=format))
        for t in FRAMES:
            assert rows(read(t, lit, here)) == TABLE.slice(0, 2).to_pylist(), (t, format)


@each_frame
def test_a_partitioned_table_has_its_columns(here: Place, t: Any, tmp_path: Path) -> None:
    pq.write_to_dataset(TABLE.slice(0, 1), tmp_path / "parts", partition_cols=["a"])
    (tmp_path / "parts" / "_SUCCESS").touch()
    lit = lits.dataset(str(tmp_path / "parts"), StructuredDatasetType(format="parquet"))
    assert [(int(row["a"]), row["b"]) for row in rows(read(t, lit, here))] == [(1, "x")]


@each_frame
@each_format
def test_the_name_of_a_prefix_is_no_column(t: Any, format: str, tmp_path: Path) -> None:
    at = Place(Objects(), str(tmp_path / "run=5"), default, lambda: "key=value")
    assert rows(round_trip(Annotated[t, format], frame_of(t), at)) == TABLE.to_pylist()


@each_frame
def test_an_empty_directory_is_no_table(here: Place, t: Any, tmp_path: Path) -> None:
    for format in ("csv", "parquet"):
        with pytest.raises(ConversionError, match="holds no table"):
            read(t, lits.dataset(str(tmp_path), StructuredDatasetType(format=format)), here)


def test_a_bare_frame_for_a_data_set_is_refused_with_advice(here: Place) -> None:
    with pytest.raises(ConversionError, match=r"StructuredDataset, got pandas\.DataFrame") as caught:
        write(StructuredDataset, TABLE.to_pandas(), here)
    assert "StructuredDataset(dataframe=...)" in caught.value.fix
    with pytest.raises(UnsupportedType, match="list is no data frame"):
        write(StructuredDataset, StructuredDataset(dataframe=[1]), here)


def test_an_old_schema_literal_is_read(here: Place) -> None:
    uri = write(pa.Table, TABLE, here).scalar.structured_dataset.uri
    columns = [{"name": "a", "type": SchemaType.SchemaColumn.INTEGER}]
    lit = Literal()
    lit.scalar.schema.CopyFrom(Schema(uri=uri, type=SchemaType(columns=columns)))
    assert read(pd.DataFrame, lit, here).columns.tolist() == ["a"]
    assert read(Annotated[pd.DataFrame, {"b": str}], lit, here).columns.tolist() == ["b"]
    assert rows(read(StructuredDataset, lit, here).open(pa.Table).all()) == TABLE.select(["a"]).to_pylist()


@pytest.mark.parametrize("kind", ["binary", "generic"])
def test_an_attribute_of_a_dataclass_is_a_table(here: Place, kind: str) -> None:
    import msgpack

    uri = write(pa.Table, TABLE, here).scalar.structured_dataset.uri
    packed = {"uri": uri, "file_format": "parquet"}
    struct = Struct()
    struct.update(packed)
    lit = lits.binary(msgpack.packb(packed)) if kind == "binary" else lits.generic(struct)
    assert rows(read(pd.DataFrame, lit, here)) == TABLE.to_pylist()
    with pytest.raises(ConversionError, match=r"expected \{'uri'"):
        read(pd.DataFrame, lits.binary(msgpack.packb({"path": uri})), here)
    with pytest.raises(ConversionError, match=r"expected a table for pandas\.DataFrame, got the literal integer"):
        read(pd.DataFrame, lits.integer(5), here)


class Model(BaseModel):
    table: StructuredDataset


def test_a_pydantic_model_holds_a_table(at: Place) -> None:
    got = round_trip(Model, Model(table=StructuredDataset(dataframe=TABLE)), at)
    assert rows(got.table.open(pa.Table).all()) == TABLE.to_pylist()
    for wrong in (5, {"path": "x"}):
        with pytest.raises(ValidationError, match="no StructuredDataset"):
            Model.model_validate({"table": wrong})


# Handlers of third parties.


class Row:
    """A frame of one row, for a store of rows."""

    def __init__(self, values: dict[str, int]) -> None:
        self.values = values


class ToTable(Encoder[Row]):
    python_type = Row
    protocol = "rows"
    format = "row"

    def encode(self, frame: Row, uri: str, kind: StructuredDatasetType, at: Place) -> str:
        bridge.run(at.objects.write(f"{at.prefix}/row", repr(frame.values).encode()))
        return "rows://table/1"


class FromTable(Decoder[Row]):
    python_type = Row
    protocol = "rows"
    format = "row"

    async def decode(self, stored: DatasetMessage, wanted: StructuredDatasetType, at: Place) -> Iterator[Row]:
        data = await at.objects.read(f"{at.prefix}/row")
        return iter([Row(eval(data))])


def test_a_storage_without_files_has_handlers_of_its_own(here: Place) -> None:
    types = Registry()
    register(ToTable(), default_format=True, default_protocol=True, into=types)
    register(FromTable(), into=types)
    at = Place(here.objects, here.prefix, types, here.new_name)
    converter = types.converter(Row)
    lit = bridge.run(converter.to_literal(Row({"a": 1}), at))
    assert lit == lits.dataset("rows://table/1", StructuredDatasetType(format="row"))
    with pytest.raises(ConversionError, match="in pieces only"):
        bridge.run(converter.to_python(lit, at))
    dataset = bridge.run(types.converter(StructuredDataset).to_python(lit, at))
    assert [row.values for row in dataset.open(Row).iter()] == [{"a": 1}]
