"""Durations and sizes as people write them in settings: `10s`, `1h30m`, `2 days`; `64MiB`, `10 GB`, `4096`."""

from __future__ import annotations

import math
import re
from datetime import timedelta

_SECONDS = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3_600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604_800.0),
}
_DECIMAL, _BINARY = "kmgt", ("kib", "mib", "gib", "tib")
_QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d+)|([KMGTPE]i|[numkMGTPE]))?")
_FACTORS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_FACTORS |= {unit + "i": 1024.0 ** (power + 1) for power, unit in enumerate("KMGTPE")}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)[\s,]*", re.IGNORECASE)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def duration(text: str) -> timedelta:
    """A duration; a bare number counts seconds. Raises ValueError with how to write it."""
    words = text.strip()
    try:
        if re.fullmatch(r"\d+(\.\d+)?", words):
            return timedelta(seconds=float(words))
        parts = _PART.findall(words)
        if not parts or _PART.sub("", words):
            raise KeyError(words)
        return timedelta(seconds=sum(float(number) * _SECONDS[unit.lower()] for number, unit in parts))
    except (KeyError, OverflowError):
        raise ValueError(f'{text!r} is no duration; write it like "10s", "5m" or "1h30m"') from None


def size(text: str) -> int:
    """A number of bytes: K, M, G and T are powers of 1000, Ki, Mi, Gi and Ti of 1024, with or without a B. Raises
    ValueError with how to write it."""
    found = _SIZE.fullmatch(text.strip())
    factor = _factor(found[2].lower()) if found else 0
    if not found or not factor:
        raise ValueError(f'{text!r} is no size; write it like "64MiB", "10GB" or 4096')
    return int(float(found[1]) * factor)


def quantity(text: str) -> float:
    """An amount as Kubernetes writes it: `500m`, `2Gi`, `1e3`. Raises ValueError."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no quantity; write amounts like 500m, 2 or 1Gi")
    number, exponent, unit = match.groups()
    try:
        amount = float(number) * (10.0 ** int(exponent) if exponent else _FACTORS[unit] if unit else 1.0)
    except OverflowError:
        amount = math.inf
    if math.isinf(amount):
        raise ValueError(f"{text[:20]!r}{' and so on' if len(text) > 20 else ''} is more than there can be")
    return amount


def _factor(unit: str) -> int:
    if unit in ("", "b"):
        return 1
    letters = unit.removesuffix("b")
    if f"{letters}b" in _BINARY:
        return 1 << 10 * (_BINARY.index(f"{letters}b") + 1)
    if len(letters) != 1 or letters not in _DECIMAL:
        return 0
    return int(1000 ** (_DECIMAL.index(letters) + 1))


def shown_duration(span: timedelta) -> str:
    """A duration in the two largest units that it has: `350 ms`, `4.2 s`, `3m12s`, `2h05m`, `3d04h`."""
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 3_600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3_600}h{whole % 3_600 // 60:02d}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3_600:02d}h"
