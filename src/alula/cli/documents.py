"""Plain data as JSON, as every command prints it."""

from __future__ import annotations

import json
import math
from typing import Any

_WORDS = {math.inf: "Infinity", -math.inf: "-Infinity"}


def as_json(data: Any, *, indent: int | None = 2) -> str:
    """Plain data as JSON that every parser takes: JSON has no NaN and no infinities, so they are the texts `"NaN"`,
    `"Infinity"` and `"-Infinity"`. Inputs take these for a float.

    Source: https://protobuf.dev/programming-guides/json, float and double.
    """
    try:
        return _dumped(data, indent)
    except ValueError:
        return _dumped(_finite(data), indent)


def odd(value: Any) -> str:
    """What JSON has no form for: bytes inside packed data."""
    return value.hex() if isinstance(value, bytes) else str(value)


def _dumped(data: Any, indent: int | None) -> str:
    return json.dumps(data, ensure_ascii=False, default=odd, indent=indent, allow_nan=False)


def _finite(data: Any) -> Any:
    match data:
        case float() if not math.isfinite(data):
            return _WORDS.get(data, "NaN")
        case dict():
            return {_finite(key): _finite(value) for key, value in data.items()}
        case list() | tuple():
            return [_finite(each) for each in data]
    return data
