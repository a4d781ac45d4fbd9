"""Types as programs for flytekit declare them -> types as Alula is told them.

Almost all of them are the same. What differs: transformers written for flytekit stand in annotations, and a type
that no transformer takes is pickled, which Alula does only when it is asked to.
"""

from __future__ import annotations

import types
import typing
from collections import abc
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from alula.compat.adopt import RestrictedTypeError
from alula.compat.borrowed import borrow
from alula.compat.flytekit.loggers import logger
from alula.compat.transformers import TypeTransformer
from alula.errors import RestrictedType, UnsupportedType
from alula.types.pickle import PickleTransformer
from alula.types.registry import default
from alula.types.transformer import split, type_name

_WARNED: set[str] = set()
_CONTAINERS: dict[Any, Any] = {list: list, dict: dict, tuple: tuple, abc.Iterator: abc.Iterator}
_ANYTHING = (Any, object)
_SPELT: dict[Any, Any] = {list: typing.List, dict: typing.Dict}  # noqa: UP006 - as flytekit spells what it guesses


def declared(t: Any) -> Any:
    """The type for Alula.

    Raises:
        RestrictedTypeError: flytekit refuses it as an input or output.
    """
    base, metadata = split(t)
    if metadata:
        return _annotated(base, metadata)
    if base in _ANYTHING or isinstance(base, TypeVar):
        return _pickled(base, Any)
    origin, args = get_origin(base), get_args(base)
    if origin is Union or origin is types.UnionType:
        return Union[tuple(declared(arg) for arg in args)]  # noqa: UP007 - of as many as there are
    if origin in _CONTAINERS and args:
        if origin is dict and args[0] is not str:
            return base  # packed as it is
        return _CONTAINERS[origin][tuple(declared(arg) for arg in args)]
    replacement = getattr(base, "__alula_type__", None) if isinstance(base, type) else None
    if replacement is not None:
        return replacement
    return base if _known(base) else _pickled(base, base)


def one_value(t: Any) -> Any:
    """`declared`, for an input or output, which cannot be a tuple. Raises RestrictedTypeError."""
    base = split(t)[0]
    if base is tuple or get_origin(base) is tuple or (isinstance(base, type) and issubclass(base, tuple)):
        raise RestrictedTypeError(
            f"the type {type_name(base)} is not allowed as an input or output: use its parts one by one, or a dataclass"
        )
    return declared(t)


def _annotated(base: Any, metadata: tuple[Any, ...]) -> Any:
    kept = tuple(borrow(item) if isinstance(item, TypeTransformer) else item for item in metadata)
    if any(isinstance(item, TypeTransformer) for item in metadata):
        return Annotated[(base, *kept)]
    return Annotated[(declared(base), *kept)]


def _known(base: Any) -> bool:
    try:
        default.transformer(base)
    except RestrictedType as exc:
        raise RestrictedTypeError(exc.what) from exc
    except UnsupportedType:
        return base in (list, typing.List) or base is None  # noqa: UP006 - what flytekit refuses too
    return True


def _pickled(shown: Any, t: Any) -> Any:
    name = type_name(shown)
    if name not in _WARNED:
        _WARNED.add(name)
        logger.warning("no transformer takes the type %s: its values are pickled", name)
    return Annotated[(t, PickleTransformer())]


def shown(t: Any) -> Any:
    """A type that Alula has guessed, as flytekit would name it: `typing.List[FlyteFile]` for `list[File]`."""
    origin, args = get_origin(t), tuple(shown(arg) for arg in get_args(t))
    if origin in _SPELT:
        return _SPELT[origin][args]
    if origin is Union or origin is types.UnionType:
        return Union[args]  # noqa: UP007
    if isinstance(t, type):
        for ours, theirs in _SHOWN.items():
            if t is ours or getattr(t, "_parent", None) is ours:
                extension = getattr(t, "_extension", "")
                return theirs[extension] if extension else theirs
    return t


_SHOWN: dict[Any, Any] = {}
"""Classes of Alula that have a subclass here with flytekit's name."""


def show_as(ours: Any, theirs: Any) -> None:
    """Name a guessed type `theirs` in place of `ours`. Called by the module that defines the subclass."""
    _SHOWN[ours] = theirs
