"""A type of your own: where it is looked up, what may be overridden, and how it behaves inside every other type."""

import asyncio
import dataclasses
import enum
import subprocess
import sys
import typing
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import pytest

from alula import TypeTransformer, dynamic, map_task, task, workflow
from alula.errors import ConversionError, RestrictedType, UnsupportedType
from alula.idl import Literal, LiteralType, SimpleType, literals
from alula.types import Place, Registry, Types, register

T = TypeVar("T")
STRING = LiteralType(simple=SimpleType.STRING)


class Texts(TypeTransformer[Any]):
    """Writes anything as a text with a mark, so that a test sees who wrote it."""

    def __init__(self, served: Any, mark: str, make: Any = None) -> None:
        self.python_type, self.mark, self.make = served, mark, make or served

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(simple=SimpleType.STRING)

    def to_literal(self, value: Any, t: Any, at: Place) -> Literal:
        return literals.string(f"{self.mark}:{value}")

    def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        mark, _, text = lit.scalar.primitive.string_value.partition(":")
        if mark != self.mark:
            raise ConversionError(f"written by {mark}, read by {self.mark}")
        return self.make(text)


def mark(types: Registry, t: Any) -> str:
    """Who serves a type in a registry."""
    found = types.transformer(t)
    return getattr(found, "mark", type(found).__name__)


# where a type is looked up: the eight cases


class Base:
    def __init__(self, text: str = "") -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and str(self) == str(other)

    __hash__ = None


class Child(Base): ...


class Grandchild(Child): ...


class Color(str, enum.Enum):  # noqa: UP042 - still the usual way
    RED = "red"


class Pair(Generic[T]): ...


@dataclasses.dataclass
class Record(Base):
    text: str = ""


@dataclasses.dataclass
class Plain:
    x: int


def test_1_a_transformer_in_annotated_goes_before_everything() -> None:
    types = Registry()
    types.register(Texts(Base, "base"))
    assert mark(types, Annotated[Base, Texts(Base, "own")]) == "own"
    assert mark(types, Annotated[int, Texts(int, "own")]) == "own"
    assert mark(types, Annotated[list[int], "other", Texts(list, "own"), 5]) == "own"
    assert mark(types, Base) == "base"


def test_2_an_enum_is_an_enum_before_it_is_a_str() -> None:
    types = Registry()
    types.register(Texts(str, "str"), override=True)
    assert mark(types, Color) == "EnumTransformer"
    types.register(Texts(Color, "color"))
    assert mark(types, Color) == "color"


def test_3_choices_and_unions_in_both_spellings_have_their_own() -> None:
    types = Registry()
    choice = mark(types, typing.Literal["a"])
    union = mark(types, int | str)
    assert union == mark(types, typing.Union[int, str]) == mark(types, typing.Optional[int])  # noqa: UP007, UP045
    assert len({choice, union, mark(types, str)}) == 3


def test_4_a_parametrised_type_as_a_whole_goes_before_its_origin() -> None:
    types = Registry()
    types.register(Texts(Pair, "any pair"))
    types.register(Texts(Pair[int], "int pair"))
    assert (mark(types, Pair[int]), mark(types, Pair[str]), mark(types, Pair)) == ("int pair", "any pair", "any pair")
    types.register(Texts(list[UUID], "uuids"))
    assert mark(types, list[UUID]) == "uuids"
    assert mark(types, list[int]) == "ListTransformer"


def test_5_a_class_goes_before_its_bases_nearest_first() -> None:
    types = Registry()
    types.register(Texts(Base, "base"))
    assert mark(types, Grandchild) == "base"
    types.register(Texts(Child, "child"))
    assert (mark(types, Grandchild), mark(types, Child), mark(types, Base)) == ("child", "child", "base")


def test_6_a_registered_base_goes_before_dataclasses() -> None:
    types = Registry()
    assert mark(types, Record) == "DataclassTransformer"
    types.register(Texts(Base, "base"))
    assert mark(types, Record) == "base"
    assert mark(types, Plain) == "DataclassTransformer"


def test_7_what_nobody_serves_is_an_error_and_no_pickle() -> None:
    for t in (Base, object, Any, T, Pair[int], complex, type, Annotated[Base, "x"]):
        with pytest.raises(UnsupportedType, match="no transformer accepts"):
            Registry().converter(t)


def test_8_annotated_metadata_that_is_no_transformer_changes_nothing() -> None:
    types = Registry()
    types.register(Texts(Base, "base"))
    assert mark(types, Annotated[Base, "x", 5]) == "base"
    assert types.literal_type(Annotated[int, "x"]) == types.literal_type(int)


# registration


def test_a_type_is_registered_once_unless_override_is_said() -> None:
    types = Registry()
    first, second = Texts(Base, "first"), Texts(Base, "second")
    types.register(first)
    types.register(first)
    with pytest.raises(UnsupportedType, match=r"(?s)Base is already served by Texts.*override=True"):
        types.register(second)
    assert mark(types, Base) == "first"
    types.register(second, override=True)
    assert mark(types, Base) == "second"


def test_built_in_types_are_protected_too() -> None:
    types = Registry()
    with pytest.raises(UnsupportedType, match="already served"):
        types.register(Texts(int, "mine"))
    assert mark(types, int) != "mine"


def test_more_types_are_served_by_the_same_transformer() -> None:
    types = Registry()
    types.register(Texts(Base, "base"), UUID)
    assert mark(types, UUID) == "base"


def test_a_type_may_be_registered_after_it_was_refused_and_after_others_were_used() -> None:
    types = Registry()
    types.converter(list[int])
    with pytest.raises(UnsupportedType):
        types.converter(list[Base])
    types.register(Texts(Base, "base"))
    assert types.converter(list[Base]).literal_type == LiteralType(collection_type=STRING)


def test_restricted_types_are_refused_with_advice_wherever_they_stand() -> None:
    types = Registry()
    types.restrict(Base, fix="use its text")
    for t in (Base, Child, list[Base], dict[str, Base | None]):
        with pytest.raises(RestrictedType, match=r"(?s)Base.*use its text|Child.*use its text"):
            types.converter(t)


def test_transformers_are_listed_in_order_of_registration() -> None:
    types = Registry()
    mine = Texts(Base, "base")
    types.register(mine)
    assert types.transformers()[-1] is mine


class Guessing(Texts):
    def guess(self, lt: LiteralType, types: Types) -> Any:
        return Base if lt.WhichOneof("type") == "blob" and lt.blob.format == "base" else None


def test_a_transformer_guesses_a_type_that_nobody_declared() -> None:
    types = Registry()
    lt = LiteralType()
    lt.blob.format = "base"
    types.register(Guessing(Base, "base"))
    assert types.guess(lt) is Base
    assert types.guess(LiteralType(collection_type=lt)) == list[Base]
    lt.blob.format = "csv"
    assert "File" in str(types.guess(lt))
    with pytest.raises(UnsupportedType, match="no Python type"):
        types.guess(LiteralType())


# in tasks


class Money:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Money({self.text})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.text == self.text

    __hash__ = None


class MoneyTransformer(TypeTransformer[Money]):
    """Awaits, as transformers of blobs do."""

    python_type = Money

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(simple=SimpleType.STRING)

    async def to_literal(self, value: Money, t: Any, at: Place) -> Literal:
        await asyncio.sleep(0)
        uri = at.new_uri(".money")
        await at.objects.write(uri, value.text.encode())
        return literals.string(uri)

    async def to_python(self, lit: Literal, t: Any, at: Place) -> Money:
        return Money((await at.objects.read(lit.scalar.primitive.string_value)).decode())


register(MoneyTransformer())


@dataclasses.dataclass
class Wallet:
    best: Money
    rest: list[Money]
    named: dict[str, Money | None]
    n: int = 0


EVERYWHERE = [
    (Money, Money("1")),
    (list[Money], [Money("1"), Money("2")]),
    (dict[str, Money], {"a": Money("1")}),
    (Money | None, Money("1")),
    (Money | None, None),
    (int | list[Money], [Money("1")]),
    (list[Money | None], [None, Money("1")]),
    (list[tuple[Money, int]], [(Money("1"), 2)]),
    (Wallet, Wallet(Money("1"), [Money("2")], {"x": None, "y": Money("3")}, 4)),
    (dict[str, list[Wallet]], {"w": [Wallet(Money("1"), [], {})]}),
]


@pytest.mark.parametrize(("t", "value"), EVERYWHERE, ids=str)
def test_a_type_that_awaits_works_inside_every_other(t: Any, value: Any) -> None:
    def echo(x):
        return x

    echo.__annotations__ = {"x": t, "return": t}
    one = task(echo)

    async def later(x):
        await asyncio.sleep(0)
        return x

    later.__annotations__ = {"x": t, "return": t}
    two = task(later)

    def body(x):
        return two(x=one(x=x))

    body.__annotations__ = {"x": t, "return": t}
    wf = workflow(body)
    got = wf(x=value)
    assert got == value
    assert value is None or got is not value
    assert map_task(one)(x=[value]) == [value]

    async def program() -> Any:
        return await two(x=wf(x=value))

    assert asyncio.run(program()) == value


def test_a_field_of_an_awaiting_type_is_read_from_a_promise() -> None:
    @task
    def wallet() -> Wallet:
        return Wallet(Money("1"), [Money("2")], {"y": Money("3")}, 4)

    @task
    def text(m: Money) -> str:
        return m.text

    @workflow
    def wf() -> list[str]:
        made = wallet()
        return [text(m=made.best), text(m=made.rest[0])]

    @dynamic
    def dyn(n: int) -> list[Money]:
        made = wallet()
        return [made.best, Money("own")][:n]

    assert wf() == ["1", "2"]
    assert dyn(n=2) == [Money("1"), Money("own")]


@task
def annotated(x: Annotated[int, Texts(int, "own")]) -> Annotated[int, Texts(int, "own")]:
    return x + 1


def test_an_annotated_transformer_serves_the_parameter_alone() -> None:
    @workflow
    def wf(x: Annotated[int, Texts(int, "own")]) -> Annotated[int, Texts(int, "own")]:
        return annotated(x=annotated(x=x))

    assert wf(x=1) == 3
    assert annotated.interface.message().inputs.variables["x"].type == STRING


def test_a_value_of_another_type_never_reaches_the_transformer() -> None:
    @task
    def t(m: Money) -> int:
        return 1

    with pytest.raises(ConversionError, match=r"(?s)input 'm' of 't'.*Money.*'text'"):
        t(m="text")


class Broken(Texts):
    def to_literal(self, value: Any, t: Any, at: Place) -> Literal:
        raise RuntimeError("the transformer is broken")


class BrokenValue(Base): ...


register(Broken(BrokenValue, "broken"))


def test_an_error_of_a_transformer_keeps_its_type_and_names_the_task() -> None:
    @task
    def makes() -> BrokenValue:
        return BrokenValue()

    with pytest.raises(RuntimeError, match="the transformer is broken") as caught:
        makes()
    assert any("makes" in note for note in caught.value.__notes__)


class NoName(TypeTransformer[Any]):
    python_type = Plain

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        raise RuntimeError("no type today")

    def to_literal(self, value: Any, t: Any, at: Place) -> Literal:
        return literals.none()

    def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        return None


def test_an_error_while_a_type_is_declared_keeps_its_type() -> None:
    with pytest.raises(RuntimeError, match="no type today"):

        @task
        def t(x: Annotated[Plain, NoName()]) -> int:
            return 1


# entry points, and the order of imports


PACKAGE = """
from alula import TypeTransformer
from alula.idl import LiteralType, SimpleType, literals

class Thing:
    def __init__(self, text): self.text = text

class ThingTransformer(TypeTransformer):
    python_type = Thing
    def literal_type(self, t, types): return LiteralType(simple=SimpleType.STRING)
    def to_literal(self, value, t, at): return literals.string(value.text)
    def to_python(self, lit, t, at): return Thing(lit.scalar.primitive.string_value)

transformers = [ThingTransformer()]
"""


def installed(folder: Path, value: str) -> None:
    (folder / "semantics_things.py").write_text(PACKAGE)
    info = folder / "semantics_things-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: semantics-things\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[alula.types]\nsemantics_things = {value}\n")


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(folder), "ALULA_HOME": str(folder)},
    )


def test_an_installed_package_brings_its_types(tmp_path: Path) -> None:
    installed(tmp_path, "semantics_things:transformers")
    done = run(
        tmp_path,
        "import semantics_things as s\nfrom alula import task\n"
        "@task\ndef t(x: list[s.Thing]) -> s.Thing:\n    return x[0]\n"
        "print(t(x=[s.Thing('a')]).text)",
    )
    assert (done.stdout, done.stderr) == ("a\n", "")


def test_a_package_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    installed(tmp_path, "semantics_things:missing")
    done = run(
        tmp_path,
        "import semantics_things as s\nfrom alula import task\n@task\ndef t(x: s.Thing) -> int:\n    return 1\n",
    )
    assert "PluginError" in done.stderr
    assert "semantics_things" in done.stderr
    assert "semantics-things 1.0" in done.stderr


TYPES = """
def described():
    import dataclasses, typing, enum, datetime
    import numpy as np, pandas as pd, pydantic
    from alula import File, Directory, StructuredDataset
    class M(pydantic.BaseModel):
        x: int
    @dataclasses.dataclass
    class D:
        a: list[int]
        f: File
        m: dict[str, M]
    found = []
    for t in (int, list[D], M, np.ndarray, pd.DataFrame, dict, typing.Optional[D], File["csv"], Directory,
              int | str | None, tuple[int, D], StructuredDataset, list[np.ndarray] | pd.DataFrame, set[int]):
        from alula.types import default
        found.append(default.converter(t).literal_type.SerializeToString(deterministic=True).hex())
    return "\\n".join(found)
"""

ORDERS = [
    "import alula, alula.types\n",
    "import pandas, numpy, pydantic, torch, sklearn\nimport alula\n",
    "from alula.types import default\nimport datetime\ndefault.converter(int | None)\nimport pydantic\nimport pandas\n",
    "from alula import File\nfrom alula.types import default\ndefault.transformers()\nimport polars\n",
]


def test_the_order_of_imports_changes_no_literal_type(tmp_path: Path) -> None:
    said = []
    for order in ORDERS:
        done = run(tmp_path, order + TYPES + "\nprint(described())")
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert len(set(said)) == 1
