"""The families that need no library, against the suite that third parties use."""

# ruff: noqa: UP007, UP045 - both spellings of a union are tested
from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, Optional, TypeVar, Union
from uuid import UUID

from google.protobuf.struct_pb2 import Struct
from pydantic import BaseModel, field_validator

from alula.idl import Identifier
from alula.testing.suites.transformer import TransformerSuite
from alula.types.errors import TaskError
from alula.types.pickle import Pickle

T = TypeVar("T")
EAST = timezone(timedelta(hours=5, minutes=30))


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.StrEnum):
    SMALL = "s"
    LARGE = "l"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


class Point(NamedTuple):
    x: int
    y: float = 0.5


@dataclass
class Inner:
    a: int
    b: str = "x"


@dataclass
class Twin:
    """The same fields as `Inner`, under another name."""

    a: int
    b: str = "x"


@dataclass(frozen=True, slots=True)
class Frozen:
    day: date
    when: datetime
    span: timedelta = timedelta(seconds=1.5)


@dataclass
class Child(Inner):
    more: list[Inner] = field(default_factory=list)


@dataclass
class Box(Generic[T]):
    item: T
    count: int = 1


@dataclass
class IntBox(Box[int]):
    label: str = ""


@dataclass(kw_only=True)
class Keywords:
    a: int
    b: float = 1.0
    text: str = None  # type: ignore[assignment]


@dataclass
class Derived:
    a: int
    doubled: int = field(init=False)

    def __post_init__(self) -> None:
        self.doubled = 2 * self.a


@dataclass
class Everything:
    color: Color
    level: Level
    size: Size
    inner: Inner
    many: list[Inner]
    by_name: dict[str, Inner]
    by_number: dict[int, list[str]]
    maybe: Optional[int]
    either: Union[int, str, None]
    record: Inner | Twin
    anything: Any
    pair: tuple[int, str]
    row: tuple[float, ...]
    point: Point
    tags: set[str]
    mode: Literal["fast", "slow"]
    raw: bytes
    loose: dict[str, Any]
    path: Path
    key: UUID
    price: Decimal


def everything() -> Everything:
    return Everything(
        Color.RED, Level.HIGH, Size.LARGE, Inner(1), [Inner(2, "y")], {"k": Inner(3)}, {1: ["a"], -2: []}, None, "s",
        Twin(4), {"a": [1, 2.5, None, {"b": True}]}, (1, "a"), (1.0, 2.0), Point(1, 2.0), {"p", "q"}, "slow",
        b"\x00\xff", {"z": [1]}, Path("a/b"), UUID(int=7), Decimal("1.10"),
    )  # fmt: skip


class Model(BaseModel):
    a: int
    when: datetime | None = None
    color: Color = Color.RED

    @field_validator("a")
    @classmethod
    def positive(cls, value: int) -> int:
        if value < 0:
            raise ValueError("must not be negative")
        return value


class DeepModel(BaseModel, frozen=True):
    model: Model
    models: list[Model]
    span: timedelta = timedelta(0)


class Plain:
    def __init__(self, n: int) -> None:
        self.n = n

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and other.n == self.n

    __hash__ = None  # type: ignore[assignment]


class TestSimple(TransformerSuite):
    cases = (
        (int, 0),
        (int, -(2**63)),
        (int, 2**63 - 1),
        (float, 0.1),
        (float, -0.0),
        (float, float("inf")),
        (str, ""),
        (str, "zażółć 🜂 \x00"),
        (bool, True),
        (bool, False),
        (type(None), None),
        (datetime, datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)),
        (datetime, datetime(1901, 1, 1, tzinfo=UTC)),
        (date, date(2024, 2, 29)),
        (timedelta, timedelta(days=-3, microseconds=7)),
        (bytes, b""),
        (bytes, b"\x00\xff" * 100),
    )
    wrong = (
        (int, True),
        (int, 1.0),
        (int, 2**63),
        (float, 1),
        (str, 1),
        (str, "\ud800"),
        (bool, 1),
        (type(None), 0),
        (datetime, date(2024, 1, 1)),
        (date, datetime(2024, 1, 1)),  # noqa: DTZ001
        (timedelta, 1.0),
        (bytes, bytearray(b"x")),
    )


class TestEnumsAndChoices(TransformerSuite):
    cases = (
        (Color, Color.RED),
        (Size, Size.LARGE),
        (Literal["a", "b"], "b"),
        (Literal[1, 2], 2),
        (Literal[True], True),
    )
    wrong = ((Color, "green"), (Color, Size.SMALL), (Literal["a"], "b"), (Literal[1], True), (Literal[1], 1.0))


class TestCollections(TransformerSuite):
    cases = (
        (list[int], []),
        (list[int], lambda: list(range(1000))),
        (list[float], lambda: [0.5, -0.0]),
        (list[str], lambda: ["a", ""] * 100),
        (list[bool], lambda: [True, False]),
        (list[list[Color]], lambda: [[Color.RED], []]),
        (dict[str, int], lambda: {"b": 2, "a": 1}),
        (dict[str, dict[str, list[int]]], lambda: {"a": {"b": [1]}, "c": {}}),
        (dict[int, str], lambda: {1: "one", -2: "two"}),
        (dict[date, list[int]], lambda: {date(2024, 1, 1): [1]}),
        (dict, lambda: {"a": 1, 2: [1.5, None, {"c": True}]}),
        (list[Optional[int]], lambda: [None, 1]),
    )
    wrong = (
        (list[int], (1, 2)),
        (list[int], [1, True]),
        (list[int], [1, 2**63]),
        (list[list[int]], [[1], [1.0]]),
        (list[str], ["a", None]),
        (dict[str, int], {"a": "b"}),
        (dict[str, int], {1: 1}),
        (dict[int, str], {"1": 1}),
        (dict, {"a": object()}),
    )


class TestTuplesAndSets(TransformerSuite):
    cases = (
        (tuple[int, str], (1, "a")),
        (tuple[float, ...], (1.0, 2.0)),
        (tuple[()], ()),
        (tuple[list[int], Inner], lambda: ([1], Inner(1))),
        (Point, Point(1, 2.0)),
        (set[int], lambda: {1, 2, 3}),
        (frozenset[str], frozenset({"a", "b"})),
    )
    wrong = (
        (tuple[int, str], (1, 2)),
        (tuple[int, str], (1, "a", "b")),
        (tuple[int, ...], [1]),
        (Point, (1, 2.0)),
        (set[int], {1, "a"}),
    )


class TestUnions(TransformerSuite):
    cases = (
        (Optional[int], None),
        (Optional[int], 3),
        (Union[int, str, float], 5.5),
        (Union[int, bool], True),
        (Union[Color, str], Color.RED),
        (Union[Color, str], "red"),
        (Union[datetime, timedelta, None], timedelta(1)),
        (Union[list[int], int], lambda: [1]),
        (Union[list[int], list[str]], lambda: ["a"]),
        (Union[list[int], list[str]], lambda: list[int]()),
        (Union[Inner, Twin], lambda: Twin(1)),
        (Union[Inner, Twin], lambda: Inner(1)),
        (Union[Inner, Child], lambda: Child(1, more=[Inner(2)])),
        (Union[dict[str, int], dict[int, int]], lambda: {1: 1}),
    )
    wrong = ((Optional[int], "a"), (Union[int, str], True), (Union[float, str], 1), (Union[Inner, Twin], 1))

    def _packed_alike(self, t: Any, value: Any) -> Any:
        return "red" if value is Color.RED or value == "red" else value


class TestDataclasses(TransformerSuite):
    cases = (
        (Inner, lambda: Inner(2**60, "é")),
        (Frozen, Frozen(date(2024, 1, 2), datetime(2024, 1, 2, tzinfo=EAST))),
        (Child, lambda: Child(1, "b", [Inner(2)])),
        (Box[int], lambda: Box(5, 2)),
        (Box[list[Inner]], lambda: Box([Inner(1)])),
        (IntBox, lambda: IntBox(5, label="l")),
        (Keywords, lambda: Keywords(a=1)),
        (Derived, lambda: Derived(4)),
        (Everything, everything),
    )
    wrong = (
        (Inner, lambda: Inner("1")),  # type: ignore[arg-type]
        (Inner, lambda: Inner(2**64)),
        (Inner, lambda: Twin(1)),
        (Child, lambda: Inner(1)),
        (Box[int], lambda: Box("a")),
        (Keywords, {"b": 1.0}),
    )


class TestModels(TransformerSuite):
    cases = (
        (Model, lambda: Model(a=1, when=datetime(2024, 1, 1, tzinfo=UTC))),
        (DeepModel, lambda: DeepModel(model=Model(a=1), models=[Model(a=2, color=Color.BLUE)])),
    )
    wrong = ((Model, {"a": 1}), (Model, lambda: Model.model_construct(a=-1)))

    def test_wrong_values_are_refused_by_both_ways_in(self, types: Any, at: Any, tmp_path: Any) -> None:
        """A model that skipped its validators is refused by whoever reads it."""
        converter = types.converter(Model)
        written = converter.to_literal(Model.model_construct(a=-1, when=None, color=Color.RED), at)
        for read in (lambda: converter.to_python(written, at), lambda: converter.copy(Model.model_construct(a=-1))):
            try:
                read()
            except ValueError as exc:
                assert "must not be negative" in str(exc)  # noqa: PT017
            else:
                raise AssertionError("the validator did not run")


class TestTheRest(TransformerSuite):
    cases = (
        (TaskError, TaskError("it broke", "n3")),
        (Pickle[Plain], lambda: Plain(3)),
        (Identifier, lambda: Identifier(project="p", name="n", version="v")),
        (Struct, lambda: Struct(fields={"a": {"number_value": 1.5}})),  # type: ignore[dict-item]
    )
    wrong = ((TaskError, "it broke"), (Pickle[Plain], 3), (Identifier, Struct()))
