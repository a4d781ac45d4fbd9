"""Values of settings, out of what people write in files and in variables. Each raises ValueError for what is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from alula._kits.units import duration

E = TypeVar("E", bound=StrEnum)


def span(value: object) -> timedelta:
    """A duration above zero."""
    made = duration(str(value) if not isinstance(value, bool) else "")
    if made <= timedelta(0):
        raise ValueError(f"{value!r} is not above zero")
    return made


def one_of(kind: type[E]) -> Callable[[object], E]:
    """Reads one of the words of an enum."""

    def read(value: object) -> E:
        try:
            return kind(str(value).lower())
        except ValueError:
            raise ValueError(f"{value!r} is none of {', '.join(kind)}") from None

    return read


def whole(value: object) -> int:
    """A whole number from 0 on."""
    made = number(value)
    if made != int(made):
        raise ValueError(f"{value!r} is no whole number")
    return int(made)


def number(value: object) -> float:
    """A number from 0 on."""
    try:
        made = float("" if isinstance(value, bool) else str(value))
    except ValueError:
        raise ValueError(f"{value!r} is no number") from None
    if not 0 <= made < float("inf"):
        raise ValueError(f"{value!r} is not a number from 0 on")
    return made


def page(value: object) -> str:
    """The URL of something that is reached over HTTP; empty: none."""
    said = str(value)
    if said and not said.startswith(("https://", "http://")):
        raise ValueError(f"{value!r} is no URL: write https://HOST:PORT, or http://HOST:PORT")
    return said


def yes(value: object) -> bool:
    """`true` or `false`."""
    said = str(value).lower()
    if said not in ("true", "false"):
        raise ValueError(f"{value!r} is neither true nor false")
    return said == "true"


def words(value: object) -> tuple[str, ...]:
    """A list of texts; in one text, between commas."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise ValueError(f"{value!r} is no list of texts")
    return tuple(one.strip() for one in given if one.strip())
