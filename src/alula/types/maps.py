"""Named values <-> LiteralMap: the inputs or outputs of a task, all faults told at once, each with its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alula._kits import bridge
from alula._kits.aio import gather
from alula.errors import ConversionError
from alula.idl import Literal, LiteralMap
from alula.types.transformer import Converter, Place

_AT_A_TIME = 16
"""Blobs on their way at once for one task."""


async def to_literals(values: Mapping[str, Any], converters: Mapping[str, Converter], place: Place) -> LiteralMap:
    """The wire form of named values; blobs are written side by side.

    Raises:
        ConversionError: one or more do not fit; the message has the name of each.
    """
    found = await _each({k: (c.to_literal, c.awaits, values[k]) for k, c in converters.items()}, place)
    return LiteralMap(literals=found)


async def to_python(literals: LiteralMap, converters: Mapping[str, Converter], place: Place) -> dict[str, Any]:
    """The values again, of the declared types.

    Raises:
        ConversionError: one or more do not fit, or are missing.
    """
    missing = [name for name in converters if name not in literals.literals]
    if missing:
        raise ConversionError(f"no value for {', '.join(map(repr, missing))}")
    return await _each({k: (c.to_python, c.awaits, literals.literals[k]) for k, c in converters.items()}, place)


def to_python_at_once(literals: LiteralMap, converters: Mapping[str, Converter], place: Place) -> dict[str, Any]:
    """`to_python` for converters of which none awaits. Raises ConversionError."""
    found: dict[str, Any] = {}
    faults: list[ConversionError] = []
    for name, converter in converters.items():
        try:
            found[name] = converter.to_python(literals.literals[name], place)
        except ConversionError as exc:
            faults.append(_named(name, exc))
    _raise(faults)
    return found


def literal(value: Any, converter: Converter, place: Place) -> Literal:
    """One value's wire form, from sync code. Raises ConversionError."""
    made = converter.to_literal(value, place)
    lit: Literal = bridge.run(made) if converter.awaits else made
    return lit


def value(lit: Literal, converter: Converter, place: Place) -> Any:
    """One value again, from sync code. Raises ConversionError."""
    made = converter.to_python(lit, place)
    return bridge.run(made) if converter.awaits else made


async def _each(calls: Mapping[str, tuple[Callable[..., Any], bool, Any]], place: Place) -> dict[str, Any]:
    faults: list[ConversionError] = []

    async def one(name: str) -> Any:
        call, awaits, argument = calls[name]
        try:
            made = call(argument, place)
            return await made if awaits else made
        except ConversionError as exc:
            faults.append(_named(name, exc))
            return None

    found = await gather(one, calls, limit=_AT_A_TIME)
    _raise(faults)
    return dict(zip(calls, found, strict=True))


def _named(name: str, exc: ConversionError) -> ConversionError:
    return type(exc)(f"{name}{exc.path}: {exc.what}", where=exc.where, fix=exc.fix)


def _raise(faults: list[ConversionError]) -> None:
    if len(faults) == 1:
        raise faults[0]
    if faults:
        fixes = dict.fromkeys(fault.fix for fault in faults if fault.fix)
        raise ConversionError("; ".join(fault.what for fault in faults), fix="; ".join(fixes))
