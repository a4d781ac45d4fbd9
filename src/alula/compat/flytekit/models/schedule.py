"""flytekit's models of schedules."""

from __future__ import annotations

from alula.compat.model import Model, constants
from alula.compat.names import mirror
from alula.idl import admin


class Schedule(
    Model,
    idl=admin.Schedule,
    fields="kickoff_time_input_arg cron_expression rate cron_schedule",
    blank="kickoff_time_input_arg cron_expression",
):
    FixedRateUnit = constants(admin.FixedRateUnit, "Units of a pace.")

    class FixedRate(Model, idl=admin.FixedRate, fields="value unit"): ...

    class CronSchedule(Model, idl=admin.CronSchedule, fields="schedule offset", blank="offset"): ...


__getattr__, __dir__ = mirror(__name__, {})
