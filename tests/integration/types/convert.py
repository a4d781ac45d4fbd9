"""Conversions of one value, waited for."""

from __future__ import annotations

from typing import Any

from alula._kits import bridge
from alula.idl import Literal
from alula.types import Place, default


def write(t: Any, value: Any, at: Place) -> Literal:
    """The literal of a value of the declared type `t`."""
    converter = default.converter(t)
    made = converter.to_literal(value, at)
    lit: Literal = bridge.run(made) if converter.awaits else made
    return Literal.FromString(lit.SerializeToString())


def read(t: Any, lit: Literal, at: Place) -> Any:
    """The value of a literal, as the declared type `t`."""
    converter = default.converter(t)
    made = converter.to_python(lit, at)
    return bridge.run(made) if converter.awaits else made


def round_trip(t: Any, value: Any, at: Place) -> Any:
    return read(t, write(t, value, at), at)
