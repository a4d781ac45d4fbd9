"""`TypeTransformer` and its kin, as types are taught to flytekit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin

import msgpack

from alula._kits import bridge
from alula.compat.adopt import RestrictedTypeError, TypeTransformerFailedError
from alula.compat.flytekit.core.context_manager import FlyteContext
from alula.compat.flytekit.models.literals import Literal
from alula.compat.flytekit.models.types import LiteralType

T = TypeVar("T")


class TypeTransformer(Generic[T]):
    """A Python type as literals: subclass it, and register an instance with `TypeEngine.register`."""

    def __init__(self, name: str, t: type[T], enable_type_assertions: bool = True) -> None:
        self._name, self._t, self._type_assertions_enabled = name, t, enable_type_assertions

    @property
    def name(self) -> str:
        return self._name

    @property
    def python_type(self) -> type[T]:
        return self._t

    @property
    def is_async(self) -> bool:
        return False

    @property
    def type_assertions_enabled(self) -> bool:
        return self._type_assertions_enabled

    def assert_type(self, t: Any, v: Any) -> None:
        """Raise TypeTransformerFailedError when `v` is no `t`."""
        base = get_args(t)[0] if get_origin(t) is Annotated else t
        wanted = get_origin(base) or base
        if isinstance(wanted, type) and not isinstance(v, wanted):
            raise TypeTransformerFailedError(f"Expected value of type {t} but got '{v}' of type {type(v)}")

    def isinstance_generic(self, obj: Any, generic_alias: Any) -> None:
        self.assert_type(generic_alias, obj)

    def get_literal_type(self, t: Any) -> LiteralType:
        """The literal type of a declared type."""
        raise NotImplementedError(f"{type(self).__name__}.get_literal_type")

    def to_literal(self, ctx: FlyteContext, python_val: T, python_type: Any, expected: LiteralType) -> Literal:
        """The value as a literal."""
        raise NotImplementedError(f"{type(self).__name__}.to_literal")

    def to_python_value(self, ctx: FlyteContext, lv: Literal, expected_python_type: Any) -> T | None:
        """The value again."""
        raise NotImplementedError(f"{type(self).__name__}.to_python_value")

    def guess_python_type(self, literal_type: LiteralType) -> Any:
        """The type for a literal type of this transformer. ValueError: it is another's."""
        raise ValueError(f"{self.name} makes no type of {literal_type}")

    def from_binary_idl(self, binary_idl_object: Any, expected_python_type: Any) -> Any:
        """Packed data as plain data."""
        if binary_idl_object.tag != "msgpack":
            raise TypeTransformerFailedError(f"Unsupported binary format: `{binary_idl_object.tag}`")
        return msgpack.unpackb(binary_idl_object.value, strict_map_key=False)

    def from_generic_idl(self, generic: Any, expected_python_type: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}.from_generic_idl")

    def schema_match(self, schema: Mapping[str, Any]) -> bool:
        return False

    def to_html(self, ctx: FlyteContext, python_val: T, expected_python_type: Any) -> str:
        """The value for a report."""
        return str(python_val)

    def __repr__(self) -> str:
        return f"{self._name} Transforms ({self._t}) to Flyte native"


class AsyncTypeTransformer(TypeTransformer[T]):
    """A transformer that awaits: `async_to_literal` and `async_to_python_value`."""

    @property
    def is_async(self) -> bool:
        return True

    async def async_to_literal(
        self, ctx: FlyteContext, python_val: T, python_type: Any, expected: LiteralType
    ) -> Literal:
        """The value as a literal."""
        raise NotImplementedError(f"{type(self).__name__}.async_to_literal")

    async def async_to_python_value(self, ctx: FlyteContext, lv: Literal, expected_python_type: Any) -> T | None:
        """The value again."""
        raise NotImplementedError(f"{type(self).__name__}.async_to_python_value")

    def to_literal(self, ctx: FlyteContext, python_val: T, python_type: Any, expected: LiteralType) -> Literal:
        return bridge.run(self.async_to_literal(ctx, python_val, python_type, expected))

    def to_python_value(self, ctx: FlyteContext, lv: Literal, expected_python_type: Any) -> T | None:
        return bridge.run(self.async_to_python_value(ctx, lv, expected_python_type))


class SimpleTransformer(TypeTransformer[T]):
    """A transformer out of two functions."""

    def __init__(
        self,
        name: str,
        t: type[T],
        lt: LiteralType,
        to_literal_transformer: Callable[[T], Literal],
        from_literal_transformer: Callable[[Literal], T],
    ) -> None:
        super().__init__(name, t)
        self._lt, self._put, self._take = lt, to_literal_transformer, from_literal_transformer

    @property
    def base_type(self) -> type[T]:
        return self._t

    def get_literal_type(self, t: Any = None) -> LiteralType:
        return LiteralType.from_flyte_idl(self._lt.to_flyte_idl())

    def to_literal(self, ctx: FlyteContext, python_val: T, python_type: Any, expected: LiteralType) -> Literal:
        if type(python_val) is not self._t:
            raise TypeTransformerFailedError(
                f"Expected value of type {self._t} but got '{python_val}' of type {type(python_val)}"
            )
        return self._put(python_val)

    def to_python_value(self, ctx: FlyteContext, lv: Literal, expected_python_type: Any) -> T:
        found = self._take(lv)
        if type(found) is not self._t:
            raise TypeTransformerFailedError(f"Cannot convert literal {lv} to {self._t}")
        return found

    def guess_python_type(self, literal_type: LiteralType) -> Any:
        if literal_type.simple is not None and literal_type.simple == self._lt.simple:
            return self._t
        return super().guess_python_type(literal_type)


class RestrictedTypeTransformer(TypeTransformer[T]):
    """A type that is refused as an input and output."""

    def __init__(self, name: str, t: type[T]) -> None:
        super().__init__(name, t)

    def get_literal_type(self, t: Any = None) -> LiteralType:
        raise RestrictedTypeError(f"Transformer for type {self.python_type} is restricted currently")
