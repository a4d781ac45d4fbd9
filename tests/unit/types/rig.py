"""A registry, a place in memory, and conversions in one call."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

from alula._kits import bridge
from alula.data.stores import Objects
from alula.idl import Literal, packing
from alula.types.registry import Registry
from alula.types.transformer import Place

TYPES = Registry()
OBJECTS = Objects()
_numbers = itertools.count()
AT = Place(objects=OBJECTS, prefix="memory://blobs", types=TYPES, new_name=lambda: f"{next(_numbers)}")


def write(t: Any, value: Any) -> Any:
    return now(TYPES.converter(t).to_literal(value, AT))


def read(t: Any, lit: Literal) -> Any:
    return now(TYPES.converter(t).to_python(lit, AT))


def round_trip(t: Any, value: Any) -> Any:
    return read(t, Literal.FromString(write(t, value).SerializeToString()))


def copy(t: Any, value: Any) -> Any:
    made = TYPES.converter(t).copy
    assert made is not None, f"{t} cannot be copied"
    return made(value)


def pack(t: Any, value: Any) -> Any:
    return now(TYPES.packing(t).pack(value, AT))


def unpack(t: Any, data: Any) -> Any:
    return now(TYPES.packing(t).unpack(data, AT))


def packed_round_trip(t: Any, value: Any) -> Any:
    return unpack(t, packing.unpacked(packing.packed(pack(t, value))))


def now(result: Any) -> Any:
    return bridge.run(result) if inspect.isawaitable(result) else result
