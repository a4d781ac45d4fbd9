"""What an input of a node is bound to: a constant, a promise, or a list or dict of such; checked when it is written."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Union, get_args, get_origin

from alula.errors import AlulaError, CallError, ConversionError
from alula.idl.casting import castable
from alula.sdk.promise import PROMISE_TEXT, UNKNOWN, Comparison, Conjunction, Promise, Void, described, promises_in
from alula.sdk.signature import Interface, caller, optional
from alula.types.registry import Registry, default
from alula.types.transformer import Converter, split, type_name


@dataclass(frozen=True, slots=True)
class Constant:
    """A value known when compiling; a snapshot where the type can be copied."""

    value: Any
    converter: Converter


@dataclass(frozen=True, slots=True)
class Reference:
    """A promise, and what it must become."""

    promise: Promise
    source: Converter | None
    """How the producer's whole output is declared; None where nobody declared it."""
    converter: Converter


@dataclass(frozen=True, slots=True)
class ListOf:
    items: tuple[Bound, ...]
    converter: Converter


@dataclass(frozen=True, slots=True)
class DictOf:
    items: Mapping[str, Bound]
    converter: Converter


Bound = Constant | Reference | ListOf | DictOf


def arguments(name: str, interface: Interface, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by input name, positional ones in order of declaration; defaults are not filled in.

    Raises:
        CallError: too many, unknown, doubled or missing ones: all of them in one message.
    """
    inputs = interface.inputs
    if not args and kwargs.keys() <= inputs.keys() and len(kwargs) == len(inputs):
        return kwargs
    faults: list[str] = []
    given = dict(zip(inputs, args, strict=False))
    if len(args) > len(inputs):
        faults.append(f"takes {len(inputs)} positional argument(s), {len(args)} given")
    for key, value in kwargs.items():
        if key not in inputs:
            faults.append(f"has no input '{key}'")
        elif key in given:
            faults.append(f"input '{key}' is given twice, by position and by name")
        else:
            given[key] = value
    missing = [f"'{key}'" for key, one in inputs.items() if key not in given and one.required]
    if missing:
        faults.append(f"input {', '.join(missing)} is missing")
    if faults:
        listed = ", ".join(f"{k}: {type_name(one.type)}" for k, one in inputs.items()) or "no inputs"
        raise CallError(f"call of '{name}': " + "; ".join(faults), where=caller(), fix=f"it takes ({listed})")
    return given


def bind(value: Any, t: Any, converter: Converter, what: str, registry: Registry = default) -> Bound:
    """What one input is bound to.

    Args:
        value: A value, a promise, or lists and dicts that hold promises. Never changed, never kept.
        t: The input's declared type.
        what: Task and input, for errors.

    Raises:
        CallError: it can be seen now that it does not fit.
    """
    if isinstance(value, Promise):
        return _reference(value, t, converter, what, registry)
    _refuse_non_values(value, what)
    _refuse_text(value, what)
    if isinstance(value, list | dict) and next(promises_in(value), None) is not None:
        return _structure(value, t, converter, what, registry)
    if isinstance(value, tuple) and hasattr(value, "_node"):
        raise CallError(
            f"{what} is given all outputs of a task as one tuple, expected {_shown(t)}",
            where=caller(),
            fix="unpack the outputs (`a, b = t()`) and pass the one that is meant",
        )
    copy = converter.copy or registry.converter(t).copy  # an input may be kept as a literal although it can be copied
    if copy is None:
        _refuse_hidden(value, what)
        return Constant(value, converter)
    try:
        return Constant(copy(value), converter)
    except AlulaError as exc:
        _refuse_hidden(value, what)
        raise CallError(exc.about(what), where=caller(), fix=exc.fix or fix_of(value, t)) from exc


def _refuse_non_values(value: Any, what: str) -> None:
    if isinstance(value, Void):
        raise CallError(
            f"{what} is given the result of '{value._node.title}', which returns nothing",
            where=caller(),
            fix=f"give '{value._node.title}' a return annotation, or order the two with `a >> b`",
        )
    if isinstance(value, Comparison | Conjunction):
        raise CallError(
            f"{what} is given a comparison of promises, which is no value",
            where=caller(),
            fix="compare inside a @task, or use it in conditional(...).if_(...)",
        )


def _refuse_text(value: Any, what: str) -> None:
    """`str(promise)` gives what people print while they look for something; as a value it is a mistake."""
    if isinstance(value, str) and (shown := PROMISE_TEXT.search(value)):
        raise CallError(
            f"{what} is a text that was made of a promise, which has no value yet: {shown.group()}",
            where=caller(),
            fix="build the text in a @task",
        )


def _refuse_hidden(value: Any, what: str) -> None:
    hidden = next(_hidden(value), None)
    if hidden is not None:
        kind = type(value).__qualname__
        raise CallError(
            f"{what} is given a {kind} that holds {described(hidden)}, which has no value yet",
            where=caller(),
            fix=f"make the {kind} inside a @task; only lists and dicts may hold promises",
        )


def _hidden(value: Any) -> Iterator[Promise]:
    """Promises where none may be: inside tuples, sets and dataclasses, at any depth."""
    if isinstance(value, Promise):
        yield value
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _hidden(item)
    elif isinstance(value, dict):
        yield from _hidden([*value, *value.values()])
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _hidden([getattr(value, f.name, None) for f in fields(value)])


def _reference(promise: Promise, t: Any, converter: Converter, what: str, registry: Registry) -> Reference:
    source = None
    if promise._type is not UNKNOWN:
        declared = registry.converter(promise._type)
        if declared is not converter and not castable(declared.literal_type, converter.literal_type):
            raise CallError(
                f"{what} expects {_shown(t)}, and {described(promise)} is {_shown(promise._type)}",
                where=caller(),
                fix=_edge_fix(promise._type, t),
            )
    if promise._node.entity is None:
        source = promise._node.inputs[promise._var].converter
    elif promise._var in promise._node.entity.interface.outputs:
        source = promise._node.entity.interface.outputs[promise._var].converter
    return Reference(promise, source, converter)


def _structure(value: Any, t: Any, converter: Converter, what: str, registry: Registry) -> Bound:
    kind = list if isinstance(value, list) else dict
    element = _element(t, kind)
    if element is None:
        raise CallError(
            f"{what} expects {_shown(t)}, and is given a {kind.__name__} that holds promises",
            where=caller(),
            fix=f"declare the input as {kind.__name__}[...], or build the value inside a @task",
        )
    inner = registry.converter(element)
    if kind is list:
        return ListOf(
            tuple(bind(item, element, inner, f"{what}[{i}]", registry) for i, item in enumerate(value)), converter
        )
    return DictOf({k: bind(item, element, inner, f"{what}[{k!r}]", registry) for k, item in value.items()}, converter)


def _element(t: Any, kind: type) -> Any:
    """The element type of a declared list or dict, looked for inside unions too; None: not such a type."""
    base = split(t)[0]
    if get_origin(base) is kind and get_args(base):
        return get_args(base)[-1]
    if get_origin(base) is Union or type(base).__name__ == "UnionType":
        for variant in get_args(base):
            found = _element(variant, kind)
            if found is not None:
                return found
    return None


def fix_of(value: Any, t: Any) -> str:
    """What to do about a value that is not of the declared type."""
    base = split(t)[0]
    if inspect.iscoroutine(value):
        return f"write `await` before the call of '{value.__qualname__}'"
    if base is float and type(value) is int:
        return f"write {value}.0"
    if value is None and not optional(t):
        return f"declare the input as {_shown(t)} | None, or pass a value"
    return f"pass a value of type {_shown(t)}"


def _edge_fix(produced: Any, wanted: Any) -> str:
    if split(produced)[0] is int and split(wanted)[0] is float:
        return "return a float there, or convert in a @task between them"
    if optional(produced) and not optional(wanted):
        return "accept None there, or unwrap it in a @task between them"
    return "make the two types equal, or convert in a @task between them"


def _shown(t: Any) -> str:
    return type_name(split(t)[0])


def conversion_fault(exc: ConversionError, what: str, where: str) -> ConversionError:
    """The same fault, saying of which task and parameter it is."""
    made = type(exc)(exc.about(what), where=exc.where or where, fix=exc.fix)
    return made.with_traceback(exc.__traceback__)
