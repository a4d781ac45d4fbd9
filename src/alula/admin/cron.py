"""Times of the calendar: expressions of cron, with time zones; pure.

A day is a day of the zone. A local time that a change of the clocks leaves out counts as if the change came after it:
02:30 is then 03:30. One that comes twice counts at the first time, except where the hours are `*` or `*/n`: those go on
through both, so that the real time between two ticks stays what it was.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_WORDS = {
    "hour": "0 * * * *",
    "day": "0 0 * * *",
    "dai": "0 0 * * *",
    "week": "0 0 * * 0",
    "month": "0 0 1 * *",
    "year": "0 0 1 1 *",
    "annual": "0 0 1 1 *",
}
"""What `@daily`, `daily` and `days` stand for, by what is left without their endings. Source: flyteidl
admin/schedule.proto, CronSchedule."""
_MONTHS = {name: i for i, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_WEEKDAYS = {name: i for i, name in enumerate("sun mon tue wed thu fri sat".split())}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _WEEKDAYS),
)
_PART = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?")
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)\s+(.*)", re.DOTALL)
_DAY = timedelta(days=1)
_YEARS = 9
"""Within so many any expression that ever comes has come: the 29th of February may be left out in 2100."""


@dataclass(frozen=True, slots=True)
class Cron:
    """An expression that was read."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either: bool
    """Both kinds of days are given: one of them is enough."""
    last_day: bool
    """The last day of the month counts, too."""
    steady: bool
    """The hours go on through a change of the clocks."""
    zone: str

    def next(self, after: datetime) -> datetime | None:
        """The first time after another one; None: it never comes again."""
        return next(self.ticks(after), None)

    def ticks(self, after: datetime) -> Iterator[datetime]:
        """All times after another one, in order."""
        day, last = after.astimezone(_zone(self.zone)).date() - _DAY, after
        empty = 0
        while empty < _YEARS * 366 and day.year < date.max.year:
            found = _instants(self, day)
            found = found[bisect_right(found, last) :]
            empty = 0 if found else empty + 1
            for one in found:
                last = one
                yield one
            day += _DAY

    def back(self, until: datetime, after: datetime) -> Iterator[datetime]:
        """All times from `until` back to `after`, which does not count, the newest first."""
        zone = _zone(self.zone)
        day, end = until.astimezone(zone).date() + _DAY, after.astimezone(zone).date() - _DAY
        bound = until + timedelta(microseconds=1)
        while day >= end:
            for one in reversed(_instants(self, day)):
                if after < one < bound:
                    bound = one
                    yield one
            day -= _DAY

    def on(self, day: date) -> bool:
        """Whether a day counts."""
        if day.month not in self.months:
            return False
        by_date = day.day in self.days or (self.last_day and (day + _DAY).month != day.month)
        by_week = day.isoweekday() % 7 in self.weekdays
        return by_date or by_week if self.either else by_date and by_week


def parse_cron(text: str, zone: str = "UTC") -> Cron:
    """Minute, hour, day of month, month, day of week; or a word such as `@daily`; in a zone: `CRON_TZ=Asia/Tokyo ...`.

    Args:
        zone: Of an expression that names none.

    Raises:
        ValueError: What is wrong with it.
    """
    named = _ZONE.fullmatch(text.strip())
    if named is not None:
        zone, text = named[1], named[2]
    check_zone(zone)
    word = re.fullmatch(r"@?([a-z]+?)(?:ly|s)?", text.strip().lower())
    fields = (_WORDS.get(word[1], text) if word is not None else text).split()
    if len(fields) == 6 and fields[5] in ("*", "?"):
        fields.pop()  # the year, as AWS has it
    if len(fields) != len(_FIELDS):
        raise ValueError(f"has {len(fields)} fields, not {len(_FIELDS)}: minute, hour, day of month, month, weekday")
    _, hours, days, _, weekdays = fields
    last_day = days.upper() == "L"
    read = [
        _values("32" if name == "day of month" and last_day else field, name, low, high, names)
        for field, (name, low, high, names) in zip(fields, _FIELDS, strict=True)
        if not (name == "day of month" and last_day)
    ]
    if last_day:
        read.insert(2, frozenset())
    made = Cron(
        tuple(sorted(read[0])),
        tuple(sorted(read[1])),
        read[2],
        read[3],
        frozenset(day % 7 for day in read[4]),
        either=days[0] not in "*?" and weekdays[0] not in "*?",
        last_day=last_day,
        steady=hours.startswith("*"),
        zone=zone,
    )
    if made.next(datetime(2000, 1, 1, tzinfo=UTC)) is None:
        raise ValueError("never comes")
    return made


def check_zone(zone: str) -> None:
    """Raises ValueError, if there is no such zone."""
    try:
        _zone(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"names no time zone: {zone!r}; write it like Europe/Berlin") from None


def _values(field: str, name: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    if field == "?":
        field = "*"
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"has {part!r} as {name}, which is none")
        first, last, step = match.groups()
        if first == "*":
            start, end = low, high if name != "day of week" else 6
            if last is not None:
                raise ValueError(f"has {part!r} as {name}, which is none")
        else:
            start = _number(first, name, names)
            end = _number(last, name, names) if last is not None else (high if step else start)
            if name == "day of week" and last is not None and end < start:
                end += 7  # Friday to Monday; taken modulo 7 later
        if not low <= start <= high or end < start or (end > high and name != "day of week"):
            raise ValueError(f"has {part!r} as {name}, and it goes from {low} to {high}")
        if step is not None and int(step) == 0:
            raise ValueError(f"has {part!r} as {name}, and a step is 1 at least")
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, name: str, names: dict[str, int]) -> int:
    if text.isdecimal():
        return int(text)
    if text.lower() not in names:
        raise ValueError(f"has {text!r} as {name}, which is none")
    return names[text.lower()]


@lru_cache(maxsize=128)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=512)
def _instants(cron: Cron, day: date) -> tuple[datetime, ...]:
    """The times of a day of the zone, in order."""
    if not cron.on(day):
        return ()
    zone = _zone(cron.zone)
    found: set[datetime] = set()
    for hour in cron.hours:
        for minute in cron.minutes:
            local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
            first, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
            found.add(first)
            if cron.steady and second > first:  # it comes twice
                found.add(second)
    return tuple(sorted(found))
