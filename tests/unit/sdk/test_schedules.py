from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import CallError
from alula.idl import admin
from alula.sdk.schedules import ALIASES, CronSchedule, FixedRate, OnSchedule


def wire(schedule: CronSchedule | FixedRate | OnSchedule) -> str:
    return schedule.to_message().SerializeToString().hex()


# What flytekit 1.16.31 writes.
WRITTEN = [
    (
        CronSchedule(schedule="*/10 * * * *", kickoff_time_input_arg="t"),
        "1a0174220e0a0c2a2f3130202a202a202a202a",
    ),
    (CronSchedule(schedule="@daily", offset="PT1H"), "220e0a06406461696c79120450543148"),
    (CronSchedule(schedule="@HOURLY"), "22090a0740484f55524c59"),
    (CronSchedule(schedule="0 0 * * MON-FRI"), "22110a0f302030202a202a204d4f4e2d465249"),
    (CronSchedule(schedule="0 0 ? * *"), "220b0a09302030203f202a202a"),
    (FixedRate(duration=timedelta(minutes=10)), "1202080a"),
    (FixedRate(timedelta(minutes=90)), "1202085a"),
    (FixedRate(timedelta(hours=36)), "120408241001"),
    (FixedRate(timedelta(days=14)), "1204080e1002"),
    (FixedRate(timedelta(hours=1), kickoff_time_input_arg="x"), "1204080110011a0178"),
]


@pytest.mark.parametrize(("schedule", "expected"), WRITTEN)
def test_a_schedule_has_the_bytes_that_flytekit_writes(schedule: CronSchedule | FixedRate, expected: str) -> None:
    assert wire(schedule) == expected
    assert wire(OnSchedule(schedule)) == expected


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_words_stand_for_schedules(alias: str) -> None:
    assert CronSchedule(alias).to_message().cron_schedule.schedule == alias


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("0 9 * *", "has 4 fields, not 5"),
        ("0 0 9 * * *", "has 6 fields, not 5"),
        ("60 * * * *", "is not valid"),
        ("CRON_TZ=Mars/Olympus 0 9 * * *", "names no time zone"),
        ("0 0 31 2 *", "is not valid"),
        ("@reboot", "has 1 fields"),
        ("a b c d e", "is not valid"),
        ("", "has 0 fields"),
        (None, "is not a str"),
    ],
)
def test_what_is_no_schedule_is_refused(schedule: str, words: str) -> None:
    with pytest.raises(CallError, match=words) as caught:
        CronSchedule(schedule=schedule)
    assert repr(schedule) in caught.value.what
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("offset", ["PT10M", "P1D", "-PT1H", "P1Y2M3W4DT5H6M7.5S"])
def test_offsets_are_iso_durations(offset: str) -> None:
    assert CronSchedule("@daily", offset=offset).to_message().cron_schedule.offset == offset


@pytest.mark.parametrize("offset", ["", "P", "PT", "1h", "P1H"])
def test_other_offsets_are_refused(offset: str) -> None:
    with pytest.raises(CallError, match="no ISO 8601 duration"):
        CronSchedule("@daily", offset=offset)


@pytest.mark.parametrize(
    "duration", [timedelta(seconds=90), timedelta(microseconds=1), timedelta(0), timedelta(minutes=-1), 10]
)
def test_a_pace_is_in_whole_minutes(duration: timedelta) -> None:
    with pytest.raises(CallError, match="whole number of minutes"):
        FixedRate(duration)


@given(st.integers(1, 100_000))
def test_no_pace_changes_on_the_wire(minutes: int) -> None:
    rate = FixedRate(timedelta(minutes=minutes)).to_message().rate
    size = {admin.FixedRateUnit.MINUTE: 1, admin.FixedRateUnit.HOUR: 60, admin.FixedRateUnit.DAY: 1440}[rate.unit]
    assert rate.value * size == minutes


def test_a_schedule_may_say_its_zone() -> None:
    made = CronSchedule(schedule="CRON_TZ=Europe/Berlin 0 9 * * *").to_message()
    assert made.cron_schedule.schedule == "CRON_TZ=Europe/Berlin 0 9 * * *"
