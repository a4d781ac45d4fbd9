"""Sub-workflows, launch plans with defaults, fixed inputs and schedules, notifications."""

from datetime import datetime, timedelta
from typing import NamedTuple, Tuple

from flytekit import (
    Annotations,
    CronSchedule,
    Email,
    FixedRate,
    Labels,
    LaunchPlan,
    PagerDuty,
    Slack,
    WorkflowExecutionPhase,
    task,
    workflow,
)

op = NamedTuple("OutputsBC", [("t1_int_output", int), ("c", str)])


@task
def t1(a: int) -> op:
    return op(t1_int_output=a + 2, c="world")


@workflow
def my_subwf(a: int = 42) -> Tuple[str, str]:
    x = t1(a=a).c
    y = t1(a=a).c
    return x, y


@workflow
def parent_wf(a: int) -> Tuple[int, str, str]:
    x = t1(a=a)
    u, v = my_subwf(a=x.t1_int_output)
    return x.t1_int_output, u, v


default_lp = LaunchPlan.get_or_create(workflow=my_subwf)
named_lp = LaunchPlan.get_or_create(my_subwf, name="named", default_inputs={"a": 3})
fixed_lp = LaunchPlan.get_or_create(my_subwf, name="fixed", fixed_inputs={"a": 4})


@workflow
def uses_plans(a: int) -> Tuple[str, str]:
    x, _ = named_lp(a=a)
    y, _ = fixed_lp()
    return x, y


@task
def format_date(run_date: datetime) -> str:
    return run_date.strftime("%Y-%m-%d %H:%M")


@workflow
def date_formatter_wf(kickoff_time: datetime) -> str:
    return format_date(run_date=kickoff_time)


cron_lp = LaunchPlan.get_or_create(
    name="cron",
    workflow=date_formatter_wf,
    schedule=CronSchedule(schedule="*/1 * * * *", kickoff_time_input_arg="kickoff_time"),
    notifications=[Email(phases=[WorkflowExecutionPhase.FAILED], recipients_email=["a@b.org"])],
)


@workflow
def positive_wf(name: str) -> str:
    return format_date(run_date=datetime(2020, 1, 1))


rate_lp = LaunchPlan.get_or_create(
    name="rate",
    workflow=positive_wf,
    schedule=FixedRate(duration=timedelta(minutes=10)),
    fixed_inputs={"name": "you"},
    labels=Labels({"team": "x"}),
    annotations=Annotations({"k": "v"}),
    max_parallelism=3,
    notifications=[
        Slack(phases=[WorkflowExecutionPhase.SUCCEEDED], recipients_email=["s@b.org"]),
        PagerDuty(phases=[WorkflowExecutionPhase.TIMED_OUT], recipients_email=["p@b.org"]),
    ],
)

if __name__ == "__main__":
    print(my_subwf(), parent_wf(a=3))
    print(default_lp(a=1), named_lp(), named_lp(a=1), fixed_lp())
    print(uses_plans(a=9))
    print(date_formatter_wf(kickoff_time=datetime(2024, 2, 29, 12, 30)))
    print(cron_lp(kickoff_time=datetime(2024, 2, 29)), rate_lp())
    print(named_lp.name, default_lp.name, named_lp.workflow is my_subwf, rate_lp.max_parallelism)
    print(cron_lp.schedule.cron_schedule.schedule, cron_lp.schedule.kickoff_time_input_arg)
    print(rate_lp.schedule.rate.value, rate_lp.labels.values, rate_lp.annotations.values)
    print(sorted(named_lp.parameters.parameters), named_lp.parameters.parameters["a"].default.scalar.primitive.integer)
    print(fixed_lp.fixed_inputs.literals["a"].scalar.primitive.integer)
    print(LaunchPlan.CACHE["named"] is named_lp, LaunchPlan.get_or_create(my_subwf) is default_lp)
    for wrong in (
        lambda: LaunchPlan.get_or_create(my_subwf, name="named", default_inputs={"a": 99}),
        lambda: LaunchPlan.get_or_create(my_subwf, default_inputs={"a": 99}),
    ):
        try:
            wrong()
            print("no error")
        except (AssertionError, ValueError) as e:
            print("refused", type(e).__name__ != "")
