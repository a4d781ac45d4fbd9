"""What every type transformer must do. Subclass it in your tests, name your transformer and some values:

class TestUuids(TransformerSuite):
    transformers = [UuidTransformer()]
    cases = [(UUID, UUID(int=1)), (UUID, UUID(int=2**128 - 1))]
    wrong = [(UUID, "no uuid")]
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, ClassVar, Union

import pytest

from alula._kits import bridge
from alula.data.stores import Objects
from alula.errors import ConversionError
from alula.idl import Literal, LiteralType, packing
from alula.types.registry import Registry
from alula.types.transformer import Place, TypeTransformer


class TransformerSuite:
    """One test per promise of `TypeTransformer`, each over all of your values."""

    transformers: ClassVar[Sequence[TypeTransformer[Any]]] = ()
    """Registered before the tests, besides Alula's own."""
    cases: ClassVar[Sequence[tuple[Any, Any]]] = ()
    """Declared types, each with a value. A callable value is called for a fresh one; it may take a `tmp_path`."""
    wrong: ClassVar[Sequence[tuple[Any, Any]]] = ()
    """Declared types, each with a value that must be refused."""

    def equal(self, value: Any, other: Any) -> bool:
        """Whether a value came back whole. Override it for types that `==` does not compare."""
        return type(value) is type(other) and bool(value == other)

    @pytest.fixture
    def types(self) -> Registry:
        registry = Registry()
        for transformer in self.transformers:
            registry.register(transformer, *transformer.more_types)
        return registry

    @pytest.fixture
    def at(self, types: Registry, tmp_path: Any) -> Place:
        names = iter(range(10**6))
        return Place(objects=Objects(), prefix=f"{tmp_path}/blobs", types=types, new_name=lambda: f"{next(names)}")

    @pytest.fixture
    def values(self, tmp_path: Any) -> list[tuple[Any, Any]]:
        return [(t, _fresh(value, tmp_path)) for t, value in self.cases]

    def test_a_value_comes_back_from_its_literal(self, types: Registry, at: Place, values: Any) -> None:
        for t, value in values:
            assert self.equal(value, self._read(types, t, self._written(types, t, value, at), at)), (t, value)

    def test_a_literal_survives_the_wire(self, types: Registry, at: Place, values: Any) -> None:
        for t, value in values:
            lit = self._written(types, t, value, at)
            assert isinstance(lit, Literal), (t, lit)
            sent = Literal.FromString(lit.SerializeToString())
            assert self.equal(value, self._read(types, t, sent, at)), (t, value)

    def test_a_copy_equals_the_round_trip(self, types: Registry, at: Place, values: Any) -> None:
        for t, value in values:
            copy = types.converter(t).copy
            if copy is not None:
                back = self._read(types, t, self._written(types, t, value, at), at)
                assert self.equal(copy(value), back), (t, value)

    def test_a_copy_shares_nothing_that_can_change(self, types: Registry, values: Any) -> None:
        for t, value in values:
            copy = types.converter(t).copy
            if copy is not None:
                shared = {id(part) for part in _mutable(value)} & {id(part) for part in _mutable(copy(value))}
                assert not shared, (t, value)

    def test_conversion_leaves_the_value_as_it_was(self, types: Registry, at: Place, tmp_path: Any) -> None:
        for t, value in self.cases:
            before, after = _fresh(value, tmp_path), _fresh(value, tmp_path)
            self._written(types, t, after, at)
            assert self.equal(before, after), (t, value)

    def test_wrong_values_are_refused_by_both_ways_in(self, types: Registry, at: Place, tmp_path: Any) -> None:
        for t, value in self.wrong:
            converter, given = types.converter(t), _fresh(value, tmp_path)
            with pytest.raises(ConversionError):
                self._written(types, t, given, at)
            if converter.copy is not None:
                with pytest.raises(ConversionError):
                    converter.copy(given)

    def test_the_literal_type_is_the_same_each_time(self, types: Registry) -> None:
        for t, _ in self.cases:
            one = types.transformer(t).converter(t, types).literal_type
            other = types.transformer(t).converter(t, types).literal_type
            assert isinstance(one, LiteralType), t
            assert one.WhichOneof("type"), t
            assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True), t

    def test_values_live_in_lists_dicts_and_optionals(self, types: Registry, at: Place, values: Any) -> None:
        for t, value in values:
            lists = self._round(types, list[t], [value, value], at)  # type: ignore[valid-type]
            maybe = self._round(types, Union[t, None], value, at)  # noqa: UP007 - `|` fails where `t` is no class
            assert len(lists) == 2, t
            assert all(self.equal(value, item) for item in lists), t
            assert self.equal(value, maybe), t
            assert self.equal(value, self._round(types, dict[str, t], {"a": value}, at)["a"]), t  # type: ignore[valid-type]

    def test_values_live_inside_packed_data(self, types: Registry, at: Place, values: Any) -> None:
        for t, value in values:
            form = types.packing(t)
            data = packing.unpacked(packing.packed(_now(form.pack(value, at))))
            assert self.equal(self._packed_alike(t, value), self._packed_alike(t, _now(form.unpack(data, at)))), (
                t,
                value,
            )
            if form.copy is not None:
                assert self.equal(form.copy(value), _now(form.unpack(data, at))), (t, value)

    def test_a_guessed_type_has_the_same_shape(self, types: Registry, at: Place, values: Any) -> None:
        for t, _ in values:
            lt = types.literal_type(t)
            for transformer in types.transformers():
                guessed = transformer.guess(lt, types)
                if guessed is not None:
                    assert types.literal_type(guessed).WhichOneof("type") == lt.WhichOneof("type"), (t, guessed)
                    assert transformer.guess(lt, types) == guessed, t

    def test_previews_never_fail(self, types: Registry, values: Any) -> None:
        for t, value in values:
            assert isinstance(types.transformer(t).preview(value), str), (t, value)

    def _packed_alike(self, t: Any, value: Any) -> Any:
        """What of a value packed data keeps. Override it for a type that packed data keeps less of."""
        return value

    def _written(self, types: Registry, t: Any, value: Any, at: Place) -> Any:
        return _now(types.converter(t).to_literal(value, at))

    def _read(self, types: Registry, t: Any, lit: Literal, at: Place) -> Any:
        return _now(types.converter(t).to_python(lit, at))

    def _round(self, types: Registry, t: Any, value: Any, at: Place) -> Any:
        return self._read(types, t, self._written(types, t, value, at), at)


def _now(result: Any) -> Any:
    return bridge.run(result) if inspect.isawaitable(result) else result


def _fresh(value: Any, tmp_path: Any) -> Any:
    if not inspect.isfunction(value):
        return value
    return value(tmp_path) if inspect.signature(value).parameters else value()


def _mutable(value: Any) -> Iterator[Any]:
    """The parts of a value that someone could change in place."""
    if isinstance(value, list | dict | set | bytearray):
        yield value
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _mutable(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        if not type(value).__dataclass_params__.frozen:  # type: ignore[attr-defined]
            yield value
        for field in dataclasses.fields(value):
            yield from _mutable(getattr(value, field.name))
    elif hasattr(value, "__dict__") and not isinstance(value, type | Enum) and not callable(value):
        yield value
        for part in vars(value).values():
            yield from _mutable(part)
