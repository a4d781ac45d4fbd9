"""Whether two literals hold the same value, and a name for a value that is the same wherever it is computed.

Both compare contents in one normal form. The order of map entries is no part of a value: not in a `LiteralMap`, whose
wire form has none, and so not in a msgpack map either, as `{"a": 1, "b": 2} == {"b": 2, "a": 1}` in Python. Types are
part of it: 1, 1.0 and True differ, and so do 0.0 and -0.0; NaN is the same as itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgpack

from alula.idl import Literal, LiteralMap


def equal(a: Literal | LiteralMap, b: Literal | LiteralMap) -> bool:
    """Whether both hold the same value, `metadata` included. A `hash` that a task attached is no part of the value."""
    if type(a) is not type(b):
        return False
    return _serialized(a) == _serialized(b) or _normal(a, by_hash=False) == _normal(b, by_hash=False)


def digest(value: Literal | LiteralMap) -> str:
    """SHA-256 of the value in hex, for cache keys.

    Where a literal carries a `hash` (from `Annotated[T, HashMethod(...)]`), the hash stands for its content: inside
    lists, maps and unions too.
    """
    return hashlib.sha256(_normal(value, by_hash=True)).hexdigest()


def _normal(value: Literal | LiteralMap, *, by_hash: bool) -> bytes:
    copy = Literal()
    if isinstance(value, LiteralMap):
        copy.map.CopyFrom(value)
    else:
        copy.CopyFrom(value)
    _normalize([copy], by_hash)
    return _serialized(copy)


def _serialized(message: Literal | LiteralMap) -> bytes:
    return message.SerializeToString(deterministic=True)


def _normalize(literals: Iterable[Literal], by_hash: bool) -> None:
    for lit in literals:
        if lit.hash:
            given = lit.hash
            if by_hash:
                lit.Clear()
                lit.hash = given
                continue
            lit.ClearField("hash")
        match lit.WhichOneof("value"):
            case "collection":
                _normalize(lit.collection.literals, by_hash)
            case "map":
                _normalize(lit.map.literals.values(), by_hash)
            case "scalar":
                scalar = lit.scalar
                if scalar.HasField("union"):
                    _normalize([scalar.union.value], by_hash)
                elif scalar.HasField("binary") and scalar.binary.tag == "msgpack":
                    scalar.binary.value = _sorted(scalar.binary.value)


def _sorted(packed: bytes) -> bytes:
    """The same msgpack value with the keys of every map in one order; unchanged if it cannot be read."""
    try:
        value = msgpack.unpackb(packed, strict_map_key=False, use_list=False, object_pairs_hook=_in_order)
        return bytes(msgpack.packb(value))
    except (ValueError, TypeError, OverflowError):
        # Not msgpack, or nested too deep, or a key that Python cannot hold: its bytes are the best name it has.
        return packed


def _in_order(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    result = dict(sorted(pairs, key=lambda pair: bytes(msgpack.packb(pair[0]))))
    if len(result) < len(pairs):
        raise ValueError("keys that are distinct in msgpack are equal in Python")
    return result
