"""`Pickle[T]`: any class as a pickled blob, and only where the annotation asks for it.

A pickle runs code of its writer when it is read, and needs the same versions of everything on both sides.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from alula._kits import lazy
from alula.errors import ConversionError
from alula.idl import Literal, LiteralType, literals
from alula.types.packing import PICKLE, pickled_type
from alula.types.transformer import Place, Types, TypeTransformer, class_of, split, type_name, wrong_type

asyncio = lazy.module("asyncio")
T = TypeVar("T")


class PickleTransformer(TypeTransformer[Any]):
    python_type: ClassVar[Any] = None
    """Nothing by itself: `Annotated[T, Pickle]` names it."""
    name = "FlytePickle"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return pickled_type(split(t)[0])

    def check(self, value: Any, t: Any) -> None:
        cls = class_of(t)
        plain_class = cls is not None and type(cls) is type and not issubclass(cls, PickleTransformer)
        if plain_class and cls is not None and not isinstance(value, cls):
            raise wrong_type(value, t)

    async def to_literal(self, value: Any, t: Any, at: Place) -> Literal:
        uri = at.new_uri("/value.pkl")
        data = await asyncio.to_thread(_dumped, value)
        await at.objects.write(uri, data)
        return literals.blob(uri, format=PICKLE)

    async def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        kind = literals.kind(lit)
        if kind == "union":
            return await self.to_python(lit.scalar.union.value, t, at)
        if kind != "blob" or lit.scalar.blob.metadata.type.format not in (PICKLE, ""):
            raise ConversionError(f"expected a pickle of {type_name(split(t)[0])}, got {kind or 'an empty'} literal")
        uri = lit.scalar.blob.uri
        return await asyncio.to_thread(_loaded, await at.objects.read(uri), uri)


class _Pickle(PickleTransformer):
    """In an annotation, `Pickle[T]` or `Annotated[T, Pickle]`: values of `T` travel as pickles."""

    def __class_getitem__(cls, t: Any) -> Any:
        return Annotated[t, cls]


_Pickle.python_type = _Pickle

if TYPE_CHECKING:
    Pickle = Annotated[T, _Pickle]  # so that a type checker sees `T`
else:
    Pickle = _Pickle


def _dumped(value: Any) -> bytes:
    import cloudpickle

    try:
        data: bytes = cloudpickle.dumps(value)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as exc:
        raise ConversionError(f"{type_name(type(value))} cannot be pickled: {exc}") from exc
    return data


def _loaded(data: bytes, uri: str) -> Any:
    try:
        return pickle.loads(data)
    except (pickle.UnpicklingError, EOFError, ImportError, AttributeError, LookupError, TypeError, ValueError) as exc:
        raise ConversionError(
            f"the pickle cannot be read: {type(exc).__name__}: {exc}",
            where=uri,
            fix="read it with the versions of Python and of its packages that wrote it",
        ) from exc


transformers: list[TypeTransformer[Any]] = [_Pickle()]
