"""The classes of the value table, importable in both worlds."""

# Users write both spellings of types, so both are converted here.
# ruff: noqa: UP006, UP007, UP035, UP045

import enum
import functools
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import (
    Any,
    ClassVar,
    Dict,
    Generic,
    List,
    Literal,
    NamedTuple,
    Optional,
    Set,
    Tuple,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID

from dialect import sdk
from pydantic import BaseModel, Field

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(str, enum.Enum):  # noqa: UP042 - the older way to write it, which users have
    SMALL = "s"
    LARGE = "l"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


@dataclass
class Flat:
    a: int
    b: float
    c: str
    d: bool


@dataclass
class Nested:
    name: str
    flat: Flat
    more: List[Flat]
    named: Dict[str, Flat]


@dataclass
class Rich:
    color: Color
    at: datetime
    day: date
    span: timedelta
    maybe: Optional[int]
    either: Union[int, str]
    rows: List[List[int]]
    by_key: Dict[str, List[float]]
    mode: Literal["fast", "slow"] = "fast"


class Names(TypedDict):
    first: str


@dataclass
class Wide:
    """Fields of which flytekit knows some by their schema only, and describes them as pickles."""

    shared: ClassVar[int] = 1
    raw: bytes
    clock: time
    level: Level
    anything: Any
    some: List[Any]
    named: Dict[str, Any]
    tags: Set[str]
    key: UUID
    maybe_key: Optional[UUID]
    price: Decimal
    path: Path
    pairs: List[Tuple[int, int]]
    names: Names
    bare: dict
    whole: float = 2
    color: Color = Color.RED


@dataclass
class Defaults:
    a: int = 3
    b: str = "b"
    c: Optional[float] = None
    d: List[int] = field(default_factory=list)
    e: Dict[str, int] = field(default_factory=dict)


@dataclass
class WithTuple:
    pair: Tuple[int, str]
    many: Tuple[int, ...] = ()


@dataclass
class IntKeys:
    table: Dict[int, str]


@dataclass(frozen=True)
class Frozen:
    x: int
    y: float = 0.5


@dataclass
class Child(Flat):
    e: List[str] = field(default_factory=list)


@dataclass
class Box(Generic[T]):
    item: T
    count: int = 1


@dataclass
class Holder:
    box: Box[int]


@dataclass
class OtherFlat:
    """The same shape as `Flat`, under another name."""

    a: int
    b: float
    c: str
    d: bool


@dataclass
class Recursive:
    value: int
    children: List["Recursive"] = field(default_factory=list)


@dataclass
class WithFile:
    label: str
    source: sdk.File


@dataclass
class WithFiles:
    sources: List[sdk.File]
    by_name: Dict[str, sdk.File]
    maybe: Optional[sdk.File] = None


@dataclass
class WithDirectory:
    folder: sdk.Directory


@dataclass
class WithDataset:
    table: sdk.StructuredDataset


@dataclass
class HoldsModel:
    n: int
    when: Optional[datetime] = None


class Model(BaseModel):
    a: int
    b: float = 1.5
    c: Optional[str] = None


class DeepModel(BaseModel):
    name: str
    model: Model
    models: List[Model]
    named: Dict[str, int] = Field(default_factory=dict)


class RichModel(BaseModel):
    color: Color
    at: datetime
    span: timedelta
    maybe: Optional[int] = None
    either: Union[int, str] = "x"


@functools.cache
def model_with_file() -> type[BaseModel]:
    """Made when it is asked for: only the row that needs it fails where models cannot hold files."""

    class ModelWithFile(BaseModel):
        label: str
        source: sdk.File

    return ModelWithFile


class Pair(NamedTuple):
    left: int
    right: str


class Plain:
    """A class that no transformer knows."""

    def __init__(self, n: int) -> None:
        self.n = n
