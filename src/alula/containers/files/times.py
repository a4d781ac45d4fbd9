"""Times and durations as text that programs of any language write; pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

from alula.errors import ConversionError
from alula.idl import Duration, Literal, Timestamp
from alula.idl import literals as build

_NANOS = 1_000_000_000
_MOST = 315_576_000_000
"""Seconds. Source: protobuf's duration.proto."""
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?(e[+-]?[0-9]{1,3})?|\.[0-9]+")
_UNITS = {"h": "3600", "m": "60", "s": "1", "ms": "1e-3", "us": "1e-6", "\u00b5s": "1e-6", "ns": "1e-9"}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|us|\u00b5s|ns|s)")
_CLOCK = re.compile(r"(?:([0-9]+) days?,? ?)?([0-9]+):([0-9]{2})(?::([0-9]{2}(?:\.[0-9]+)?))?")
_ISO = re.compile(r"P(?=.*[0-9])(?:([0-9]+)D)?(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:\.[0-9]+)?)S)?)?")
_FACTORS = (86_400, 3_600, 60, 1)


def datetime_text(value: Timestamp) -> str:
    """`2026-12-31T23:59:59.5Z`. Raises ConversionError beyond the years that RFC 3339 has."""
    try:
        shown = str(value.ToJsonString())
    except ValueError as exc:
        raise ConversionError(f"{value.seconds} seconds since 1970 is no date that RFC 3339 can say") from exc
    return re.sub(r"\.?0+Z$", "Z", shown) if "." in shown else shown


def duration_text(value: Duration) -> str:
    """Seconds with what is after the point: `5400s`, `-0.5s`."""
    nanos = value.seconds * _NANOS + value.nanos
    whole, part = divmod(abs(nanos), _NANOS)
    fraction = f".{part:09d}".rstrip("0") if part else ""
    return f"{'-' if nanos < 0 else ''}{whole}{fraction}s"


def datetime_of(content: str) -> Literal:
    """A time in RFC 3339 or ISO 8601, to the nanosecond; without a zone it is in UTC. Raises ConversionError."""
    made = Literal()
    try:
        made.scalar.primitive.datetime.FromJsonString(content)
    except ValueError:
        try:
            value = datetime.fromisoformat(content)
        except ValueError as exc:
            raise ConversionError(
                f"{content!r:.60} is no date and time", fix="write it like 2026-12-31T23:59:59Z (RFC 3339)"
            ) from exc
        return build.timestamp(value if value.tzinfo else value.replace(tzinfo=UTC))
    made.scalar.primitive.datetime.SetInParent()
    return made


def duration_of(content: str) -> Literal:
    """`90`, `1.5s`, `1h30m`, `1:30:00`, `1 day, 1:30:00` or `PT1H30M`, to the nanosecond. Raises ConversionError."""
    negative, bare = content.startswith("-"), content.removeprefix("-").removeprefix("+")
    seconds = _seconds(bare)
    if seconds is None or seconds > _MOST:
        raise ConversionError(
            f"{content!r:.60} is no duration", fix="write seconds like 90 or 1.5s, or 1h30m, PT1H30M, 1:30:00"
        )
    nanos = int(seconds * _NANOS)
    made = Literal()
    into = made.scalar.primitive.duration
    sign = -1 if negative else 1
    into.seconds, into.nanos = sign * (nanos // _NANOS), sign * (nanos % _NANOS)
    into.SetInParent()
    return made


def _seconds(bare: str) -> Decimal | None:
    """How long that is, exactly; None: no form that is known."""
    if _NUMBER.fullmatch(bare):
        return Decimal(bare)
    found = _CLOCK.fullmatch(bare) or _ISO.fullmatch(bare)
    if found:
        parts = [Decimal(part or 0) for part in found.groups()]
        return sum((part * factor for part, factor in zip(parts, _FACTORS, strict=True)), Decimal(0))
    units = _PART.findall(bare)
    if not units or _PART.sub("", bare):
        return None
    return sum((Decimal(number) * Decimal(_UNITS[unit]) for number, unit in units), Decimal(0))
