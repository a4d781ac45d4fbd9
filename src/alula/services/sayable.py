"""What protobuf takes and its JSON does not, put right: times beyond the calendar, numbers that are none; pure.

Source: protobuf's JSON mapping, and the ranges in google/protobuf/{timestamp,duration,struct}.proto.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor_pool import Default
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.wrappers_pb2 import BytesValue

_POOL = Default()
_TIMES: Mapping[str, tuple[int, int]] = {
    "google.protobuf.Timestamp": (-62_135_596_800, 253_402_300_799),  # the years 1 and 9999
    "google.protobuf.Duration": (-315_576_000_000, 315_576_000_000),  # ten thousand years
}
_NANOS = 999_999_999


def oddities(message: Message, path: str = "") -> Iterator[str]:
    """Where a message holds times that are none, which clients cannot read: one line each."""
    if message.DESCRIPTOR.full_name in _TIMES:
        right = type(message)()
        right.CopyFrom(message)
        make_sayable(right)
        if right != message:
            yield f"{path}: is no {message.DESCRIPTOR.name.lower()} that there can be"
    for name, one in _inner(message):
        yield from oddities(one, f"{path}.{name}" if path else name)


def make_sayable(message: Message) -> None:
    """Change what JSON cannot say into the nearest that it can."""
    name = message.DESCRIPTOR.full_name
    if name in _TIMES:
        _put_right(message, *_TIMES[name])
    elif name == "google.protobuf.Value":
        _valued(message)
    elif name == "google.protobuf.Any":
        _packed(message)
    for _, one in _inner(message):
        make_sayable(one)


def _inner(message: Message) -> Iterator[tuple[str, Any]]:
    """The messages directly in one, by the names of their fields."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                yield from ((f"{field.name}.{name}", one) for name, one in value.items())
        elif field.is_repeated:
            yield from ((f"{field.name}[{at}]", one) for at, one in enumerate(value))
        else:
            yield field.name, value


def _put_right(time: Any, least: int, most: int) -> None:
    seconds = min(max(time.seconds, least), most)
    nanos = min(max(time.nanos, -_NANOS), _NANOS)
    if time.DESCRIPTOR.name == "Timestamp" or seconds > 0:
        nanos = max(nanos, 0)
    elif seconds < 0:
        nanos = min(nanos, 0)
    time.seconds, time.nanos = seconds, 0 if seconds in (least, most) else nanos


def _packed(packed: Any) -> None:
    """What it holds, put right too; its bare bytes, where nobody knows what they are."""
    try:
        known = _POOL.FindMessageTypeByName(packed.type_url.rpartition("/")[2])
        inner = GetMessageClass(known).FromString(packed.value)
    except (KeyError, DecodeError):
        inner = BytesValue(value=packed.value)
    make_sayable(inner)
    packed.Pack(inner)


def _valued(value: Any) -> None:
    kind = value.WhichOneof("kind")
    if kind is None:
        value.null_value = 0
    elif kind == "number_value" and not math.isfinite(value.number_value):
        value.string_value = str(value.number_value)
