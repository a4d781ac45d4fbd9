from __future__ import annotations

import enum
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from alula.errors import ConversionError
from alula.idl import SimpleType, Struct, literals, packing
from alula.types.files import File
from tests.unit.types.rig import TYPES, copy, packed_round_trip, read, round_trip, write


class Color(enum.Enum):
    RED = "red"


class Inner(BaseModel):
    n: int
    color: Color = Color.RED

    @field_validator("n")
    @classmethod
    def _positive(cls, n: int) -> int:
        if n < 0:
            raise ValueError("n must not be negative")
        return n


class Outer(BaseModel):
    model_config = ConfigDict(frozen=True)

    inner: Inner
    many: list[Inner] = []
    when: datetime | None = None
    by_number: dict[int, set[str]] = {}


class Scores(BaseModel):
    best: float | None = None
    all: list[float | None] = []


class ScoresWithFile(Scores):
    file: File


class Aliased(BaseModel):
    model_config = ConfigDict(extra="allow")

    limit: int = Field(alias="maxItems", default=10)
    seed: int = Field(validation_alias="randomSeed")


class AliasedWithFile(Aliased):
    source: File = Field(alias="from")


class WithFiles(BaseModel):
    label: str
    source: File
    parts: list[File] = []
    when: datetime | None = None


def test_a_model_comes_back_and_its_copy_shares_nothing() -> None:
    value = Outer(inner=Inner(n=1), many=[Inner(n=2)], when=datetime(2024, 1, 1, tzinfo=UTC), by_number={1: {"a"}})
    made = copy(Outer, value)
    assert round_trip(Outer, value) == packed_round_trip(Outer, value) == made == value
    made.many.append(Inner(n=3))
    made.inner.n = 9
    assert (len(value.many), value.inner.n) == (1, 1)


def test_validators_run_when_a_model_is_read() -> None:
    unchecked = Inner.model_construct(n=-1, color=Color.RED)
    for convert in (round_trip, copy):
        with pytest.raises(ConversionError, match="n: Value error, n must not be negative"):
            convert(Inner, unchecked)


def test_json_of_an_older_flytekit_and_parts_of_packed_data_are_read() -> None:
    struct = Struct()
    struct.update({"inner": {"n": 1, "color": "red"}, "by_number": {"1": ["a"]}})
    assert read(Outer, literals.generic(struct)) == Outer(inner=Inner(n=1), by_number={1: {"a"}})
    assert read(Inner, packing.packed({"n": 4})) == Inner(n=4)


@pytest.mark.parametrize("value", [{"n": 1}, None, Outer(inner=Inner(n=1))])
def test_what_is_no_instance_is_refused(value: Any) -> None:
    with pytest.raises(ConversionError, match=r"expected .*Inner"):
        write(Inner, value)


def test_files_are_uploaded_and_come_back_unfetched(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    value = WithFiles(
        label="l", source=File(tmp_path / "a"), parts=[File(tmp_path / "b")], when=datetime(2024, 1, 1, tzinfo=UTC)
    )
    data = packing.unpacked(write(WithFiles, value))
    assert list(data) == ["label", "source", "parts", "when"]
    assert set(data["source"]) == {"path"}
    back = round_trip(WithFiles, value)
    assert not back.source.downloaded
    assert Path(back.parts[0].path).read_text() == "b"
    assert (back.label, back.when) == (value.label, value.when)


def test_numbers_that_json_lacks_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    value = Scores(best=math.nan, all=[math.inf, None, -math.inf])
    stored = ScoresWithFile(best=-math.inf, all=[math.nan], file=File(tmp_path / "a"))
    for back in (round_trip(Scores, value), packed_round_trip(Scores, value), copy(Scores, value)):
        assert math.isnan(back.best)
        assert back.all == value.all
    again = round_trip(ScoresWithFile, stored)
    assert again.best == -math.inf
    assert math.isnan(again.all[0])


def test_fields_with_aliases_and_extra_ones_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    value = Aliased.model_validate({"maxItems": 3, "randomSeed": 4, "more": [5]})
    for back in (round_trip(Aliased, value), packed_round_trip(Aliased, value), copy(Aliased, value)):
        assert back == value
    assert packing.unpacked(write(Aliased, value)) == {"limit": 3, "seed": 4, "more": [5]}
    assert read(Aliased, packing.packed({"maxItems": 3, "randomSeed": 4, "more": [5]})) == value
    stored = AliasedWithFile.model_validate({"maxItems": 3, "randomSeed": 4, "from": tmp_path / "a", "more": [5]})
    again = round_trip(AliasedWithFile, stored)
    assert (again.limit, again.seed, again.model_extra) == (3, 4, {"more": [5]})
    assert Path(again.source).read_text() == "a"


def test_a_model_lives_in_a_dataclass_field_list_and_optional() -> None:
    assert round_trip(list[Inner], [Inner(n=1)]) == [Inner(n=1)]
    assert round_trip(Inner | None, Inner(n=1)) == Inner(n=1)
    assert packed_round_trip(dict[str, Inner | None], {"a": Inner(n=1), "b": None}) == {"a": Inner(n=1), "b": None}


def test_the_literal_type_holds_the_schema_and_the_fields() -> None:
    lt = TYPES.literal_type(Outer)
    assert lt.metadata["title"] == "Outer"
    assert lt.structure.dataclass_type["inner"].simple == SimpleType.STRUCT
