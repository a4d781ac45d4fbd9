"""Settings, defaults, launch plans and kinds of task that the compiler must carry over unchanged."""

# Users write both spellings of types, so both are converted here.
# ruff: noqa: UP006, UP007, UP035, UP045

from datetime import UTC, datetime, timedelta
from typing import List, Optional, Union

from dialect import sdk
from extra_workflows import Color, maybe, one_out, one_plan
from reference_workflows import add_one, note, total


@sdk.task
def defaults(
    a: int = 1,
    b: float = 2.5,
    c: str = "c",
    d: bool = True,
    e: datetime = datetime(2020, 1, 2, tzinfo=UTC),
    f: timedelta = timedelta(hours=1),
    g: Color = Color.BLUE,
    h: Optional[List[int]] = None,
) -> str:
    return c


@sdk.task(
    cache=sdk.Cache(version="7", serialize=True, ignored_inputs=("b",)),
    retries=2,
    timeout=timedelta(minutes=3),
    interruptible=True,
    deprecated="use another",
    environment={"A": "1", "B": "two"},
    requests=sdk.Resources(cpu="500m", mem="1Gi", ephemeral_storage="3Gi"),
    limits=sdk.Resources(cpu="1", mem="2Gi", gpu="1"),
    secret_requests=[
        sdk.Secret(group="g", key="k"),
        sdk.Secret(group="h", key="l", group_version="v1", mount_requirement=sdk.Secret.MountType.FILE),
        sdk.Secret(group="i", key="m", mount_requirement=sdk.Secret.MountType.ENV_VAR, env_var="TOKEN"),
    ],
    container_image="example.org/special:2",
    enable_deck=True,
    accelerator=sdk.accelerators.A100,
    shared_memory=True,
    pod_template_name="my-template",
)
def everything(a: int, b: int) -> int:
    """Every setting at once.

    And a longer text about it.

    Args:
        a: the first
        b: the second, ignored by the cache
    """
    return a


@sdk.task(resources=sdk.Resources(cpu=("1", "2"), mem="1Gi"), cache=True, cache_version="old", timeout=90)
def old_settings(a: int) -> int:
    return a


@sdk.task(task_config=None, pod_template=sdk.PodTemplate(labels={"l": "1"}, annotations={"n": "2"}))
def in_pod(a: int) -> int:
    return a


container = sdk.ContainerTask(
    name="extra.container",
    image="example.org/tool:1",
    command=["sh", "-c", "echo {{.inputs.a}} > /out/b"],
    arguments=["{{.inputs.a}}"],
    inputs=sdk.kwtypes(a=int),
    outputs=sdk.kwtypes(b=str),
    input_data_dir="/in",
    output_data_dir="/out",
    requests=sdk.Resources(cpu="1"),
    environment={"X": "y"},
)
shell = sdk.ShellTask(
    name="extra.shell",
    script="wc -l {inputs.source} > {outputs.count}",
    inputs=sdk.kwtypes(source=sdk.File),
    output_locs=[sdk.OutputLocation(var="count", var_type=sdk.File, location="{inputs.source}.count")],
)


@sdk.workflow
def settings(a: int) -> int:
    return in_pod(a=old_settings(a=everything(a=a, b=2)))


@sdk.workflow
def outside(a: int, source: sdk.File) -> sdk.File:
    text = container(a=a)
    note(message=text)
    return shell(source=source)


@sdk.workflow
def with_defaults(
    a: int = 1,
    b: float = 2.5,
    c: str = "c",
    d: bool = True,
    e: datetime = datetime(2020, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    f: timedelta = timedelta(days=1, seconds=2),
    g: Color = Color.RED,
    h: Optional[int] = None,
    i: Union[int, str] = "u",
) -> str:
    return defaults(a=a, b=b, c=c, d=d, e=e, f=f, g=g)


@sdk.workflow
def left_out(a: int) -> Optional[int]:
    maybe()
    maybe(a=a)
    maybe(a=3, b=4)
    defaults()
    return maybe(a=None, b="text")


@sdk.task
def tidy(a: int, values: List[int], err: Optional[sdk.Error] = None) -> None:
    print(a, values, err)


built = sdk.Workflow(name="extra.built", failure_policy=sdk.WorkflowFailurePolicy.FAIL_IMMEDIATELY)
_a = built.add_workflow_input("a", int)
_list = built.add_workflow_input("values", List[int])
_node = built.add_entity(add_one, a=_a)
_total = built.add_entity(total, values=[_a, _node.outputs["o0"], 5])
_void = built.add_entity(note, message="bye")
_plan = built.add_launch_plan(one_plan, a=_total.outputs["o0"])
_void.runs_before(_plan)
built.add_workflow_output("picked", _node.outputs["o0"])
built.add_workflow_output("through", _a, python_type=int)
built.add_on_failure_handler(tidy)
scheduled = sdk.LaunchPlan.get_or_create(
    one_out,
    name="extra.scheduled",
    default_inputs={"a": 1},
    fixed_inputs={"b": 5},
    schedule=sdk.CronSchedule(schedule="*/5 * * * *"),
    notifications=[
        sdk.Email(phases=[sdk.WorkflowExecutionPhase.FAILED], recipients_email=["a@example.org"]),
        sdk.Slack(phases=[sdk.WorkflowExecutionPhase.SUCCEEDED], recipients_email=["b@example.org"]),
    ],
    labels=sdk.Labels({"team": "x"}),
    annotations=sdk.Annotations({"note": "y"}),
    max_parallelism=7,
    overwrite_cache=True,
    security_context=sdk.SecurityContext(run_as=sdk.Identity(k8s_service_account="robot")),
)
fixed_rate = sdk.LaunchPlan.get_or_create(
    with_defaults,
    name="extra.fixed_rate",
    schedule=sdk.FixedRate(duration=timedelta(hours=3)),
    default_inputs={"h": 4, "i": 5},
)
default_plan = sdk.LaunchPlan.get_or_create(with_defaults)


@sdk.workflow
def at_kickoff(when: datetime, a: int) -> int:
    return add_one(a=a)


timed = sdk.LaunchPlan.get_or_create(
    at_kickoff,
    name="extra.timed",
    fixed_inputs={"a": 2},
    schedule=sdk.CronSchedule(schedule="@daily", kickoff_time_input_arg="when"),
)


ENTITIES = {
    "settings": settings,
    "outside": outside,
    "with_defaults": with_defaults,
    "left_out": left_out,
    "built": built,
    "scheduled": scheduled,
    "fixed_rate": fixed_rate,
    "default_plan": default_plan,
    "timed": timed,
}

DYNAMIC: dict[str, tuple[object, dict[str, object]]] = {}
