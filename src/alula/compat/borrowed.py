"""Type transformers written for flytekit, at work in Alula's registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from alula.compat.flytekit.core.context_manager import FlyteContext, FlyteContextManager
from alula.compat.flytekit.models.literals import Literal as LiteralModel
from alula.compat.flytekit.models.types import LiteralType as TypeModel
from alula.compat.model import message_of
from alula.compat.transformers import AsyncTypeTransformer
from alula.compat.transformers import TypeTransformer as Theirs
from alula.errors import ConversionError
from alula.idl import Literal, LiteralType
from alula.types.transformer import Place, Types, TypeTransformer, split

R = TypeVar("R")


class Borrowed(TypeTransformer[Any]):
    """A transformer of flytekit's kind that works without awaiting."""

    def __init__(self, theirs: Theirs[Any]) -> None:
        self.theirs = theirs
        self.python_type = theirs.python_type  # type: ignore[misc]  # of each one here
        self.name = theirs.name  # type: ignore[misc]

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        lt: LiteralType = message_of(self.theirs.get_literal_type(_shown(t)))
        return lt

    def check(self, value: Any, t: Any) -> None:
        if self.theirs.type_assertions_enabled:
            _guarded(lambda: self.theirs.assert_type(_shown(t), value))

    def to_literal(self, value: Any, t: Any, at: Place) -> Literal:
        expected = TypeModel.from_flyte_idl(self.literal_type(t, at.types))
        made = _guarded(lambda: self.theirs.to_literal(_context(), value, _shown(t), expected))
        lit: Literal = message_of(made)
        return lit

    def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        return _guarded(lambda: self.theirs.to_python_value(_context(), LiteralModel.from_flyte_idl(lit), _shown(t)))

    def guess(self, lt: LiteralType, types: Types) -> Any:
        try:
            return self.theirs.guess_python_type(TypeModel.from_flyte_idl(lt))
        except ValueError:  # flytekit's way to say that it is not its own
            return None

    def preview(self, value: Any) -> str:
        return str(self.theirs.to_html(_context(), value, type(value)))


class BorrowedAsync(Borrowed):
    """A transformer of flytekit's kind that awaits."""

    theirs: AsyncTypeTransformer[Any]

    async def to_literal(self, value: Any, t: Any, at: Place) -> Literal:  # type: ignore[override]
        expected = TypeModel.from_flyte_idl(self.literal_type(t, at.types))
        try:
            made = await self.theirs.async_to_literal(_context(), value, _shown(t), expected)
        except (TypeError, ValueError, AssertionError) as exc:
            raise _translated(exc) from exc
        lit: Literal = message_of(made)
        return lit

    async def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        try:
            return await self.theirs.async_to_python_value(_context(), LiteralModel.from_flyte_idl(lit), _shown(t))
        except (TypeError, ValueError, AssertionError) as exc:
            raise _translated(exc) from exc


def borrow(theirs: Theirs[Any]) -> Borrowed:
    """The same transformer, for Alula."""
    return (BorrowedAsync if theirs.is_async else Borrowed)(theirs)


def _context() -> FlyteContext:
    return FlyteContextManager.current_context()


def _shown(t: Any) -> Any:
    """A declared type as its author wrote it."""
    base, metadata = split(t)
    return base if any(isinstance(item, Borrowed) for item in metadata) else t


def _guarded(call: Callable[[], R]) -> R:
    """What a transformer gives; what it refuses, in Alula's words, so that other variants of a union get a try."""
    try:
        return call()
    except (TypeError, ValueError, AssertionError) as exc:
        raise _translated(exc) from exc


def _translated(exc: Exception) -> Exception:
    return exc if isinstance(exc, ConversionError) else ConversionError(str(exc) or type(exc).__name__)
