"""Annotations of a function -> the interface of an entity: names, types, defaults, converters."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Union, get_args, get_origin

from alula.errors import AlulaError, SignatureError, UnsupportedType
from alula.idl import TypedInterface
from alula.sdk import docstring
from alula.types.registry import Registry, default
from alula.types.transformer import Converter, split, type_name

REQUIRED: Any = inspect.Parameter.empty
"""The default of an input that has none."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a signature."""

    what: str
    fix: str = ""
    unsupported: bool = False
    """A type that no transformer takes."""


@dataclass(frozen=True, slots=True)
class Input:
    name: str
    type: Any
    converter: Converter
    default: Any = REQUIRED

    @property
    def required(self) -> bool:
        """Whether a caller must pass it. A default of None counts only where None is a value of the type."""
        if self.default is REQUIRED:
            return True
        return self.default is None and not optional(self.type)


@dataclass(frozen=True, slots=True)
class Output:
    name: str
    type: Any
    converter: Converter


@dataclass(frozen=True, slots=True)
class Interface:
    """What goes in and what comes out of an entity, by name, in order of declaration."""

    inputs: Mapping[str, Input] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)
    tuple_type: type[Any] | None = None
    """The NamedTuple that names the outputs, where the author wrote one."""
    as_tuple: bool = False
    """Whether the function returns a tuple (even of one) rather than the value itself."""
    source: Callable[..., Any] | None = None
    """The function whose docstring describes inputs and outputs."""

    @property
    def doc(self) -> docstring.Doc:
        """What the docstring says; parsed when first asked for."""
        return docstring.EMPTY if self.source is None else docstring.parse(self.source)

    def message(self) -> TypedInterface:
        """The wire form, with the descriptions of the docstring."""
        made, doc = TypedInterface(), self.doc
        made.inputs.SetInParent()
        made.outputs.SetInParent()
        for name, one in self.inputs.items():
            variable = made.inputs.variables[name]
            variable.type.CopyFrom(one.converter.literal_type)
            variable.description = doc.inputs.get(name, name)
        for name, out in self.outputs.items():
            variable = made.outputs.variables[name]
            variable.type.CopyFrom(out.converter.literal_type)
            variable.description = doc.output(name)
        return made

    def pack(self, values: tuple[Any, ...]) -> Any:
        """The outputs as the function's caller sees them: None, the value, a tuple or the NamedTuple."""
        if self.tuple_type is not None:
            return self.tuple_type(*values)
        if self.as_tuple or len(values) > 1:
            return values
        return values[0] if values else None

    def without(self, names: Iterable[str]) -> Interface:
        """The same interface less some inputs."""
        dropped = set(names)
        return Interface(
            {k: v for k, v in self.inputs.items() if k not in dropped},
            self.outputs,
            self.tuple_type,
            self.as_tuple,
            self.source,
        )


def where_of(fn: Any) -> str:
    """`file:line` of a function or class; the name of what has no source."""
    fn = inspect.unwrap(fn) if callable(fn) else fn
    code = getattr(fn, "__code__", None)
    if code is not None:
        return f"{code.co_filename}:{code.co_firstlineno}"
    return getattr(fn, "__qualname__", repr(fn))


def caller(*, skip: tuple[str, ...] = ()) -> str:
    """`file:line` of the innermost frame that is the user's: outside this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if not (name == "alula" or name.startswith(("alula.", "contextlib", "functools")) or name.startswith(skip)):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def optional(t: Any) -> bool:
    """Whether None is a value of the declared type."""
    base = split(t)[0]
    if base is None or base is type(None):
        return True
    return get_origin(base) in (Union, getattr(sys.modules["types"], "UnionType", Union)) and any(
        optional(arg) for arg in get_args(base)
    )


def interface_of(
    fn: Callable[..., Any], name: str, *, ignore: Iterable[str] = (), registry: Registry = default, untyped: Any = None
) -> Interface:
    """The interface of a function, from its annotations.

    Args:
        fn: The user's function.
        name: What to call it in errors.
        ignore: Parameters that are not inputs.
        untyped: The type of parameters without a hint; None: a missing hint is an error.

    Raises:
        SignatureError, UnsupportedType: with every fault of the signature.
    """
    ignored = set(ignore)
    where, faults = where_of(fn), list[Fault]()
    hints = _hints(fn, name, where)
    inputs: dict[str, Input] = {}
    for p in inspect.signature(fn).parameters.values():
        if p.name in ignored:
            continue
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY):
            what = f"parameter {p}: inputs are passed by name, so *args, **kwargs and '/' cannot be inputs"
            faults.append(Fault(what, "name every parameter"))
            continue
        t = hints.get(p.name, untyped)
        if t is None and p.name not in hints:
            faults.append(Fault(f"parameter '{p.name}' has no type hint", f"add it, such as `{p.name}: int`"))
            continue
        converter = _converter(t, f"parameter '{p.name}'", registry, faults)
        if converter is not None:
            inputs[p.name] = Input(p.name, t, converter, p.default)
            _check_default(inputs[p.name], faults)
    outputs, tuple_type, as_tuple = _outputs(hints.get("return", untyped), registry, faults)
    if faults:
        _raise(name, where, faults)
    return Interface(inputs, outputs, tuple_type, as_tuple, fn)


def interface_from(
    inputs: Mapping[str, Any] | None, outputs: Mapping[str, Any] | None, name: str, *, registry: Registry = default
) -> Interface:
    """The interface of an entity that has no function: names to types (a value `(type, default)` has a default)."""
    faults: list[Fault] = []
    ins: dict[str, Input] = {}
    outs: dict[str, Output] = {}
    for key, t in (inputs or {}).items():
        t, value = t if isinstance(t, tuple) else (t, REQUIRED)
        converter = _converter(t, f"input '{key}'", registry, faults)
        if converter is not None:
            ins[key] = Input(key, t, converter, value)
    for key, t in (outputs or {}).items():
        converter = _converter(t, f"output '{key}'", registry, faults)
        if converter is not None:
            outs[key] = Output(key, t, converter)
    if faults:
        _raise(name, caller(), faults)
    return Interface(ins, outs, as_tuple=len(outs) > 1)


def kwtypes(**types: Any) -> dict[str, Any]:
    """Names and types, for entities without a function: `inputs=kwtypes(a=int, b=str)`."""
    return types


def _hints(fn: Callable[..., Any], name: str, where: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(inspect.unwrap(fn), include_extras=True)
    except (NameError, AttributeError, TypeError) as exc:
        raise SignatureError(
            f"the type hints of '{name}' cannot be evaluated: {exc}",
            where=where,
            fix="import the name at the top of the module (not only under TYPE_CHECKING)",
        ) from exc


def _converter(t: Any, what: str, registry: Registry, faults: list[Fault]) -> Converter | None:
    try:
        return registry.converter(t)
    except UnsupportedType as exc:
        inside = f" ({exc.where})" if exc.where else ""
        faults.append(Fault(f"{what} has type {type_name(t)}: {exc.what}{inside}", exc.fix, unsupported=True))
        return None


def _check_default(one: Input, faults: list[Fault]) -> None:
    """A default is a value like any other: of the declared type."""
    if one.default is REQUIRED or one.converter.copy is None or (one.default is None and not optional(one.type)):
        return
    try:
        one.converter.copy(one.default)
    except AlulaError as exc:
        fix = exc.fix or f"change the default, or the hint of '{one.name}'"
        faults.append(Fault(exc.about(f"the default of parameter '{one.name}' does not fit"), fix))


def _outputs(t: Any, registry: Registry, faults: list[Fault]) -> tuple[dict[str, Output], type[Any] | None, bool]:
    if t is None or t is type(None):
        return {}, None, False
    tuple_type: type[Any] | None = None
    as_tuple = False
    base = split(t)[0]
    if isinstance(base, type) and issubclass(base, tuple) and hasattr(base, "_fields"):
        tuple_type, as_tuple = base, True
        hints = typing.get_type_hints(base, include_extras=True)
        named = {field: hints.get(field) for field in base._fields}
    elif get_origin(base) is tuple and not (len(get_args(base)) == 2 and get_args(base)[1] is Ellipsis):
        as_tuple = True
        named = {f"o{i}": arg for i, arg in enumerate(get_args(base)) if arg != ()}
    else:
        named = {"o0": t}
    outputs: dict[str, Output] = {}
    for key, one in named.items():
        if one is None:
            faults.append(Fault(f"output '{key}' has no type hint", f"add it, such as `{key}: int`"))
            continue
        converter = _converter(
            one, "the return value" if key == "o0" and not as_tuple else f"output '{key}'", registry, faults
        )
        if converter is not None:
            outputs[key] = Output(key, one, converter)
    return outputs, tuple_type, as_tuple


def _raise(name: str, where: str, faults: list[Fault]) -> typing.NoReturn:
    kind = UnsupportedType if any(fault.unsupported for fault in faults) else SignatureError
    what = "; ".join(fault.what for fault in faults)
    fix = "; ".join(dict.fromkeys(fault.fix for fault in faults if fault.fix))
    raise kind(f"the signature of '{name}' is not usable: {what}", where=where, fix=fix)
