"""Which starts of a schedule are due, by what it says of those that were missed or that meet another one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.admin.schedules import Act, Timetable, due, meeting, schedule_faults, settled, tick_name, timetable
from alula.idl.admin import CronSchedule, FixedRate, FixedRateUnit, Schedule
from alula.sections import CatchUp, Overlap, SchedulesConfig

START = datetime(2030, 1, 1, 12, 0, 30, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CONFIG = SchedulesConfig()


def hourly() -> Timetable:
    return timetable(Schedule(cron_schedule=CronSchedule(schedule="0 * * * *")), START)


def every(minutes: int) -> Timetable:
    return timetable(Schedule(rate=FixedRate(value=minutes, unit=FixedRateUnit.MINUTE)), START)


@given(st.integers(1, 5000), st.integers(0, 10**7))
def test_a_fixed_rate_never_drifts(minutes: int, later: int) -> None:
    found = every(minutes).next(START + timedelta(seconds=later))
    assert found is not None
    assert found > START + timedelta(seconds=later)
    assert (found - START) % timedelta(minutes=minutes) == timedelta(0)
    assert found - (START + timedelta(seconds=later)) <= timedelta(minutes=minutes)


@given(st.sampled_from(list(CatchUp)), st.integers(1, 20), st.integers(0, 3000), st.integers(1, 90))
def test_what_is_due_was_not_dealt_with_and_is_bounded(
    policy: CatchUp, limit: int, minutes_later: int, rate: int
) -> None:
    times, now = every(rate), START + minutes_later * MINUTE
    found = due(times, replace(CONFIG, catchup=policy, catchup_limit=limit), last=START, now=now)
    whole = [START + n * rate * MINUTE for n in range(1, minutes_later // rate + 1)]
    assert list(found.ticks) == whole[len(whole) - len(found.ticks) :]
    left = whole[: len(whole) - len(found.ticks)]
    assert found.left_out == (left[-1] if left else None)
    match policy:
        case CatchUp.ALL:
            assert len(found.ticks) == min(len(whole), limit)
        case CatchUp.LATEST:
            assert len(found.ticks) == min(len(whole), 1)
        case CatchUp.NONE:
            assert all(now - one < CONFIG.grace for one in found.ticks)


def test_after_a_week_away_the_newest_are_found_without_counting_all() -> None:
    times = timetable(Schedule(cron_schedule=CronSchedule(schedule="* * * * *")), START)
    found = due(times, replace(CONFIG, catchup_limit=3), last=START, now=START + 7 * DAY)
    assert [one.minute for one in found.ticks] == [58, 59, 0]
    assert found.left_out == found.ticks[0] - MINUTE


def test_an_offset_moves_all_starts() -> None:
    times = timetable(Schedule(cron_schedule=CronSchedule(schedule="0 * * * *", offset="PT10M")), START)
    assert times.next(START) == datetime(2030, 1, 1, 12, 10, tzinfo=UTC)
    assert times.newest(START, START + timedelta(hours=2), 5)[-1] == datetime(2030, 1, 1, 14, 0, tzinfo=UTC) + (
        timedelta(minutes=-50)
    )


def test_a_start_that_meets_another_one_does_as_it_is_told() -> None:
    assert [meeting(one, 0) for one in Overlap] == [Act.START] * 4
    assert {one: meeting(one, 2) for one in Overlap} == {
        Overlap.ALLOW: Act.START,
        Overlap.SKIP: Act.SKIP,
        Overlap.QUEUE: Act.WAIT,
        Overlap.REPLACE: Act.REPLACE,
    }


def test_a_launch_plan_says_what_settings_say_for_all() -> None:
    said = {
        "alula/timezone": "Asia/Tokyo",
        "alula/catchup": "latest",
        "alula/catchup-limit": "7",
        "alula/overlap": "queue",
        "owner": "x",
    }
    assert settled(CONFIG, said) == SchedulesConfig("Asia/Tokyo", CatchUp.LATEST, 7, Overlap.QUEUE)
    for key, value in (("alula/overlap", "maybe"), ("alula/catchup-limit", "0"), ("alula/cathcup", "all")):
        with pytest.raises(ValueError, match="alula/"):
            settled(CONFIG, {key: value})


def test_names_of_starts_are_good_and_differ() -> None:
    names = {tick_name("p", "d", plan, START + n * MINUTE) for plan in ("a", "b") for n in range(3)}
    assert len(names) == 6
    assert all(len(name) == 32 and name[0] == "f" for name in names)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        *(
            (
                Schedule(cron_schedule=CronSchedule(schedule="0 * * * *", offset=offset)),
                f"{offset}, and it is ten years",
            )
            for offset in ("P900000000D", "-P900000000D", "P9999999999D")
        ),
        (Schedule(rate=FixedRate(value=2**32 - 1, unit=FixedRateUnit.DAY)), "4,294,967,295 times 1 day"),
    ],
)
def test_what_no_calendar_holds_is_refused(made: Schedule, said: str) -> None:
    [fault] = schedule_faults(made, {}, [], START)
    assert said in fault


def test_all_that_is_wrong_with_a_schedule_is_said() -> None:
    made = Schedule(cron_schedule=CronSchedule(schedule="61 * * * *"), kickoff_time_input_arg="when")
    first, second = schedule_faults(made, {}, ["at"], START)
    assert "goes from 0 to 59" in first
    assert "'when' is no input that takes a time and is not fixed; there is at" in second
    assert "a minute at least" in schedule_faults(Schedule(rate=FixedRate(value=0)), {}, [], START)[0]
    assert "alula/overlap" in schedule_faults(made, {"alula/overlap": "x"}, ["when"], START)[0]
    assert not schedule_faults(Schedule(rate=FixedRate(value=3, unit=FixedRateUnit.DAY)), {}, [], START)
