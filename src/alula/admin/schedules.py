"""When launch plans start by themselves, and what becomes of starts that were missed or that meet another one; pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import TypeVar

from alula.admin.cron import Cron, parse_cron
from alula.idl.admin import FixedRateUnit, Schedule
from alula.sections import CatchUp, Overlap, SchedulesConfig

E = TypeVar("E", bound=StrEnum)

ANNOTATIONS = ("alula/timezone", "alula/catchup", "alula/catchup-limit", "alula/overlap")
"""Annotations of a launch plan that say for its schedule what settings say for all."""
_UNITS = {
    FixedRateUnit.MINUTE: timedelta(minutes=1),
    FixedRateUnit.HOUR: timedelta(hours=1),
    FixedRateUnit.DAY: timedelta(days=1),
}
_LONGEST = timedelta(days=3660)
"""Of a rate, and of an offset: beyond it the calendar ends somewhere."""
_MOST = _LONGEST // timedelta(minutes=1) + 1
_OFFSET = re.compile(
    r"(?P<sign>[-+]?)P(?=.)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)


@dataclass(frozen=True, slots=True)
class Timetable:
    """All the times at which a launch plan starts."""

    cron: Cron | None
    """None: it has a fixed rate."""
    every: timedelta = timedelta(0)
    since: datetime | None = None
    """What a fixed rate counts from; that time itself is no start."""
    offset: timedelta = timedelta(0)
    kickoff: str = ""
    """The input that gets the time of the start; empty: none."""

    def next(self, after: datetime) -> datetime | None:
        """The first start after a time."""
        if self.cron is not None:
            found = self.cron.next(after - self.offset)
            return None if found is None else found + self.offset
        assert self.since is not None
        return self.since + max((after - self.since) // self.every + 1, 1) * self.every

    def newest(self, after: datetime, until: datetime, most: int) -> list[datetime]:
        """The last starts after one time and not after another, in order."""
        return list(islice(self._back(after, until), most))[::-1]

    def _back(self, after: datetime, until: datetime) -> Iterator[datetime]:
        if self.cron is not None:
            for one in self.cron.back(until - self.offset, after - self.offset):
                yield one + self.offset
            return
        assert self.since is not None
        nth = (until - self.since) // self.every
        while nth >= 1 and (one := self.since + nth * self.every) > after:
            yield one
            nth -= 1


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be started now."""

    ticks: tuple[datetime, ...] = ()
    """In their order."""
    left_out: datetime | None = None
    """The last one before them that is not made up for; None: none was missed."""


class Act(StrEnum):
    """What becomes of a start, where an earlier one still runs."""

    START = "start"
    SKIP = "skip"
    WAIT = "wait"
    REPLACE = "replace"


def timetable(schedule: Schedule, since: datetime, zone: str = "UTC") -> Timetable:
    """The times of a schedule.

    Args:
        since: When it was made active.
        zone: Of times of the calendar that name none.

    Raises:
        ValueError: What is wrong with it.
    """
    kickoff = schedule.kickoff_time_input_arg
    match schedule.WhichOneof("ScheduleExpression"):
        case "cron_schedule":
            text, offset = schedule.cron_schedule.schedule, _offset(schedule.cron_schedule.offset)
            return Timetable(parse_cron(text, zone), offset=offset, kickoff=kickoff)
        case "cron_expression":
            text = re.sub(r"^cron\((.*)\)$", r"\1", schedule.cron_expression.strip())
            return Timetable(parse_cron(text, zone), kickoff=kickoff)
        case "rate":
            unit = _UNITS.get(schedule.rate.unit, timedelta(0))
            every = min(schedule.rate.value, _MOST) * unit
            if not timedelta(0) < every <= _LONGEST:
                said = f"{schedule.rate.value:,} times {unit}"
                raise ValueError(f"has a rate of {said}, and it is a minute at least and ten years at most")
            return Timetable(None, every, since, kickoff=kickoff)
    raise ValueError("has neither a cron expression nor a rate")


def scheduled(schedule: Schedule) -> bool:
    """Whether there is anything in it."""
    return schedule.WhichOneof("ScheduleExpression") is not None


def settled(config: SchedulesConfig, annotations: Mapping[str, str]) -> SchedulesConfig:
    """The settings for one launch plan. Raises ValueError, for an annotation that cannot be."""
    for key, value in annotations.items():
        match key:
            case "alula/timezone":
                config = replace(config, timezone=value)
            case "alula/catchup":
                config = replace(config, catchup=_one_of(CatchUp, key, value))
            case "alula/overlap":
                config = replace(config, overlap=_one_of(Overlap, key, value))
            case "alula/catchup-limit":
                if not value.isdecimal() or not 0 < int(value) <= 10_000:
                    raise ValueError(f"has {value!r} as {key}, which is a number from 1 to 10000")
                config = replace(config, catchup_limit=int(value))
            case _ if key.startswith("alula/"):
                raise ValueError(f"has the annotation {key}; there are {', '.join(ANNOTATIONS)}")
    return config


def due(times: Timetable, config: SchedulesConfig, *, last: datetime, now: datetime) -> Due:
    """What is to be started at a time, after all until `last` was dealt with."""
    most = 1 if config.catchup is CatchUp.LATEST else config.catchup_limit
    after = last if config.catchup is not CatchUp.NONE else max(last, now - config.grace)
    found = times.newest(after, now, most)
    before = times.newest(last, found[0] - timedelta(microseconds=1) if found else now, 1)
    return Due(tuple(found), before[0] if before else None)


def meeting(overlap: Overlap, running: int) -> Act:
    """What becomes of a start while so many earlier ones run."""
    if not running or overlap is Overlap.ALLOW:
        return Act.START
    return {Overlap.SKIP: Act.SKIP, Overlap.QUEUE: Act.WAIT, Overlap.REPLACE: Act.REPLACE}[overlap]


def tick_name(project: str, domain: str, plan: str, tick: datetime) -> str:
    """The name of the execution of a start: the same for whoever makes it, whatever version is active."""
    text = "\0".join((project, domain, plan, tick.isoformat()))
    return f"f{hashlib.sha256(text.encode()).hexdigest()[:31]}"


def schedule_faults(
    schedule: Schedule, annotations: Mapping[str, str], inputs: Sequence[str], at: datetime
) -> list[str]:
    """What is wrong with the schedule of a launch plan.

    Args:
        inputs: Names of the inputs of its workflow that take a time.
    """
    faults = []
    try:
        zone = settled(SchedulesConfig(), annotations).timezone
        timetable(schedule, at, zone)
    except ValueError as exc:
        faults.append(f"schedule: {exc}")
    kickoff = schedule.kickoff_time_input_arg
    if kickoff and kickoff not in inputs:
        there = ", ".join(sorted(inputs)) or "none"
        what = f"{kickoff!r} is no input that takes a time and is not fixed; there is {there}"
        faults.append(f"schedule.kickoff_time_input_arg: {what}")
    return faults


def _offset(text: str) -> timedelta:
    if not text:
        return timedelta(0)
    match = _OFFSET.fullmatch(text)
    if match is None:
        raise ValueError(f"has the offset {text!r}, which is no duration of weeks, days and time, as P1DT2H")
    parts = match.groupdict()
    try:
        length = timedelta(**{unit: int(value) for unit, value in parts.items() if unit != "sign" and value})
    except OverflowError:
        length = timedelta.max
    if length > _LONGEST:
        raise ValueError(f"has the offset {text}, and it is ten years at most")
    return -length if parts["sign"] == "-" else length


def _one_of(kind: type[E], key: str, value: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"has {value!r} as {key}, which is one of {', '.join(kind)}") from None
