"""Which transformer serves a declared type, and its compiled converter.

The order of search, first hit wins:

1. a `TypeTransformer` instance inside `Annotated[...]`
2. `Enum` classes, before the `str` or `int` that they mix in
3. `Literal[...]`, unions in both spellings
4. the parametrised type as a whole (`Iterator[JSON]`), then its origin (`list`)
5. the class itself, then its bases in method resolution order
6. dataclasses

Nothing falls back to pickle: an unknown type is an error where it is declared.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import threading
import types as pytypes
import typing
from collections import abc
from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import Any, TypeVar, get_origin

from alula._kits.lazy import entry_points, load
from alula.errors import AlulaError, RestrictedType, UnsupportedType
from alula.idl import Literal, LiteralType, TypeAnnotation
from alula.types.packing import ANYTHING, well_known
from alula.types.transformer import Converter, HashMethod, Packing, Place, TypeTransformer, split, type_name

GROUP = "alula.types"
_BUILT_IN = (
    ("simple", "binary", "enums", "choices", "collections", "tuples", "unions", "errors", "dataclasses"),
    ("files", "directories", "tabular", "iterators", "jsonlines", "protobuf", "pickle"),
)
"""What most programs need, then what brings asyncio and stores with it, loaded when the first cannot help."""
_ALIASES: dict[Any, Any] = {pytypes.UnionType: typing.Union}


class Registry:
    """Transformers by type, append-only, with a cache of compiled converters.

    Safe from any thread. `default` is the one that everybody uses unless a registry is passed in.

    Args:
        built_in: Load Alula's own families and those of installed packages (entry points); False: start empty.
    """

    def __init__(self, *, built_in: bool = True) -> None:
        self._by_type: dict[Any, TypeTransformer[Any]] = {}
        self._restricted: dict[Any, str] = {}
        self._converters: dict[Any, Converter] = {}
        self._opened: set[str] = set()
        self._lock = threading.RLock()
        self._pending: tuple[tuple[str, ...], ...] = _BUILT_IN if built_in else ()
        self._built_in = built_in

    def register(self, transformer: TypeTransformer[Any], *more_types: Any, override: bool = False) -> None:
        """Serve `transformer.python_type`, and `more_types`, from now on.

        Raises:
            UnsupportedType: one of them is served already, and `override` is False.
        """
        self._open_built_in()
        with self._lock:
            for t in (transformer.python_type, *more_types):
                known = self._by_type.get(t)
                if known is not None and known is not transformer and not override:
                    raise UnsupportedType(
                        f"{type_name(t)} is already served by {type(known).__name__}",
                        where=f"registration of {type(transformer).__name__}",
                        fix="pass override=True to replace it",
                    )
                self._by_type[t] = transformer
            self._converters.clear()

    def restrict(self, t: Any, fix: str) -> None:
        """Refuse `t` as an input or output, with `fix` as the advice."""
        with self._lock:
            self._restricted[t] = fix
            self._converters.clear()

    def converter(self, t: Any) -> Converter:
        """The compiled converter of a declared type.

        Raises:
            UnsupportedType: no transformer takes it; the message names the part of the type that is unknown.
        """
        key = _key(t)
        found = self._converters.get(key) if key is not None else None
        if found is None:
            with self._lock:
                found = self._compile(t)
                if key is not None:
                    self._converters[key] = found
        return found

    def packing(self, t: Any) -> Packing:
        """How values of a declared type live inside packed data: any registered type, and more.

        Inside packed data `Any` stands for plain data, and types that have a well-known plain form (`Path`, `UUID`,
        `Decimal`) need no transformer.

        Raises:
            UnsupportedType: none of these.
        """
        base, _ = split(t)
        if base in (Any, object) or isinstance(base, TypeVar):
            return ANYTHING
        if isinstance(base, type) and issubclass(base, PurePath):
            return well_known(base) or ANYTHING  # a path inside packed data is text, and nothing is uploaded
        try:
            return self.transformer(t).packing(t, self)
        except RestrictedType:
            raise
        except UnsupportedType:
            known = well_known(base)
            if known is None:
                raise
            return known

    def literal_type(self, t: Any) -> LiteralType:
        return self.converter(t).literal_type

    def guess(self, lt: LiteralType) -> Any:
        """A Python type for a literal type that no one declared: the first family that knows it, built-in ones last."""
        for transformer in sorted(self.transformers(), key=_built_in):
            t = transformer.guess(lt, self)
            if t is not None:
                return t
        raise UnsupportedType(f"no Python type is known for the literal type {str(lt).strip()!r}")

    def transformer(self, t: Any) -> TypeTransformer[Any]:
        """The transformer that serves `t`. Raises UnsupportedType, RestrictedType."""
        base, metadata = split(t)
        for item in metadata:
            if isinstance(item, TypeTransformer):
                return item
            if isinstance(item, type) and issubclass(item, TypeTransformer):
                return item()
        if len(self._pending) == len(_BUILT_IN):
            self._open_next()
        found = self._by_type.get(base) if isinstance(base, type) and base not in self._restricted else None
        if found is None:
            self._open_packages(base)  # before the search: a base class of another package may be served already
            found = self._search(base)
        while found is None and self._pending:
            self._open_next()
            found = self._search(base)
        if found is None:
            raise _unsupported(base)
        return found

    def transformers(self) -> tuple[TypeTransformer[Any], ...]:
        """All that are loaded, in order of registration."""
        self._open_built_in()
        return tuple(dict.fromkeys(self._by_type.values()))

    def _search(self, base: Any) -> TypeTransformer[Any] | None:
        base = type(None) if base is None else base
        origin = get_origin(base)
        for candidate in self._candidates(base, origin):
            candidate = _ALIASES.get(candidate, candidate)
            try:
                advice, found = self._restricted.get(candidate), self._by_type.get(candidate)
            except TypeError:  # an unhashable thing where a type is wanted
                return None
            if advice is not None:
                raise RestrictedType(f"{type_name(base)} is not allowed as an input or output", fix=advice)
            if found is not None:
                return found
        if dataclasses.is_dataclass(base if origin is None else origin):
            return self._by_type.get(dataclasses.dataclass)
        return None

    @staticmethod
    def _candidates(base: Any, origin: Any) -> Iterable[Any]:
        if isinstance(base, type) and issubclass(base, enum.Enum) and origin is None:
            yield base
            yield enum.Enum
            return
        yield base
        if origin is not None:
            yield origin
            base = origin
        if isinstance(base, type):
            for parent in base.__mro__[1:]:
                if parent is not object:
                    yield parent

    def _compile(self, t: Any) -> Converter:
        transformer = self.transformer(t)
        try:
            made = transformer.converter(t, self)
        except RecursionError:
            raise UnsupportedType(
                f"{type_name(t)} contains itself", fix="break the recursion, or annotate with alula.Pickle"
            ) from None
        return _annotate(made, t)

    def _open_built_in(self) -> None:
        while self._pending:
            self._open_next()

    def _open_next(self) -> None:
        with self._lock:
            for name in self._pending[0] if self._pending else ():
                self._add(importlib.import_module(f"alula.types.{name}").transformers)
            self._pending = self._pending[1:]

    def _open_packages(self, t: Any) -> bool:
        """Load the families that the packages of `t`'s classes trigger; True if there were any."""
        if not self._built_in:
            return False
        opened = False
        known = entry_points(GROUP)
        for name in _packages(t):
            with self._lock:
                if name in known and name not in self._opened:
                    self._opened.add(name)
                    self._add(load(GROUP, name))
                    opened = True
        return opened

    def _add(self, transformers: Iterable[TypeTransformer[Any]]) -> None:
        for transformer in transformers:
            self._by_type.setdefault(transformer.python_type, transformer)
            for t in transformer.more_types:
                self._by_type.setdefault(t, transformer)


def _built_in(transformer: TypeTransformer[Any]) -> bool:
    """Built-in families know whole kinds of literals (any blob is a file), others what is theirs alone."""
    return type(transformer).__module__.startswith("alula.types.")


def _key(t: Any) -> Any:
    """What a converter is cached under. Equal types may differ in order and metadata; the repr tells them apart."""
    try:
        hash(t)
    except TypeError:
        return None
    return t if isinstance(t, type) and get_origin(t) is None else (repr(t), t)


def _packages(t: Any) -> Iterable[str]:
    origin = get_origin(t)
    for c in (t, origin):
        if isinstance(c, type):
            for parent in c.__mro__:
                yield parent.__module__.partition(".")[0]
        elif getattr(c, "__module__", None):
            yield c.__module__.partition(".")[0]


def _unsupported(t: Any) -> AlulaError:
    if t is Any or isinstance(t, TypeVar):
        fix = "name a concrete type, or annotate with alula.Pickle to have it pickled"
    elif (get_origin(t) or t) in (abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable, abc.Generator):
        fix = "name the concrete type: list[...], or Iterator[...] for what is made one by one"
    elif (get_origin(t) or t) in (abc.Mapping, abc.MutableMapping):
        fix = "name the concrete type: dict[...]"
    elif t in (list, dict, tuple, set):
        fix = f"name the element type, such as {t.__name__}[int]" if t is not dict else "use dict[str, int]"
    else:
        fix = "register a TypeTransformer for it, or annotate with alula.Pickle to have it pickled"
    return UnsupportedType(f"no transformer accepts the type {type_name(t)}", fix=fix)


def _annotate(made: Converter, t: Any) -> Converter:
    """Add what any `Annotated` may carry: a hash of the value, and a free annotation of the literal type."""
    _, metadata = split(t)
    for item in metadata:
        if isinstance(item, HashMethod):
            made = dataclasses.replace(made, to_literal=_hashing(made, item.calculate))
        elif isinstance(item, Annotation):
            lt = LiteralType()
            lt.CopyFrom(made.literal_type)
            lt.annotation.MergeFrom(item.message())
            made = dataclasses.replace(made, literal_type=lt)
    return made


def _hashing(made: Converter, calculate: Callable[[Any], str]) -> Callable[[Any, Place], Any]:
    plain = made.to_literal

    def hashed(value: Any, at: Place) -> Literal:
        lit: Literal = plain(value, at)
        lit.hash = calculate(value)
        return lit

    async def hashed_later(value: Any, at: Place) -> Literal:
        lit: Literal = await plain(value, at)
        lit.hash = calculate(value)
        return lit

    return hashed_later if made.awaits else hashed


@dataclasses.dataclass(frozen=True, slots=True)
class Annotation:
    """Free data in `Annotated[T, Annotation({...})]` that ends in `LiteralType.annotation`."""

    data: dict[str, Any]

    def message(self) -> TypeAnnotation:
        made = TypeAnnotation()
        made.annotations.update(self.data)
        return made


default = Registry()
"""The registry that everybody uses unless one is passed in. Append-only."""
