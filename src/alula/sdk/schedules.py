"""When a launch plan starts on its own: at times of the calendar, or at a steady pace."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from alula._kits import lazy
from alula.errors import CallError
from alula.idl import admin

if TYPE_CHECKING:
    import zoneinfo

    import croniter  # type: ignore[import-untyped]
else:
    zoneinfo = lazy.module("zoneinfo")
    croniter = lazy.module("croniter")  # 30 ms that only a program with a cron schedule pays

ALIASES = frozenset(
    "hourly hours @hourly daily days @daily weekly weeks @weekly monthly months @monthly annually @annually "
    "yearly years @yearly".split()
)
"""Words that stand for a schedule. Source: flyteidl admin/schedule.proto, CronSchedule."""

_ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)\s+")
_OFFSET = re.compile(
    r"[-+]?P(?=.)([-+]?\d+Y)?([-+]?\d+M)?([-+]?\d+W)?([-+]?\d+D)?(T(?=.)([-+]?\d+H)?([-+]?\d+M)?([-+]?[\d.,]+S)?)?"
)


@dataclass(frozen=True)
class CronSchedule:
    """Start at times of the calendar: `CronSchedule(schedule="0 9 * * 1-5")`.

    Args:
        schedule: Minute, hour, day of month, month, day of week; or a word such as `@daily`. In UTC, unless the server
            is set otherwise, or it says its zone: `CRON_TZ=Europe/Berlin 0 9 * * 1-5`.
        kickoff_time_input_arg: The workflow's input that gets the time of the start.
        offset: An ISO 8601 duration by which the start is moved.

    Raises:
        CallError: Not a schedule, or one that never comes.
    """

    schedule: str
    kickoff_time_input_arg: str | None = None
    offset: str | None = None

    def __post_init__(self) -> None:
        fault = _cron_fault(self.schedule)
        if fault:
            raise CallError(
                f"the schedule {self.schedule!r} {fault}",
                where="CronSchedule",
                fix='write minute, hour, day of month, month, day of week ("0 9 * * 1-5"), or a word like "@daily"',
            )
        if self.offset is not None and not _OFFSET.fullmatch(self.offset):
            raise CallError(
                f"the offset {self.offset!r} is no ISO 8601 duration",
                where=f"CronSchedule({self.schedule!r})",
                fix='write it like "PT10M" or "P1D"',
            )

    def to_message(self) -> admin.Schedule:
        return admin.Schedule(
            kickoff_time_input_arg=self.kickoff_time_input_arg or "",
            cron_schedule=admin.CronSchedule(schedule=self.schedule, offset=self.offset or ""),
        )


@dataclass(frozen=True)
class FixedRate:
    """Start at a steady pace: `FixedRate(duration=timedelta(minutes=10))`.

    Args:
        duration: The time between two starts, in whole minutes.
        kickoff_time_input_arg: The workflow's input that gets the time of the start.

    Raises:
        CallError: Not a positive number of whole minutes.
    """

    duration: timedelta
    kickoff_time_input_arg: str | None = None

    def __post_init__(self) -> None:
        given: object = self.duration
        if not isinstance(given, timedelta) or given <= timedelta(0) or given % timedelta(minutes=1):
            raise CallError(
                f"the pace {given!s} is not a whole number of minutes, one at least",
                where="FixedRate",
                fix="write it like FixedRate(duration=timedelta(minutes=10))",
            )

    def to_message(self) -> admin.Schedule:
        minutes = self.duration // timedelta(minutes=1)
        for size, unit in ((24 * 60, admin.FixedRateUnit.DAY), (60, admin.FixedRateUnit.HOUR)):
            if minutes % size == 0:
                rate = admin.FixedRate(value=minutes // size, unit=unit)
                break
        else:
            rate = admin.FixedRate(value=minutes, unit=admin.FixedRateUnit.MINUTE)
        return admin.Schedule(kickoff_time_input_arg=self.kickoff_time_input_arg or "", rate=rate)


@dataclass(frozen=True)
class OnSchedule:
    """A schedule as the trigger of a launch plan."""

    schedule: CronSchedule | FixedRate

    def to_message(self) -> admin.Schedule:
        return self.schedule.to_message()


def _cron_fault(schedule: object) -> str:
    """What is wrong with a schedule; empty if nothing is."""
    if not isinstance(schedule, str):
        return "is not a str"
    zone = _ZONE.match(schedule)
    if zone is not None:
        try:
            zoneinfo.ZoneInfo(zone[1])
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            return f"names no time zone: {zone[1]!r}"
        schedule = schedule[zone.end() :]
    if schedule.lower() in ALIASES:
        return ""
    fields = len(schedule.split())
    if fields != 5:
        return f"has {fields} fields, not 5"
    try:
        croniter.croniter(schedule).get_next(datetime)
    except (ValueError, KeyError) as exc:
        return f"is not valid: {exc}"
    return ""
