"""int, float, str, bool, None, datetime, date and timedelta: one primitive each, checked by exact class.

A bool is no int, a datetime no date, and an int no float: what a task declares is what its function gets.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, TypeVar

from alula.errors import ConversionError
from alula.idl import Literal, LiteralType, SimpleType, literals, packing
from alula.types.transformer import Converter, Packing, Place, Types, TypeTransformer, wrong_type

T = TypeVar("T")

_INT64 = (-(2**63), 2**63)
_PACKED_INT = (-(2**63), 2**64)
_NO_NUMBERS = frozenset({"NaN", "Infinity", "-Infinity"})
"""What stands in JSON for a float that it has no number for. Source: https://protobuf.dev/programming-guides/json."""


class _Simple(TypeTransformer[T]):
    """A class with one `SimpleType`; instances of subclasses are refused, as flytekit does."""

    simple: ClassVar[SimpleType]
    plain: ClassVar[type]
    """The class of its packed form."""

    @abstractmethod
    def read(self, lit: Literal) -> T:
        """The value of a literal of this type, or ConversionError."""

    @abstractmethod
    def write(self, value: T) -> Literal: ...

    @abstractmethod
    def unpack(self, plain: Any, at: Place | None = None) -> T:
        """The value of its packed form; accepts what JSON made of it."""

    def pack(self, value: T, at: Place | None = None) -> Any:
        return value

    def copied(self, value: T) -> T:
        """The value as it comes back from its literal."""
        return value

    def copied_packed(self, value: T) -> T:
        """The value as it comes back from packed data."""
        return value

    def fix(self, value: Any) -> str:
        """What to write instead of a value of another type."""
        return f"convert it: {self.python_type.__name__}(...)" if _convertible(self.python_type, value) else ""

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(simple=self.simple)

    def to_literal(self, value: T, t: Any, at: Place) -> Literal:
        return self.write(value)

    def to_python(self, lit: Literal, t: Any, at: Place) -> T:
        return self.read(lit)

    def check(self, value: Any, t: Any) -> None:
        if type(value) is not self.python_type:
            raise wrong_type(value, t, self.fix(value))

    def guess(self, lt: LiteralType, types: Types) -> Any:
        return self.python_type if lt.WhichOneof("type") == "simple" and lt.simple == self.simple else None

    def converter(self, t: Any, types: Types) -> Converter:
        exact, write, read, check = self.python_type, self.write, self.read, self.check

        def put(value: Any, at: Place) -> Literal:
            if type(value) is not exact:
                check(value, t)
            return write(value)

        def take(lit: Literal, at: Place) -> T:
            return read(lit)

        return Converter(
            declared=t,
            literal_type=self.literal_type(t, types),
            to_literal=put,
            to_python=take,
            copy=self._checked(self.copied, t),
            name=self.name,
            matches=lambda value: type(value) is exact,
        )

    def packing(self, t: Any, types: Types) -> Packing:
        pack = self.pack

        def checked(value: Any, at: Place) -> Any:
            self.check(value, t)
            return pack(value)

        return Packing(
            pack=checked,
            unpack=self.unpack,
            copy=self._checked(self.copied_packed, t),
            exact=self.python_type if self.plain is self.python_type else None,
            kinds=frozenset({self.plain}),
            of=self.python_type,
        )

    def _checked(self, copied: Callable[[T], T], t: Any) -> Callable[[Any], T]:
        exact, check = self.python_type, self.check

        def copy(value: Any) -> T:
            if type(value) is not exact:
                check(value, t)
            return copied(value)

        return copy

    def _odd(self, lit: Literal) -> T:
        """The value of a literal of another kind: a part of packed data, a variant of someone's union, or a fault."""
        if packing.is_packed(lit):
            return self.unpack(packing.unpacked(lit))
        kind = literals.kind(lit)
        if kind == "union":
            return self.read(lit.scalar.union.value)
        raise ConversionError(f"expected {self.name}, got {kind or 'an empty'} literal{_text(lit)}")

    def _refuse(self, plain: Any) -> ConversionError:
        return wrong_type(plain, self.python_type)


class _Int(_Simple[int]):
    python_type = int
    name = "int"
    simple = SimpleType.INTEGER
    plain = int

    def write(self, value: int) -> Literal:
        return literals.integer(value)

    def read(self, lit: Literal) -> int:
        value = lit.scalar.primitive.integer
        if value:  # only a set field is not zero: no need to ask which one is set
            return value
        kind = literals.kind(lit)
        if kind == "integer":
            return 0
        if kind == "float_value":  # the console's numbers are all floats
            return self.unpack(lit.scalar.primitive.float_value)
        return self._odd(lit)

    def unpack(self, plain: Any, at: Place | None = None) -> int:
        if type(plain) is int:
            return plain
        if type(plain) is float and plain.is_integer():
            return int(plain)
        raise self._refuse(plain)

    def _checked(self, copied: Callable[[int], int], t: Any) -> Callable[[Any], int]:
        careful, low, high = super()._checked(copied, t), *_INT64

        def copy(value: Any) -> int:
            return value if type(value) is int and low <= value < high else careful(value)

        return copy

    def copied(self, value: int) -> int:
        if not _INT64[0] <= value < _INT64[1]:
            literals.integer(value)
        return value

    def copied_packed(self, value: int) -> int:
        if not _PACKED_INT[0] <= value < _PACKED_INT[1]:
            packing.packed(value)
        return value


class _Float(_Simple[float]):
    python_type = float
    name = "float"
    simple = SimpleType.FLOAT
    plain = float

    def write(self, value: float) -> Literal:
        return literals.floating(value)

    def read(self, lit: Literal) -> float:
        value = lit.scalar.primitive.float_value
        if value:
            return value
        kind = literals.kind(lit)
        if kind == "float_value":
            return value
        if kind == "integer":
            return float(lit.scalar.primitive.integer)
        return self._odd(lit)

    def unpack(self, plain: Any, at: Place | None = None) -> float:
        if type(plain) is float:
            return plain
        if type(plain) is int:
            return float(plain)
        if type(plain) is str and plain in _NO_NUMBERS:
            return float(plain)
        raise self._refuse(plain)

    def fix(self, value: Any) -> str:
        return f"write {float(value)}" if type(value) is int and abs(value) < 10**15 else super().fix(value)

    def packing(self, t: Any, types: Types) -> Packing:
        """A float field takes an int as well, as Python's own type checkers do, and reads it back as a float."""
        check = self.check

        def pack(value: Any, at: Place) -> Any:
            if type(value) is not int:
                check(value, t)
            return value

        def copy(value: Any) -> float:
            if type(value) is not int:
                check(value, t)
            return float(value)

        return Packing(pack, self.unpack, copy=copy, exact=float, kinds=frozenset({float}), of=float)


class _Str(_Simple[str]):
    python_type = str
    name = "str"
    simple = SimpleType.STRING
    plain = str

    def write(self, value: str) -> Literal:
        try:
            return literals.string(value)
        except (UnicodeEncodeError, ValueError) as exc:
            raise _not_text(value) from exc

    def read(self, lit: Literal) -> str:
        value = lit.scalar.primitive.string_value
        if value or literals.kind(lit) == "string_value":
            return value
        return self._odd(lit)

    def unpack(self, plain: Any, at: Place | None = None) -> str:
        if type(plain) is str:
            return plain
        raise self._refuse(plain)

    def _checked(self, copied: Callable[[str], str], t: Any) -> Callable[[Any], str]:
        careful = super()._checked(copied, t)

        def copy(value: Any) -> str:
            return value if type(value) is str and value.isascii() else careful(value)

        return copy

    def copied(self, value: str) -> str:
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as exc:
                raise _not_text(value) from exc
        return value

    copied_packed = copied


class _Bool(_Simple[bool]):
    python_type = bool
    name = "bool"
    simple = SimpleType.BOOLEAN
    plain = bool

    def write(self, value: bool) -> Literal:
        return literals.boolean(value)

    def read(self, lit: Literal) -> bool:
        value = lit.scalar.primitive.boolean
        return value if value or literals.kind(lit) == "boolean" else self._odd(lit)

    def unpack(self, plain: Any, at: Place | None = None) -> bool:
        if type(plain) is bool:
            return plain
        raise self._refuse(plain)


class _Nothing(_Simple[None]):
    python_type = type(None)
    more_types = (None,)
    name = "none"
    simple = SimpleType.NONE
    plain = type(None)

    def write(self, value: None) -> Literal:
        return literals.none()

    def read(self, lit: Literal) -> None:
        return None if literals.kind(lit) == "none_type" else self._odd(lit)

    def unpack(self, plain: Any, at: Place | None = None) -> None:
        if plain is not None:
            raise self._refuse(plain)


class _Datetime(_Simple[datetime]):
    """A naive datetime is taken as UTC, and every one comes back in UTC."""

    python_type = datetime
    name = "datetime"
    simple = SimpleType.DATETIME
    plain = str

    def write(self, value: datetime) -> Literal:
        return literals.timestamp(value)

    def read(self, lit: Literal) -> datetime:
        return literals.to_datetime(lit) if literals.kind(lit) == "datetime" else self._odd(lit)

    def pack(self, value: datetime, at: Place | None = None) -> str:
        return value.isoformat()

    def unpack(self, plain: Any, at: Place | None = None) -> datetime:
        return _from_text(datetime.fromisoformat, plain, datetime)

    def copied(self, value: datetime) -> datetime:
        return literals.to_datetime(literals.timestamp(value)) if value.tzinfo is not UTC or value.fold else value

    def copied_packed(self, value: datetime) -> datetime:
        simple = value.tzinfo is None or value.tzinfo is UTC
        return value if simple and not value.fold else datetime.fromisoformat(value.isoformat())


class _Date(_Simple[date]):
    """A date is midnight UTC on the wire."""

    python_type = date
    name = "date"
    simple = SimpleType.DATETIME
    plain = str

    def write(self, value: date) -> Literal:
        return literals.timestamp(datetime.combine(value, time.min, UTC))

    def read(self, lit: Literal) -> date:
        return literals.to_datetime(lit).date() if literals.kind(lit) == "datetime" else self._odd(lit)

    def pack(self, value: date, at: Place | None = None) -> str:
        return value.isoformat()

    def unpack(self, plain: Any, at: Place | None = None) -> date:
        return _from_text(date.fromisoformat, plain, date)

    def fix(self, value: Any) -> str:
        return "pass its .date()" if isinstance(value, datetime) else super().fix(value)


class _Timedelta(_Simple[timedelta]):
    python_type = timedelta
    name = "timedelta"
    simple = SimpleType.DURATION
    plain = float

    def write(self, value: timedelta) -> Literal:
        return literals.duration(value)

    def read(self, lit: Literal) -> timedelta:
        return literals.to_timedelta(lit) if literals.kind(lit) == "duration" else self._odd(lit)

    def pack(self, value: timedelta, at: Place | None = None) -> float:
        return value.total_seconds()

    def unpack(self, plain: Any, at: Place | None = None) -> timedelta:
        if type(plain) not in (float, int):
            raise self._refuse(plain)
        try:
            return timedelta(seconds=plain)
        except (OverflowError, ValueError) as exc:
            raise ConversionError(f"{plain} seconds is no span that Python can hold") from exc

    def copied_packed(self, value: timedelta) -> timedelta:
        return self.unpack(value.total_seconds())  # a float of seconds loses microseconds beyond 285 years


def _from_text(parse: Callable[[str], T], plain: Any, t: type) -> T:
    if type(plain) is not str:
        raise wrong_type(plain, t)
    try:
        return parse(plain)
    except ValueError as exc:
        raise ConversionError(f"{plain!r} is no {t.__name__} in ISO 8601") from exc


def _convertible(t: type, value: Any) -> bool:
    """Whether calling `t(value)` is a sensible advice."""
    if t is bool:
        return type(value).__name__ in ("bool_", "int")
    if t is int and isinstance(value, float):
        return False  # it would drop the fraction
    return t in (int, float, str) and (isinstance(value, t) or hasattr(value, "__index__") or hasattr(value, "item"))


def _not_text(value: str) -> ConversionError:
    return ConversionError(
        f"{value!r} holds lone surrogates, which are no text", fix="decode bytes with errors='replace', or pass bytes"
    )


def _text(lit: Literal) -> str:
    shown = str(lit).replace("\n", " ").strip()
    return f": {shown if len(shown) <= 80 else shown[:77] + '...'}" if shown else ""


transformers: list[TypeTransformer[Any]] = [
    _Int(),
    _Float(),
    _Str(),
    _Datetime(),
    _Date(),
    _Timedelta(),
    _Bool(),
    _Nothing(),
]
