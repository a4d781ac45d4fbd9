"""Schedules, with the words that flytekit's older programs use."""

from __future__ import annotations

from typing import Any

from alula.compat.adopt import adopted
from alula.compat.flytekit.models.schedule import Schedule
from alula.compat.names import mirror
from alula.sdk import schedules


class CronSchedule(schedules.CronSchedule):
    """Start at times of the calendar. See `alula.CronSchedule`."""

    def __init__(
        self,
        cron_expression: str | None = None,
        schedule: str | None = None,
        offset: str | None = None,
        kickoff_time_input_arg: str | None = None,
    ) -> None:
        if cron_expression is None and schedule is None:
            raise AssertionError("Either `cron_expression` or `schedule` should be specified.")
        if cron_expression is not None:
            raise AssertionError("cron_expression is deprecated and should not be used. Use `schedule` instead.")
        with adopted():
            super().__init__(schedule or "", kickoff_time_input_arg, offset)

    def to_flyte_idl(self) -> Any:
        return self.to_message()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(Schedule.from_flyte_idl(self.to_message()), name)


__getattr__, __dir__ = mirror(__name__, {"alula.sdk.schedules": "FixedRate OnSchedule"})
