"""`TypeEngine`: flytekit's way to use types, over Alula's registry."""

from __future__ import annotations

import enum
from collections import UserDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from alula._kits import bridge
from alula.compat.adopt import RestrictedTypeError, TypeTransformerFailedError, adopted
from alula.compat.borrowed import Borrowed, borrow
from alula.compat.declared import declared, shown
from alula.compat.flytekit.core.context_manager import FlyteContext
from alula.compat.flytekit.models.interface import Variable, VariableMap
from alula.compat.flytekit.models.literals import Literal, LiteralMap
from alula.compat.flytekit.models.types import LiteralType
from alula.compat.model import message_of
from alula.compat.names import mirror
from alula.compat.transformers import (
    AsyncTypeTransformer,
    RestrictedTypeTransformer,
    SimpleTransformer,
    TypeTransformer,
)
from alula.errors import ConversionError, UnsupportedType
from alula.sdk.local import current_run
from alula.types.registry import default
from alula.types.transformer import Converter
from alula.types.transformer import TypeTransformer as Ours

T = TypeVar("T")


class BatchSize:
    """In an annotation of a directory: how many files to move at a time. Alula finds its own number."""

    def __init__(self, val: int) -> None:
        self.val = val


class TypeEngine:
    """Types and values to literal types and literals, and back."""

    @classmethod
    def register(cls, transformer: TypeTransformer[Any], additional_types: Sequence[Any] | None = None) -> None:
        """Serve the transformer's type from now on. ValueError: it is served already."""
        for t in (transformer.python_type, *(additional_types or ())):
            known = _registered(t)
            if isinstance(known, Borrowed) or (known is not None and t in _THEIR_OWN):
                raise ValueError(
                    f"Transformer {known.name} for type {t} is already registered: "
                    f"cannot override with {transformer.name}"
                )
        restricted = isinstance(transformer, RestrictedTypeTransformer)
        if restricted:
            default.restrict(transformer.python_type, "use another type")
        else:
            default.register(borrow(transformer), *(additional_types or ()), override=True)

    @classmethod
    def register_additional_type(
        cls, transformer: TypeTransformer[Any], additional_type: Any, override: bool = False
    ) -> None:
        """Serve one more type with a transformer, unless it is served and `override` is False."""
        if override or _registered(additional_type) is None:
            ours = borrow(transformer)
            ours.python_type = additional_type  # type: ignore[misc]
            default.register(ours, override=True)

    @classmethod
    def register_restricted_type(cls, name: str, type: Any) -> None:
        """Refuse a type as an input or output."""
        default.restrict(type, "use another type")

    @classmethod
    def get_transformer(cls, python_type: Any) -> TypeTransformer[Any]:
        """What serves a type: the registered object, or one that stands for Alula's own."""
        with adopted():
            ours = default.transformer(declared(python_type))
        if isinstance(ours, Borrowed):
            return ours.theirs
        return _LENT.get(type(ours).__name__, LentTransformer)(ours)

    @classmethod
    def get_available_transformers(cls) -> Any:
        """The types that are served."""
        return {t: t for ours in default.transformers() for t in (ours.python_type, *ours.more_types)}.keys()

    @classmethod
    def lazy_import_transformers(cls) -> None:
        """Nothing: Alula loads a family when a type of its package is first seen."""

    @classmethod
    def to_literal_type(cls, python_type: Any) -> LiteralType:
        with adopted():
            return LiteralType.from_flyte_idl(_converter(python_type).literal_type)

    @classmethod
    def to_literal(cls, ctx: FlyteContext, python_val: Any, python_type: Any, expected: LiteralType) -> Literal:
        return bridge.run(cls.async_to_literal(ctx, python_val, python_type, expected))

    @classmethod
    async def async_to_literal(
        cls, ctx: FlyteContext, python_val: Any, python_type: Any, expected: LiteralType
    ) -> Literal:
        with adopted():
            converter = _converter(python_type)
            made = converter.to_literal(python_val, current_run().place)
            return Literal.from_flyte_idl(await made if converter.awaits else made)

    @classmethod
    def to_python_value(cls, ctx: FlyteContext, lv: Literal, expected_python_type: Any) -> Any:
        return bridge.run(cls.async_to_python_value(ctx, lv, expected_python_type))

    @classmethod
    async def async_to_python_value(cls, ctx: FlyteContext, lv: Literal, expected_python_type: Any) -> Any:
        with adopted():
            converter = _converter(expected_python_type)
            made = converter.to_python(message_of(lv), current_run().place)
            return await made if converter.awaits else made

    @classmethod
    def to_html(cls, ctx: FlyteContext, python_val: Any, expected_python_type: Any) -> str:
        return cls.get_transformer(expected_python_type).to_html(ctx, python_val, expected_python_type)

    @classmethod
    def named_tuple_to_variable_map(cls, t: Any) -> VariableMap:
        hints = get_type_hints(t, include_extras=True)
        return VariableMap(
            {name: Variable(cls.to_literal_type(hint), str(i)) for i, (name, hint) in enumerate(hints.items(), 1)}
        )

    @classmethod
    def dict_to_literal_map(
        cls, ctx: FlyteContext, d: Mapping[str, Any], type_hints: Mapping[str, Any] | None = None
    ) -> LiteralMap:
        """Values as literals, of the types that are given, else of their own."""
        made = {}
        for name, value in d.items():
            t = (type_hints or {}).get(name, type(value))
            made[name] = cls.to_literal(ctx, value, t, cls.to_literal_type(t))
        return LiteralMap(made)

    @classmethod
    def dict_to_literal_map_pb(
        cls, ctx: FlyteContext, d: Mapping[str, Any], type_hints: Mapping[str, Any] | None = None
    ) -> Any:
        return cls.dict_to_literal_map(ctx, d, type_hints).to_flyte_idl()

    @classmethod
    def literal_map_to_kwargs(
        cls,
        ctx: FlyteContext,
        lm: LiteralMap,
        python_types: Mapping[str, Any] | None = None,
        literal_types: Mapping[str, Variable] | None = None,
    ) -> dict[str, Any]:
        """Literals as values, of the types that are given, else of those that are guessed."""
        if python_types is None and literal_types is None:
            raise ValueError("At least one of python_types or literal_types must be provided")
        types = python_types if python_types is not None else cls.guess_python_types(dict(literal_types or {}))
        if len(lm.literals) > len(types):
            raise ValueError(
                f"Received more input values {len(lm.literals)} than allowed by the input spec {len(types)}"
            )
        return {name: cls.to_python_value(ctx, lv, types[name]) for name, lv in lm.literals.items()}

    @classmethod
    def guess_python_types(cls, flyte_variable_dict: Mapping[str, Variable]) -> dict[str, Any]:
        return {name: cls.guess_python_type(one.type) for name, one in flyte_variable_dict.items()}

    @classmethod
    def guess_python_type(cls, flyte_type: LiteralType) -> Any:
        try:
            return shown(default.guess(message_of(flyte_type)))
        except UnsupportedType as exc:
            raise ValueError(exc.what) from exc


class LentTransformer(TypeTransformer[Any]):
    """One of Alula's own transformers, for programs that ask `TypeEngine` for it."""

    serves: Any = None

    def __init__(self, ours: Ours[Any] | None = None) -> None:
        self.ours = ours or default.transformer(declared(self.serves))
        super().__init__(self.ours.name or getattr(self.ours.python_type, "__name__", ""), self.ours.python_type)

    def assert_type(self, t: Any, v: Any) -> None:
        with adopted():
            self.ours.check(v, declared(t))

    def get_literal_type(self, t: Any = None) -> LiteralType:
        return TypeEngine.to_literal_type(self.serves if t is None else t)

    def to_literal(self, ctx: FlyteContext, python_val: Any, python_type: Any, expected: LiteralType) -> Literal:
        return TypeEngine.to_literal(ctx, python_val, python_type, expected)

    def to_python_value(self, ctx: FlyteContext, lv: Literal, expected_python_type: Any) -> Any:
        return TypeEngine.to_python_value(ctx, lv, expected_python_type)

    def guess_python_type(self, literal_type: LiteralType) -> Any:
        found = self.ours.guess(message_of(literal_type), default)
        return found if found is not None else super().guess_python_type(literal_type)

    def to_html(self, ctx: FlyteContext, python_val: Any, expected_python_type: Any) -> str:
        return self.ours.preview(python_val)


class ListTransformer(LentTransformer):
    serves = list[int]


class DictTransformer(LentTransformer):
    serves = dict


class UnionTransformer(LentTransformer):
    serves = int | None


class EnumTransformer(LentTransformer):
    @staticmethod
    def is_enum(t: Any) -> bool:
        return isinstance(t, type) and issubclass(t, enum.Enum)


class DataclassTransformer(LentTransformer):
    def __init__(self, ours: Ours[Any] | None = None) -> None:
        super().__init__(ours or default.transformer(_Sample))


_LENT: dict[str, type[LentTransformer]] = {
    "ListTransformer": ListTransformer,
    "DictTransformer": DictTransformer,
    "UnionTransformer": UnionTransformer,
    "EnumTransformer": EnumTransformer,
    "DataclassTransformer": DataclassTransformer,
}


@dataclass
class _Sample:
    """Some dataclass, to find the transformer of all of them by."""


class LiteralsResolver(UserDict[str, Any]):
    """Literals by name, turned into values when they are asked for."""

    def __init__(
        self,
        literals: Mapping[str, Literal],
        variable_map: Mapping[str, Variable] | None = None,
        ctx: FlyteContext | None = None,
    ) -> None:
        super().__init__(literals)
        self._literals, self._variable_map = dict(literals), variable_map
        self._ctx = ctx or FlyteContext.current_context()
        self._type_hints: dict[str, Any] = {}
        self._native: dict[str, Any] = {}

    @property
    def literals(self) -> dict[str, Literal]:
        return self._literals

    @property
    def variable_map(self) -> Mapping[str, Variable] | None:
        return self._variable_map

    @property
    def native_values(self) -> dict[str, Any]:
        return self._native

    def update_type_hints(self, type_hints: Mapping[str, Any]) -> None:
        self._type_hints.update(type_hints)

    def get_literal(self, key: str) -> Literal:
        if key not in self._literals:
            raise ValueError(f"Key {key} is not in the literal map")
        return self._literals[key]

    def __getitem__(self, key: str) -> Any:
        return self.get(key)

    def get(self, attr: str, as_type: Any = None) -> Any:
        """One value, of the type that is given, else of the one that was hinted at, else of the guessed one."""
        literal = self.get_literal(attr) if attr in self._literals else None
        if literal is None:
            raise AttributeError(f"Attribute {attr} not found")
        if attr not in self._native or as_type is not None:
            t = as_type or self._type_hints.get(attr)
            if t is None and self._variable_map is not None and attr in self._variable_map:
                t = TypeEngine.guess_python_type(self._variable_map[attr].type)
            if t is None:
                raise ValueError(f"as_type argument not supplied and Variable map not specified for {attr!r}")
            self._native[attr] = TypeEngine.to_python_value(self._ctx, literal, t)
        return self._native[attr]

    def as_python_native(self, python_interface: Any) -> Any:
        """The values as a function with this interface would return them."""
        values = [self.get(name, t) for name, t in python_interface.outputs.items()]
        return None if not values else values[0] if len(values) == 1 else tuple(values)

    def __repr__(self) -> str:
        shown = {name: self._native.get(name, "...") for name in self._literals}
        return f"LiteralsResolver({shown})"

    __str__ = __repr__


def is_annotated(t: Any) -> bool:
    return get_origin(t) is Annotated


def get_underlying_type(t: Any) -> Any:
    """A type without its `Annotated` wrapper."""
    return get_args(t)[0] if is_annotated(t) else t


def _converter(t: Any) -> Converter:
    return default.converter(declared(t))


_THEIR_OWN = frozenset({int, float, str, bool, list, dict, type(None), enum.Enum, datetime, date, timedelta})
"""Types that flytekit serves itself, and lets nobody else serve."""


def _registered(t: Any) -> Ours[Any] | None:
    """What serves exactly this type, and no base of it."""
    return next((ours for ours in default.transformers() if t is ours.python_type or t in ours.more_types), None)


__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.compat.flytekit.core.constants": "MESSAGEPACK CACHE_KEY_METADATA SERIALIZATION_FORMAT",
        "alula.types.transformer": "HashMethod",
        "alula.compat.flytekit.core.annotation": "FlyteAnnotation",
        "alula.compat.flytekit.models.types": "SimpleType TypeStructure UnionType",
        "alula.compat.flytekit.models.literals": "Binary LiteralCollection Primitive Scalar Union Void",
    },
)
