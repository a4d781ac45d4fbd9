"""Every way to write a signature that Python knows, and what each becomes."""

import dataclasses
import enum
import re
import subprocess
import sys
import typing
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypeVar, Union

import pytest
from typing_extensions import TypeAliasType

from alula import Pickle, map_task, task, workflow
from alula.errors import AlulaError, CallError, ConversionError, SignatureError, UnsupportedType

T = TypeVar("T")


# parameters


@task
def plain(a: int, b: str = "b", *, c: float, d: bool | None = None) -> str:
    return f"{a} {b} {c} {d}"


def test_positional_named_and_keyword_only_parameters_and_defaults() -> None:
    assert plain(1, c=1.5) == "1 b 1.5 None"
    assert plain(1, "x", c=1.5, d=True) == "1 x 1.5 True"
    assert plain(b="x", a=1, c=0.0) == "1 x 0.0 None"

    @workflow
    def wf(a: int) -> str:
        return plain(a, c=2.0)

    assert wf(3) == "3 b 2.0 None"


@pytest.mark.parametrize(
    "call", [lambda: plain(c=1.0), lambda: plain(1, a=1, c=1.0), lambda: plain(1, "x", 2.0, None, 5)]
)
def test_calls_that_do_not_fit_name_the_parameter(call: Any) -> None:
    with pytest.raises(CallError, match=r"(?s)'plain'.*test_declarations"):
        call()


@task
def defaults(
    a: Optional[int] = None,  # noqa: UP045 - both spellings
    b: Union[int, str] = "x",  # noqa: UP007
    c: list[int] | None = None,
    d: datetime = datetime(2020, 1, 1),  # noqa: DTZ001
    e: timedelta = timedelta(1),
    f: tuple[int, ...] = (1, 2),
) -> str:
    return f"{a} {b} {c} {d.year} {e.days} {f}"


def test_defaults_of_every_kind() -> None:
    assert defaults() == "None x None 2020 1 (1, 2)"

    @workflow
    def wf(a: int | None = None) -> str:
        return defaults(a=a)

    assert wf() == "None x None 2020 1 (1, 2)"
    assert wf(a=4) == "4 x None 2020 1 (1, 2)"


def test_a_default_of_none_for_what_cannot_be_none_is_no_default() -> None:
    @task
    def t(a: int = None) -> int:  # noqa: RUF013 - the trap under test
        return a

    with pytest.raises(CallError, match="'a' is missing"):
        t()
    assert t(a=1) == 1


def test_a_parameter_named_like_something_of_ours_is_an_input_like_any_other() -> None:
    @task
    def t(self: int, run: int, name: int, fn: int, args: int, kwargs: int, node: int, inputs: int) -> int:
        return self + run + name + fn + args + kwargs + node + inputs

    @workflow
    def wf(self: int, where: int) -> int:
        return t(self=self, run=where, name=1, fn=1, args=1, kwargs=1, node=1, inputs=1)

    assert wf(self=1, where=1) == 8


@task
def no_inputs() -> int:
    return 1


@task
def neither() -> None: ...


@workflow
def neither_wf() -> None:
    neither()


@task
def empty() -> tuple[()]:
    return ()


def test_nothing_in_and_nothing_out() -> None:
    assert no_inputs() == 1
    assert neither() is None
    assert neither_wf() is None
    with pytest.raises(CallError, match="takes 0 positional"):
        no_inputs(5)


@pytest.mark.parametrize(
    "source",
    ["def t(*xs: int) -> int: return 1", "def t(**xs: int) -> int: return 1", "def t(x: int, /) -> int: return 1"],
)
def test_parameters_that_cannot_be_inputs_are_refused(source: str) -> None:
    names: dict[str, Any] = {"__name__": "test_made"}
    exec(source, names)
    with pytest.raises(SignatureError, match="x"):
        task(names["t"])


# postponed, later, generic


def test_postponed_annotations_and_classes_of_the_module(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(POSTPONED)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == "Point(x=2, tags=['a']) [Point(x=1, tags=[])] 3\n"


POSTPONED = """
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, NamedTuple

from alula import task, workflow

if TYPE_CHECKING:
    from collections.abc import Mapping

@dataclass
class Point:
    x: int
    tags: list[str] = field(default_factory=list)

class Out(NamedTuple):
    best: Point
    rest: list[Point]
    n: Annotated[int, "how many"]

@task
def t(p: Point | None, n: int = 3) -> Out:
    return Out(p, [Point(1)], n)

@workflow
def wf(p: Point) -> Out:
    return t(p=p)

print(*wf(p=Point(2, ["a"])))
"""


def test_a_class_that_is_defined_later_is_named_with_what_to_do() -> None:
    with pytest.raises(SignatureError, match=r"(?s)'early'.*Later.*test_declarations.*fix:"):

        @task
        def early(x: "Later") -> int:  # noqa: F821 - the trap under test
            return 1


@dataclasses.dataclass
class Box(Generic[T]):
    item: T
    more: list[T]


@task
def box(b: Box[int]) -> Box[str]:
    return Box(str(b.item), [str(x) for x in b.more])


@task
def unbox(b: Box[list[float]]) -> float:
    return sum(b.item)


def test_generic_classes_are_checked_by_their_arguments() -> None:
    assert box(b=Box(1, [2])) == Box("1", ["2"])
    assert unbox(b=Box([1.0, 2.0], [])) == 3.0
    with pytest.raises(ConversionError, match=r"(?s)'b' of 'box' at .*more\[0\].*'x'"):
        box(b=Box(1, ["x"]))


def test_a_type_variable_is_no_type() -> None:
    with pytest.raises(UnsupportedType, match=r"(?s)parameter 'x'.*T.*concrete"):

        @task
        def t(x: T) -> T:
            return x


UserId = NewType("UserId", int)
Ids = NewType("Ids", list[UserId])


def test_an_alias_of_a_type_counts_as_the_type() -> None:
    Ints = TypeAliasType("Ints", list[int])

    @task
    def t(xs: Ints, more: dict[str, Ints] | None = None) -> Ints:
        return xs

    assert t(xs=[1]) == [1]
    assert t(xs=[1], more={"a": [1]}) == [1]
    with pytest.raises(ConversionError, match=r"(?s)'more' of 't'.*'x'"):
        t(xs=[1], more={"a": ["x"]})


def test_a_new_type_counts_as_what_it_is_made_of() -> None:
    @task
    def t(u: UserId) -> UserId:
        return UserId(u + 1)

    @task
    def many(us: Ids | None) -> dict[str, Annotated[UserId, "x"]]:
        return {str(u): u for u in us or ()}

    assert t(u=UserId(1)) == 2
    assert many(us=Ids([UserId(1)])) == {"1": 1}
    with pytest.raises(ConversionError, match=r"'u' of 't'.*'x'"):
        t(u="x")


# types


class Color(enum.Enum):
    RED = "red"


class Level(str, enum.Enum):  # noqa: UP042 - still the usual way
    LOW = "low"


class Named(NamedTuple):
    a: int
    b: str = "b"


@dataclasses.dataclass
class Deep:
    color: Color
    when: date
    named: Named
    many: dict[str, list[Level]]
    either: int | str | None
    choice: Literal["x", "y"]
    anything: Any = None


DEEP = Deep(Color.RED, date(2020, 1, 2), Named(1), {"k": [Level.LOW]}, "s", "x", {"free": [1, 2.5, None]})

ROUND = [
    (int, 2**62),
    (float, float("inf")),
    (bool, True),
    (str, "ü\n\x00"),
    (bytes, b"\x00\xff"),
    (None, None),
    (date, date(1970, 1, 1)),
    (Color, Color.RED),
    (Level, Level.LOW),
    (Literal[1, 2], 1),
    (Literal[True], True),
    (list[dict[str, list[int]]], [{"a": [1]}, {}]),
    (dict[int, str], {1: "a"}),
    (list[tuple[int, str]], [(1, "a")]),
    (tuple[int, ...], (1, 2, 3)),
    (set[int], {1, 2}),
    (Optional[list[Color]], [Color.RED]),  # noqa: UP045
    (int | str | list[int], [1]),
    (list[int | None], [1, None]),
    (dict[str, int | str | None], {"a": 1, "b": "x", "c": None}),
    (Deep, DEEP),
    (list[Deep | None], [DEEP, None]),
    (Annotated[list[Annotated[int, "inner"]], "outer"], [1]),
    (typing.List[int], [1]),  # noqa: UP006
    (typing.Dict[str, typing.Tuple[int, str]], {"a": (1, "b")}),  # noqa: UP006
]


@pytest.mark.parametrize(("t", "value"), ROUND, ids=[str(t) for t, _ in ROUND])
def test_values_of_every_type_pass_through_tasks_unchanged(t: Any, value: Any) -> None:
    def echo(x):
        return x

    echo.__annotations__ = {"x": t, "return": t}
    one = task(echo)

    def body(x):
        return one(x=one(x=x))

    body.__annotations__ = {"x": t, "return": t}
    if t is None:
        assert one(x=None) is None
        return
    got = workflow(body)(x=value)
    assert got == value
    assert type(got) is type(value)
    assert map_task(one)(x=[value, value]) == [value, value]


class Unknown: ...


@pytest.mark.parametrize(
    ("t", "path"),
    [
        (Unknown, "Unknown"),
        (list[Unknown], "element of list"),
        (dict[str, list[Unknown]], "value of dict.*element of list"),
        (Unknown | None, "Unknown"),
        (tuple[int, Unknown], "Unknown"),
        (dict[str, Box[Unknown]], "Box.*Unknown"),
        (Annotated[list[Unknown], "x"], "Unknown"),
        (list, "what it holds"),
        (object, "object"),
        (Sequence[int], r"Sequence\[int\].*list\[\.\.\.\]"),
        (dict[str, Mapping[str, int]], r"value of dict.*dict\[\.\.\.\]"),
    ],
    ids=str,
)
def test_an_unknown_type_anywhere_is_an_error_at_declaration_that_says_where(t: Any, path: str) -> None:
    for place in ("x", "return"):

        def f(x):
            return x

        f.__annotations__ = {"x": int, "return": int} | {place: t}
        what = "parameter 'x'" if place == "x" else "(the return value|output 'o1')"
        with pytest.raises(UnsupportedType, match=rf"(?s)'f'.*{what}.*{path}") as caught:
            task(f)
        assert re.search(r"where: .*test_declarations\.py:\d+", str(caught.value))


def test_an_unknown_field_of_a_dataclass_is_named_with_its_path() -> None:
    @dataclasses.dataclass
    class Inner:
        what: Unknown

    @dataclasses.dataclass
    class Outer:
        inners: list[Inner]

    with pytest.raises(UnsupportedType, match=r"(?s)Unknown.*inners.*Outer.*what.*Inner"):

        @task
        def t(o: Outer) -> int:
            return 1


def test_all_faults_of_a_signature_are_told_at_once() -> None:
    with pytest.raises(AlulaError) as caught:

        @task
        def t(a: Unknown, b, c: int = "x", *d: int) -> list:
            return []

    for part in ("'a'", "'b'", "'c'", "*d", "return value"):
        assert part in str(caught.value), part


def test_pickling_is_asked_for() -> None:
    @task
    def t(x: Pickle[Unknown]) -> int:
        return 1 if isinstance(x, Unknown) else 0

    assert t(x=Unknown()) == 1


@pytest.mark.parametrize(
    ("declared", "value"), [(int, True), (int, 1.0), (str, 1), (bool, 1), (float, "1"), (list[int], (1,))]
)
def test_values_of_other_types_are_refused_exactly(declared: Any, value: Any) -> None:
    def f(x):
        raise AssertionError("must not run")

    f.__annotations__ = {"x": declared, "return": None}
    with pytest.raises(ConversionError, match=r"(?s)input 'x' of 'f'.*expected .*got .*test_declarations\.py.*fix:"):
        task(f)(x=value)
