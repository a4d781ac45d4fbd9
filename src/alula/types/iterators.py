"""`Iterator[T]` as a collection, whose elements are converted one by one as they are taken."""

from __future__ import annotations

import collections.abc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any, Generic, Self, TypeVar, get_args

from alula._kits import bridge
from alula.errors import ConversionError, UnsupportedType
from alula.idl import Literal, LiteralType
from alula.idl import literals as lits
from alula.types.packing import drawn, drawn_later, index
from alula.types.transformer import Converter, Place, Types, TypeTransformer, split, type_name, wrong_type

T = TypeVar("T")


class Elements(Iterator[T], Generic[T]):
    """The elements of a list, converted (and files fetched) when they are taken. `iter` starts it anew.

    Args:
        literals: One per element.
        read: Makes the value of a literal; blocks if that takes I/O.
    """

    def __init__(self, literals: Sequence[Literal], read: Callable[[Literal], T]) -> None:
        self._literals, self._read, self._next = literals, read, 0

    def __len__(self) -> int:
        return len(self._literals)

    def __iter__(self) -> Self:
        self._next = 0
        return self

    def __next__(self) -> T:
        nth = self._next
        if nth >= len(self._literals):
            raise StopIteration
        self._next += 1
        try:
            return self._read(self._literals[nth])
        except ConversionError as exc:
            raise exc.inside(index(nth)) from None


class IteratorTransformer(TypeTransformer[Iterator[Any]]):
    """An iterator that is run to its end when it is written; what is read gives a fresh one to every reader."""

    python_type = collections.abc.Iterator
    name = "Typed Iterator"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(collection_type=_element(t, types).literal_type)

    def check(self, value: Any, t: Any) -> None:
        if not isinstance(value, collections.abc.Iterable) or isinstance(value, str | bytes | collections.abc.Mapping):
            raise wrong_type(value, t)

    def to_literal(self, value: Iterator[Any], t: Any, at: Place) -> Any:
        element = _element(t, at.types)
        if element.awaits:
            return self._later(element, value, at)
        return lits.collection(drawn(map(element.to_literal, value, repeat(at)), index))

    async def _later(self, element: Converter, value: Iterator[Any], at: Place) -> Literal:
        return lits.collection(await drawn_later(element.to_literal, list(value), at, index))

    def to_python(self, lit: Literal, t: Any, at: Place) -> Elements[Any]:
        if lits.kind(lit) != "collection":
            raise ConversionError(f"expected a list for {type_name(t)}, got the literal {lits.kind(lit) or 'nothing'}")
        element = _element(t, at.types)

        def read(one: Literal) -> Any:
            made = element.to_python(one, at)
            return bridge.run(made) if element.awaits else made

        return Elements(lit.collection.literals, read)

    def converter(self, t: Any, types: Types) -> Converter:
        """Waits only if its elements do, and only when it is written."""
        made = super().converter(t, types)
        if not _element(t, types).awaits:
            return made
        take = made.to_python

        async def take_now(lit: Literal, at: Place) -> Any:
            return take(lit, at)

        return replace(made, to_python=take_now, awaits=True)


def _element(t: Any, types: Types) -> Converter:
    args = get_args(split(t)[0])
    if len(args) != 1:
        raise UnsupportedType(f"{type_name(t)} does not say what it yields", fix="use Iterator[int]")
    return types.converter(args[0])


transformers: list[TypeTransformer[Any]] = [IteratorTransformer()]
