"""Alula's errors, as errors that programs for flytekit catch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from alula.compat.flytekit.exceptions.user import (
    FlyteDisapprovalException,
    FlyteValidationException,
    FlyteValueException,
)
from alula.errors import (
    AlulaError,
    CallError,
    CompileError,
    ConversionError,
    Disapproved,
    PromiseError,
    RestrictedType,
    SignatureError,
)


class TypeTransformerFailedError(TypeError, ValueError, AssertionError):
    """A value does not fit its declared type."""


class RestrictedTypeError(Exception):
    """A type that is known, and refused as an input or output."""


class _WrongSignature(FlyteValidationException, FlyteValueException):
    """A function that does not return what it declares; flytekit has two names for it."""


_THEIRS: dict[type[AlulaError], type[Exception]] = {
    ConversionError: TypeTransformerFailedError,
    CallError: TypeTransformerFailedError,
    RestrictedType: RestrictedTypeError,
    Disapproved: FlyteDisapprovalException,
    CompileError: FlyteValidationException,
    SignatureError: _WrongSignature,
}
"""The class of flytekit's that means the same; what is missing has a builtin class that will do."""


@contextmanager
def adopted() -> Iterator[None]:
    """Errors of Alula that leave the block are also flytekit's, with the same text and traceback."""
    try:
        yield
    except AlulaError as exc:
        adopt(exc)
        raise


def adopt(exc: BaseException) -> None:
    """Make an error of Alula one of flytekit's as well: it gets a class that is both."""
    if isinstance(exc, AlulaError) and not isinstance(exc, PromiseError):
        kind: Any = type(exc)
        both = _both(kind)
        if both is not None:
            exc.__class__ = both


@cache
def _both(ours: Any) -> type[AlulaError] | None:
    theirs = next((_THEIRS[base] for base in ours.__mro__ if base in _THEIRS), None)
    if theirs is None or issubclass(ours, theirs):
        return None
    body = {"__module__": theirs.__module__, "__qualname__": theirs.__qualname__}
    metaclass: Any = type(theirs)
    made: type[AlulaError] = metaclass(theirs.__name__, (ours, theirs), body)
    return made
