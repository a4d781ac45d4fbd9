"""Times and durations as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from alula.errors import ConversionError

_UNITS = {
    "w": "weeks", "week": "weeks", "weeks": "weeks",
    "d": "days", "day": "days", "days": "days",
    "h": "hours", "hr": "hours", "hour": "hours", "hours": "hours",
    "m": "minutes", "min": "minutes", "mins": "minutes", "minute": "minutes", "minutes": "minutes",
    "s": "seconds", "sec": "seconds", "secs": "seconds", "second": "seconds", "seconds": "seconds",
    "ms": "milliseconds", "us": "microseconds",
}  # fmt: skip
_PART = re.compile(r"\s*,?\s*(?:and\s+)?(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
_CLOCK = re.compile(
    r"(?:(?P<days>-?\d+)\s*days?,?\s*)?(?P<hours>\d+):(?P<minutes>\d\d)(?::(?P<seconds>\d\d(?:\.\d+)?))?"
)
_ISO = re.compile(
    r"P(?:(?P<weeks>\d+(?:\.\d+)?)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)
_MOMENT = re.compile(
    r"(?P<base>now|today|\d{4}-\d\d-?\S*(?: \d\d?:\S+)?)\s*(?P<shift>(?<![\dZz])[+-].*|(?<=\s)[+-].*)?", re.IGNORECASE
)


def moment(text: str, now: datetime) -> datetime:
    """A time: ISO 8601, `now`, `today` (midnight UTC), and any of these with a duration: `now - 1d`. Aware.

    Raises:
        ConversionError: none of these.
    """
    found = _MOMENT.fullmatch(text.strip())
    fix = "write it like 2024-12-31, 2024-12-31T23:59:00, now, today, or 'now - 1d'"
    if found is None:
        raise ConversionError(f"{text!r} is no date and time", fix=fix)
    base = found["base"].lower()
    try:
        if base == "now":
            at = now
        elif base == "today":
            at = now.replace(hour=0, minute=0, second=0, microsecond=0)
        else:
            at = aware(datetime.fromisoformat(found["base"]))
    except ValueError as exc:
        raise ConversionError(f"{text!r:.80} is no date and time", fix=fix) from exc
    try:
        return at + span(found["shift"]) if found["shift"] else at
    except OverflowError as exc:
        raise ConversionError(f"{text!r:.80} is beyond what a date can be") from exc


def span(text: str) -> timedelta:
    """A duration: `10 days`, `1h30m`, `1:30:00`, `PT90M`, `90` (seconds), each with a minus before it if need be.

    Raises:
        ConversionError: none of these.
    """
    words = text.strip()
    try:
        found = _clock(words)  # first, for Python prints minus one hour as "-1 day, 23:00:00"
        if found is None:
            sign = -1 if words.startswith("-") else 1
            words = words.lstrip("+-").strip()
            forms = (form(words) for form in (_plain_seconds, _clock, _iso, _spelled))
            found = next((sign * one for one in forms if one is not None), None)
    except OverflowError as exc:
        raise ConversionError(f"{text!r:.80} is longer than a duration can be") from exc
    if found is None:
        raise ConversionError(
            f"{text!r:.80} is no duration", fix="write it like '10 days', 1h30m, 1:30:00, PT90M or 90 (seconds)"
        )
    return found


def _plain_seconds(words: str) -> timedelta | None:
    return timedelta(seconds=float(words)) if re.fullmatch(r"\d+(\.\d+)?", words) else None


def _clock(words: str) -> timedelta | None:
    found = _CLOCK.fullmatch(words)
    return timedelta(**{k: float(v) for k, v in found.groupdict().items() if v}) if found else None


def _iso(words: str) -> timedelta | None:
    found = _ISO.fullmatch(words)
    parts = {k: float(v) for k, v in found.groupdict().items() if v} if found else {}
    return timedelta(**parts) if parts else None


def _spelled(words: str) -> timedelta | None:
    total, end = timedelta(), 0
    while end < len(words):
        found = _PART.match(words, end)
        unit = _UNITS.get(found[2].lower()) if found else None
        if found is None or unit is None:
            return None
        total += timedelta(**{unit: float(found[1])})
        end = found.end()
    return total if words else None


def aware(at: datetime) -> datetime:
    """The same time, in UTC if it says no zone."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)
