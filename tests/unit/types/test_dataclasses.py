from __future__ import annotations

import base64
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mashumaro import field_options
from mashumaro.mixins.json import DataClassJSONMixin

from alula.errors import ConversionError, UnsupportedType
from alula.idl import BlobType, LiteralType, SimpleType, Struct, literals, packing
from alula.types.directories import Directory
from alula.types.files import File
from tests.unit.types.rig import OBJECTS, TYPES, copy, now, pack, read, round_trip, write

T = TypeVar("T")
INTS = st.integers(-(2**63), 2**63 - 1)


@dataclass
class Inner:
    a: int
    b: str = "x"


@dataclass
class Config:
    rate: float
    names: list[str]
    inner: Inner
    more: dict[str, list[Inner]] = field(default_factory=dict)
    maybe: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    when: datetime
    count: int = 0


@dataclass
class Box(Generic[T]):
    item: T


@dataclass
class Pair(Box[T]):
    other: T


@dataclass
class Checked:
    n: int

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError("n must not be negative")


@dataclass
class Sloppy:
    name: str = None  # type: ignore[assignment]


@dataclass
class Mixed(DataClassJSONMixin):
    raw: bytes


@dataclass
class Opted:
    n: int = field(default=0, metadata=field_options(serialize=str, deserialize=int))


@dataclass
class WithFiles:
    label: str
    source: File
    parts: list[File] = field(default_factory=list)
    folder: Directory | None = None


@dataclass
class Unknown:
    x: list[dict[str, complex]]


@dataclass
class Outer:
    unknown: Unknown


@dataclass
class Tree:
    children: list[Tree]


@given(
    st.builds(
        Config,
        st.floats(allow_nan=False),
        st.lists(st.text(max_size=3)),
        st.builds(Inner, INTS, st.text(max_size=3)),
        st.dictionaries(st.text(max_size=3), st.lists(st.builds(Inner, INTS, st.text(max_size=3)), max_size=3)),
        st.none() | INTS,
    )
)
@settings(max_examples=60)
def test_a_dataclass_comes_back_and_its_copy_shares_nothing(value: Config) -> None:
    made = copy(Config, value)
    assert round_trip(Config, value) == made == value
    before = repr(value)
    made.names.append("new")
    made.inner.a += 1
    made.more["new"] = []
    for items in made.more.values():
        items.append(Inner(0))
    assert repr(value) == before


def test_the_wire_holds_what_mashumaro_writes() -> None:
    value = Config(1.0, ["n"], Inner(1), {"k": [Inner(2, "y")]})
    assert packing.unpacked(write(Config, value)) == {
        "rate": 1.0,
        "names": ["n"],
        "inner": {"a": 1, "b": "x"},
        "more": {"k": [{"a": 2, "b": "y"}]},
        "maybe": None,
    }


def test_frozen_slotted_and_keyword_only_fields_come_back() -> None:
    value = Frozen(when=datetime(2024, 1, 2, tzinfo=UTC), count=3)
    assert round_trip(Frozen, value) == copy(Frozen, value) == value


def test_generic_parameters_reach_the_fields() -> None:
    assert round_trip(Box[list[Inner]], Box([Inner(1)])) == Box([Inner(1)])
    assert round_trip(Pair[int], Pair(1, 2)) == Pair(1, 2)
    with pytest.raises(ConversionError, match=r"\.other: expected int, got str"):
        write(Pair[int], Pair(1, "2"))


def test_a_field_of_another_type_is_refused_with_its_path() -> None:
    value = Config(1.0, ["n"], Inner(1), {"k": [Inner(2), Inner("3")]})  # type: ignore[arg-type]
    for convert in (write, copy):
        with pytest.raises(ConversionError, match=r"\.more\['k'\]\[1\]\.a: expected int, got str: '3'"):
            convert(Config, value)


def test_an_int_in_a_float_field_becomes_a_float() -> None:
    value = Config(2, [], Inner(1))
    assert type(round_trip(Config, value).rate) is type(copy(Config, value).rate) is float


def test_a_default_of_none_allows_none() -> None:
    assert round_trip(Sloppy, Sloppy()) == Sloppy()


def test_a_subclass_is_read_as_the_declared_class() -> None:
    child: Any = make_dataclass("Child", [("c", int, 0)], bases=(Inner,))
    assert round_trip(Inner, child(1, "b", 2)) == copy(Inner, child(1, "b", 2)) == Inner(1, "b")


def test_the_fields_as_a_dict_are_an_instance_and_stay_the_callers() -> None:
    given_names = ["n"]
    made = copy(Config, {"rate": 1, "names": given_names, "inner": {"a": 1}})
    assert made == Config(1.0, ["n"], Inner(1))
    made.names.append("m")
    assert given_names == ["n"]
    with pytest.raises(ConversionError, match="lacks names, inner"):
        write(Config, {"rate": 1.0})


def test_a_class_that_was_reloaded_is_taken_and_another_class_is_not() -> None:
    again: Any = make_dataclass("Inner", [("a", int), ("b", str)])
    assert copy(Inner, again(1, "b")) == Inner(1, "b")
    with pytest.raises(ConversionError, match=r"expected .*Inner, got .*Box"):
        write(Inner, Box(1))


def test_what_the_class_itself_refuses_is_said() -> None:
    with pytest.raises(ConversionError, match="n must not be negative"):
        read(Checked, packing.packed({"n": -1}))


def test_a_struct_of_an_older_flytekit_is_read() -> None:
    struct = Struct()
    struct.update({"rate": 2, "names": ["n"], "inner": {"a": 1}, "more": {"k": [{"a": 2, "b": "y"}]}, "maybe": 3})
    found = read(Config, literals.generic(struct))
    assert found == Config(2.0, ["n"], Inner(1), {"k": [Inner(2, "y")]}, 3)
    assert type(found.maybe) is type(found.inner.a) is int


def test_data_that_lacks_a_field_or_is_no_record_is_refused() -> None:
    with pytest.raises(ConversionError, match="lacks a in the data"):
        read(Inner, packing.packed({"b": "x"}))
    with pytest.raises(ConversionError, match="got list"):
        read(Inner, packing.packed([1]))
    with pytest.raises(ConversionError, match="got integer literal"):
        read(Inner, literals.integer(1))


def test_mashumaros_own_options_are_respected() -> None:
    value = Mixed(b"\x00\xff")
    assert round_trip(Mixed, value) == copy(Mixed, value) == value
    assert round_trip(Opted, Opted(3)) == copy(Opted, Opted(3)) == Opted(3)
    assert pack(Opted, Opted(3)) == {"n": "3"}
    assert pack(Mixed, value)["raw"] == base64.encodebytes(b"\x00\xff").decode()


def test_files_are_uploaded_when_written_and_fetched_when_opened(tmp_path: Any) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    value = WithFiles("l", File(tmp_path / "a.txt"), [File(tmp_path / "b.txt")], Directory(tmp_path))
    data = packing.unpacked(write(WithFiles, value))
    assert set(data["source"]) == {"path"}
    assert now(OBJECTS.read(data["source"]["path"])) == b"a.txt"
    back = round_trip(WithFiles, value)
    assert not back.source.downloaded
    assert back.parts[0].open().__enter__().read() == "b.txt"
    assert isinstance(back.folder, Directory)
    assert TYPES.converter(WithFiles).copy is None


@pytest.mark.parametrize(
    ("t", "where"),
    [
        (Unknown, "field 'x' of tests.Unknown, element of list[dict[str, complex]], inside dict[str, complex]"),
        (Outer, "field 'unknown' of tests.Outer, field 'x' of tests.Unknown, element of list"),
    ],
)
def test_an_unknown_class_is_refused_at_declaration_with_its_path(t: Any, where: str) -> None:
    with pytest.raises(UnsupportedType, match="complex") as fault:
        TYPES.converter(t)
    assert where in fault.value.where


def test_a_dataclass_that_contains_itself_is_refused_at_declaration() -> None:
    with pytest.raises(UnsupportedType, match="contains itself"):
        TYPES.converter(Tree)


def test_a_name_that_cannot_be_found_is_refused_at_declaration() -> None:
    broken = make_dataclass("broken", [("x", "NowhereToBeFound")])
    with pytest.raises(UnsupportedType, match="NowhereToBeFound"):
        TYPES.converter(broken)


def test_the_literal_type_describes_the_fields() -> None:
    lt = TYPES.literal_type(Config)
    assert lt.simple == SimpleType.STRUCT
    assert lt.metadata["title"] == "Config"
    assert lt.structure.dataclass_type["names"] == LiteralType(collection_type=LiteralType(simple=SimpleType.STRING))
    assert lt.structure.dataclass_type["inner"].metadata["title"] == "Inner"


def test_files_in_the_schema_are_those_of_flytekit() -> None:
    lt = TYPES.literal_type(WithFiles)
    properties = packing.of_struct(lt.metadata)["properties"]
    assert properties["source"]["title"] == "FlyteFile"
    assert properties["folder"]["anyOf"][0]["title"] == "FlyteDirectory"
    assert lt.structure.dataclass_type["source"].blob == BlobType()
