"""The suite finds the faults that it is there for: each is planted in a transformer, and named by one test."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from alula.data.stores import Objects
from alula.idl import Literal, LiteralType, SimpleType, literals
from alula.testing.suites.transformer import TransformerSuite
from alula.types.registry import Registry
from alula.types.transformer import Converter, Place, Types, TypeTransformer


class Bag:
    def __init__(self, items: list[str]) -> None:
        self.items = items

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bag) and other.items == self.items

    __hash__ = None  # type: ignore[assignment]


class BagTransformer(TypeTransformer[Bag]):
    python_type = Bag

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(simple=SimpleType.STRING)

    def to_literal(self, value: Bag, t: Any, at: Place) -> Literal:
        return literals.string(",".join(value.items))

    async def to_python(self, lit: Literal, t: Any, at: Place) -> Bag:
        text = lit.scalar.primitive.string_value
        return Bag(text.split(",") if text else [])


class Forgetful(BagTransformer):
    async def to_python(self, lit: Literal, t: Any, at: Place) -> Bag:
        return Bag([])


class Emptying(BagTransformer):
    def to_literal(self, value: Bag, t: Any, at: Place) -> Literal:
        items = [value.items.pop() for _ in list(value.items)]
        return literals.string(",".join(reversed(items)))


class Lenient(BagTransformer):
    def check(self, value: Any, t: Any) -> None: ...

    def to_literal(self, value: Any, t: Any, at: Place) -> Literal:
        return literals.string(str(value))


class Inventing(BagTransformer):
    def converter(self, t: Any, types: Types) -> Converter:
        made = super().converter(t, types)
        return Converter(t, made.literal_type, made.to_literal, made.to_python, awaits=True, copy=lambda value: Bag([]))


class Sharing(BagTransformer):
    def converter(self, t: Any, types: Types) -> Converter:
        made = super().converter(t, types)
        return Converter(t, made.literal_type, made.to_literal, made.to_python, awaits=True, copy=lambda value: value)


class Wavering(BagTransformer):
    def literal_type(self, t: Any, types: Types) -> LiteralType:
        self.calls = getattr(self, "calls", 0) + 1
        return LiteralType(simple=SimpleType.STRING if self.calls % 2 else SimpleType.INTEGER)


class Shy(BagTransformer):
    def preview(self, value: Bag) -> str:
        raise RuntimeError("no preview")


def suite_of(transformer: TypeTransformer[Any]) -> TransformerSuite:
    class Suite(TransformerSuite):
        transformers: ClassVar[Any] = (transformer,)
        cases: ClassVar[Any] = ((Bag, lambda: Bag(["a", "b"])),)
        wrong: ClassVar[Any] = ((Bag, "a"),)

    return Suite()


def run(suite: TransformerSuite, name: str, tmp_path: Path) -> None:
    types = Registry()
    for transformer in suite.transformers:
        types.register(transformer)
    names = iter(range(100))
    at = Place(Objects(), str(tmp_path), types, lambda: str(next(names)))
    known = {"types": types, "at": at, "tmp_path": tmp_path, "values": [(t, make()) for t, make in suite.cases]}
    test = getattr(suite, name)
    wanted = test.__code__.co_varnames[1 : test.__code__.co_argcount]
    test(**{key: known[key] for key in wanted})


TESTS = [name for name in vars(TransformerSuite) if name.startswith("test_")]


@pytest.mark.parametrize("name", TESTS)
def test_a_sound_transformer_passes(name: str, tmp_path: Path) -> None:
    run(suite_of(BagTransformer()), name, tmp_path)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (Forgetful, "test_a_value_comes_back_from_its_literal"),
        (Forgetful, "test_a_literal_survives_the_wire"),
        (Forgetful, "test_values_live_in_lists_dicts_and_optionals"),
        (Forgetful, "test_values_live_inside_packed_data"),
        (Emptying, "test_conversion_leaves_the_value_as_it_was"),
        (Lenient, "test_wrong_values_are_refused_by_both_ways_in"),
        (Inventing, "test_a_copy_equals_the_round_trip"),
        (Sharing, "test_a_copy_shares_nothing_that_can_change"),
        (Wavering, "test_the_literal_type_is_the_same_each_time"),
        (Shy, "test_previews_never_fail"),
    ],
)
def test_a_fault_is_found(fault: type[TypeTransformer[Any]], name: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, RuntimeError, pytest.fail.Exception)):
        run(suite_of(fault()), name, tmp_path)
