"""Launch plans that start every minute, in every way that they can be told to."""

from __future__ import annotations

from datetime import datetime, timedelta

from alula import Annotations, CronSchedule, FixedRate, LaunchPlan, sleep, workflow

EVERY_MINUTE = "* * * * *"


@workflow
def moment(at: datetime) -> datetime:
    return at


@workflow
def while_it_lasts(at: datetime) -> datetime:
    sleep(timedelta(milliseconds=300))
    return at


SAID = {
    "all": {},
    "switched": {},
    "paused": {},
    "latest": {"alula/catchup": "latest"},
    "none": {"alula/catchup": "none"},
    "few": {"alula/catchup-limit": "7"},
    "queued": {"alula/catchup-limit": "3", "alula/overlap": "queue"},
}
for _name, _said in SAID.items():
    LaunchPlan.create(
        _name,
        while_it_lasts if _name == "queued" else moment,
        schedule=CronSchedule(schedule=EVERY_MINUTE, kickoff_time_input_arg="at"),
        annotations=Annotations(_said),
    )
LaunchPlan.create("rate", moment, schedule=FixedRate(duration=timedelta(minutes=1), kickoff_time_input_arg="at"))
