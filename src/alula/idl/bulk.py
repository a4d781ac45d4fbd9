"""Lists of 1,000 to 1,000,000 plain values as one literal, and back, at the speed of bytes.

A list literal holds three nested messages per element, and touching them one by one from Python costs about
half a microsecond each. Both directions here go through the wire form instead, which protobuf parses in C:

- writing lays out the serialized elements with whole-list operations and parses the result once;
- reading parses the serialized list as a message of another shape. Where an embedded message is declared
  singular, a parser merges its occurrences, and a repeated field of the merged message holds all values in order.
  Source: protobuf.dev/programming-guides/encoding, "Last One Wins" and "Protoscope".

Measured with 100,000 distinct values, medians on 2 cores, in ms:

| elements | nested constructors | `add()` in place | here | reading one by one | here |
|---|---|---|---|---|---|
| int | 422 | 57 | 8.1 | 33 | 9.1 |
| float | 381 | 77 | 5.0 | 39 | 8.1 |
| str | 330 | 58 | 16 | 43 | 12 |
| bool | 310 | 56 | 8.4 | 30 | 7.7 |
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, message_factory

from alula.errors import ConversionError
from alula.idl import BindingDataCollection, Literal, LiteralCollection

_FEW = 24
"""Below this many elements the fixed cost of the whole-list operations is more than they save."""


def collection_of_integers(values: Sequence[int]) -> Literal:
    """A list literal of ints. The caller checks element types: a bool counts as an int here.

    Raises:
        ConversionError: A value does not fit into 64 bits.
    """
    if len(values) < _FEW:
        lit = _empty()
        add = lit.collection.literals.add
        try:
            for value in values:
                add().scalar.primitive.integer = value
        except ValueError as exc:
            raise _too_large(values) from exc
        return lit
    try:
        raw = _little_endian(array("q", values))
    except OverflowError as exc:
        raise _too_large(values) from exc
    # Every varint is written at its full 10 bytes, which parsers accept, so that all elements have one size.
    element = _nested(b"\x08", 10) + bytes(10)
    out = bytearray(element * len(values))
    for nth, varint_byte in enumerate(_varint_bytes(raw)):
        out[len(element) - 10 + nth :: len(element)] = varint_byte
    return _parsed(out)


def collection_of_floats(values: Sequence[float]) -> Literal:
    """A list literal of floats; ints among them become floats."""
    raw = _little_endian(array("d", values))
    element = _nested(b"\x11", 8) + bytes(8)
    out = bytearray(element * len(values))
    for nth in range(8):
        out[len(element) - 8 + nth :: len(element)] = raw[nth::8]
    return _parsed(out)


def collection_of_strings(values: Sequence[str]) -> Literal:
    """A list literal of strings. Raises UnicodeEncodeError for lone surrogates, TypeError for other types."""
    encoded = list(map(str.encode, values))
    sizes = list(map(len, encoded))
    heads = {size: _nested(b"\x1a" + _varint(size), size) for size in set(sizes)}
    parts = [b""] * (2 * len(encoded))
    parts[::2] = map(heads.__getitem__, sizes)
    parts[1::2] = encoded
    return _parsed(b"".join(parts))


def collection_of_booleans(values: Sequence[bool]) -> Literal:
    """A list literal of bools."""
    head = _nested(b"\x20", 1)
    return _parsed(b"".join(map((head + b"\x00", head + b"\x01").__getitem__, values)))


def collection_of_constants(bindings: BindingDataCollection) -> Literal | None:
    """The list that a binding spells out; None if it is short, or an element is anything but a plain constant.

    Source: flyteidl core/literals.proto. `BindingData` and `Literal` have their scalar in the same field, and lists of
    either have their elements in the same one.
    """
    items = bindings.bindings
    if len(items) < _FEW or not all(item.HasField("scalar") for item in items):
        return None
    return _parsed(bindings.SerializeToString())


def integers_of(collection: LiteralCollection) -> list[int] | None:
    """The values of a list of ints; None when an element is anything else, so that the caller can say which."""
    return _values_of(collection, "integer")


def floats_of(collection: LiteralCollection) -> list[float] | None:
    """The values of a list of floats; None when an element is anything else."""
    return _values_of(collection, "float_value")


def strings_of(collection: LiteralCollection) -> list[str] | None:
    """The values of a list of strings; None when an element is anything else."""
    return _values_of(collection, "string_value")


def booleans_of(collection: LiteralCollection) -> list[bool] | None:
    """The values of a list of bools; None when an element is anything else."""
    return _values_of(collection, "boolean")


def _values_of(collection: LiteralCollection, kind: str) -> list[Any] | None:
    literals = collection.literals
    if len(literals) < 4:
        primitives = [lit.scalar.primitive for lit in literals]
        return [getattr(p, kind) for p in primitives] if all(p.HasField(kind) for p in primitives) else None
    merged = _merging_collection().FromString(collection.SerializeToString())
    values = list(getattr(merged.literals.scalar.primitive, kind))
    # A oneof holds one value and writes it even when it is zero, so equal counts prove that all are of this kind.
    return values if len(values) == len(literals) else None


def _empty() -> Literal:
    lit = Literal()
    lit.collection.SetInParent()
    return lit


def _parsed(elements: bytes | bytearray) -> Literal:
    lit = _empty()
    lit.collection.MergeFromString(bytes(elements))
    return lit


def _nested(tag: bytes, size: int) -> bytes:
    """What precedes the `size` bytes of a value in LiteralCollection.literals.scalar.primitive: all first fields."""
    head = tag
    for _ in range(3):
        head = b"\x0a" + _varint(len(head) + size) + head
    return head


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _little_endian(numbers: array[Any]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _varint_bytes(raw: bytes) -> Iterable[bytes]:
    """The ten varint bytes of little-endian 64-bit ints, byte by byte: the nth item is the nth byte of all."""
    planes = [raw[nth::8] for nth in range(8)]
    for plane, low, high in _varint_tables():
        bits = planes[plane].translate(low)
        if high is not None:
            upper = planes[plane + 1].translate(high)
            both = int.from_bytes(bits, "little") | int.from_bytes(upper, "little")
            bits = both.to_bytes(len(bits), "little")
        yield bits


@cache
def _varint_tables() -> list[tuple[int, bytes, bytes | None]]:
    """For each varint byte: the byte its 7 bits start in, and how they move there from that one and the next."""
    tables: list[tuple[int, bytes, bytes | None]] = []
    for nth in range(10):
        plane, shift = divmod(7 * nth, 8)
        more = 0x80 if nth < 9 else 0
        low = bytes((byte >> shift) & 0x7F | more for byte in range(256))
        high = bytes((byte << 8 - shift) & 0x7F for byte in range(256))
        tables.append((plane, low, high if shift > 1 and plane < 7 else None))
    return tables


@cache
def _merging_collection() -> Any:
    """A message class that reads a LiteralCollection of primitives as four lists. About 0.1 ms, once.

    Its descriptor is written as bytes, because importing descriptor_pb2 for it takes longer than all of flyteidl.
    Source: google/protobuf/descriptor.proto.
    """
    int64, double, string, boolean, message = 3, 1, 9, 8, 11
    optional, repeated = 1, 3
    kinds = {"integer": int64, "float_value": double, "string_value": string, "boolean": boolean}
    package = "alula.merging"

    def described(name: str, *fields: bytes) -> bytes:
        return _field(4, _field(1, name.encode()) + b"".join(_field(2, field) for field in fields))

    def field(name: str, number: int, label: int, kind: int) -> bytes:
        return _field(1, name.encode()) + _field(3, number) + _field(4, label) + _field(5, kind)

    file = _field(1, b"alula/merging.proto") + _field(2, package.encode()) + _field(12, b"proto3")
    for name, inner in (("Collection", "literals"), ("literals", "scalar"), ("scalar", "primitive")):
        type_name = _field(6, f".{package}.{inner}".encode())
        file += described(name, field(inner, 1, optional, message) + type_name)
    numbered = enumerate(kinds.items(), start=1)
    file += described("primitive", *(field(name, number, repeated, kind) for number, (name, kind) in numbered))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.Collection"))


def _field(number: int, value: int | bytes) -> bytes:
    """One field of a message as it is on the wire."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _too_large(values: Sequence[int]) -> ConversionError:
    nth = next(i for i, v in enumerate(values) if not -(2**63) <= v < 2**63)
    return ConversionError(
        f"element {nth} does not fit into 64 bits: {values[nth]}", fix="pass it as a str, or use float"
    )
