"""Further shapes that the compiler must get right: the corners that the twelve reference workflows leave out."""

import enum
import functools
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from dialect import sdk
from reference_workflows import Point, Shape, add, add_one, inner, make_shape, note, numbers, scale, shout, split, total


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Catalogue:
    shapes: List[Shape]
    by_name: Dict[str, Shape]


class Stats(NamedTuple):
    low: int
    high: int


@sdk.task
def flag(a: int) -> bool:
    return a > 0


@sdk.task
def stats(values: List[int]) -> Stats:
    return Stats(min(values), max(values))


@sdk.task
def maybe(a: Optional[int] = None, b: Union[int, str] = "b") -> Optional[int]:
    return a


@sdk.task
def nested_total(rows: List[List[int]], named: Dict[str, int]) -> int:
    return sum(map(sum, rows)) + sum(named.values())


@sdk.task
def defaults(
    a: int = 1,
    b: float = 2.5,
    c: str = "c",
    d: bool = True,
    e: datetime = datetime(2020, 1, 2, tzinfo=timezone.utc),
    f: timedelta = timedelta(hours=1),
    g: Color = Color.BLUE,
    h: Optional[List[int]] = None,
) -> str:
    return c


@sdk.task
def any_of(v: Union[int, float, str, bool, None, List[int], Dict[str, int], datetime, timedelta]) -> str:
    return str(v)


@sdk.task
def catalogue() -> Catalogue:
    return Catalogue([], {})


@sdk.task
def paint(color: Color) -> Color:
    return color


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
def elif_chain(a: int, b: float, t: str, f: bool) -> str:
    return (
        sdk.conditional("chain")
        .if_((a > 1) & (b <= 2.5) & (t != "x"))
        .then(shout(text="one"))
        .elif_((a == 2) | (b > 3.5))
        .then(shout(text="two"))
        .elif_(f.is_true())
        .then(shout(text=t))
        .elif_(f.is_false())
        .then(shout(text="no"))
        .else_()
        .fail("no way")
    )


@sdk.workflow
def branch_on_output(a: int) -> int:
    ok = flag(a=a)
    low = add_one(a=a)
    got = (
        sdk.conditional("on-output")
        .if_(ok.is_true())
        .then(add(a=low, b=1))
        .elif_(low > 100)
        .then(inner(a=low)[0])
        .else_()
        .then(add_one(a=a))
    )
    return add_one(a=got)


@sdk.workflow
def branch_two_outputs(a: int) -> Tuple[int, str]:
    x, y = (
        sdk.conditional("two")
        .if_(a > 0)
        .then(split(a=a))
        .elif_(a == -1)
        .then(split(a=5))
        .else_()
        .then(split(a=0))
    )
    return add_one(a=x), y


@sdk.workflow
def branch_none(a: int, n: Optional[int] = None) -> int:
    return (
        sdk.conditional("optional").if_(n.is_none()).then(add_one(a=a)).else_().then(add(a=a, b=1))
    )


@sdk.workflow
def branch_void(a: int) -> None:
    sdk.conditional("void").if_(a > 0).then(note(message="plus")).else_().then(note(message="minus"))


@sdk.workflow
def branch_attribute(name: str) -> int:
    shape = make_shape(name=name)
    return (
        sdk.conditional("attr")
        .if_(shape.origin.x > 1)
        .then(add_one(a=shape.origin.x))
        .else_()
        .then(add(a=shape.corners[0].x, b=1))
    )


@sdk.workflow
def branch_of_workflows(a: int) -> Tuple[int, int]:
    return sdk.conditional("wfs").if_(a > 0).then(inner(a=a)).else_().then(inner(a=1, b=2))


@sdk.workflow
def named_outputs(n: int) -> Stats:
    found = stats(values=numbers(n=n))
    return Stats(low=found.low, high=add_one(a=found.high))


@sdk.workflow
def collections(a: int, b: int) -> int:
    one = add_one(a=a)
    two = add_one(a=b)
    return nested_total(rows=[[one, two], [a, 4], []], named={"one": one, "b": b, "c": 5})


@sdk.workflow
def ordering(a: int) -> int:
    first = sdk.create_node(add_one, a=a)
    second = sdk.create_node(note, message="second")
    third = sdk.create_node(add, a=first.o0, b=1)
    first >> second
    second >> third
    return third.o0


@sdk.workflow
def ordering_of_promises(a: int) -> int:
    first = note(message="first")
    second = add_one(a=a)
    pair = split(a=a)
    last = note(message="last")
    first >> second
    second >> last
    pair[0] >> last
    return second


@sdk.workflow
def map_plain(n: int) -> List[int]:
    return sdk.map_task(add_one)(a=numbers(n=n))


@sdk.workflow
def map_two(n: int) -> List[int]:
    items = numbers(n=n)
    return sdk.map_task(add)(a=items, b=items)


@sdk.workflow
def map_constant() -> List[int]:
    return sdk.map_task(functools.partial(scale, factor=2, offset=1))(value=[1, 2, 3])


@sdk.workflow
def map_ratio(n: int) -> List[Optional[int]]:
    return sdk.map_task(add_one, min_success_ratio=0.75)(a=numbers(n=n))


@sdk.workflow
def map_min_successes(n: int) -> List[Optional[int]]:
    return sdk.map_task(add_one, concurrency=2, min_successes=3, min_success_ratio=0.5)(a=numbers(n=n))


@sdk.workflow
def map_overridden(n: int) -> List[int]:
    return sdk.map_task(add_one, concurrency=0)(a=numbers(n=n)).with_overrides(
        retries=2, requests=sdk.Resources(cpu="1"), cache=sdk.Cache(version="m")
    )


@sdk.workflow
def map_void(texts: List[str]) -> None:
    sdk.map_task(note)(message=texts)


@sdk.workflow
def one_out(a: int, b: int = 2) -> int:
    return add(a=a, b=b)


one_plan = sdk.LaunchPlan.get_or_create(one_out, name="extra.one_plan", default_inputs={"b": 4})


@sdk.workflow
def map_plan(n: int) -> List[int]:
    return sdk.map_task(one_plan, concurrency=3)(a=numbers(n=n), b=[1, 2])


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
    e: datetime = datetime(2020, 1, 2, 3, 4, 5, 678, tzinfo=timezone.utc),
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


@sdk.workflow
def union_constants() -> str:
    any_of(v=1)
    any_of(v=1.5)
    any_of(v="text")
    any_of(v=True)
    any_of(v=None)
    any_of(v=[1, 2])
    any_of(v={"a": 1})
    any_of(v=datetime(2021, 1, 1, tzinfo=timezone.utc))
    return any_of(v=timedelta(seconds=5))


@sdk.task
def of_list(v: List[Union[int, str]], p: Point, c: Color, o: Optional[Point] = None) -> int:
    return 1


@sdk.workflow
def structured_constants(a: int) -> int:
    paint(color=Color.RED)
    return of_list(v=[1, "two", a], p=Point(5), c=Color.BLUE, o=Point(6, "there"))


@sdk.workflow
def chained_attributes() -> Tuple[int, str, Point]:
    found = catalogue()
    return (
        add_one(a=found.shapes[0].corners[1].x),
        found.by_name["a"].origin.label,
        found.shapes[2].origin,
    )


@sdk.workflow
def passes_through(a: int, b: List[int]) -> Tuple[int, List[int], int]:
    return a, b, b[0]


@sdk.workflow
def returns_list(a: int) -> List[int]:
    return [add_one(a=a), a, 3]


@sdk.workflow
def returns_dict(a: int) -> Dict[str, int]:
    return {"one": add_one(a=a), "a": a, "three": 3}


@sdk.workflow
def no_inputs() -> None:
    note(message="alone")


@sdk.workflow
def handle(a: int, err: Optional[sdk.Error] = None) -> None:
    note(message="failed")


@sdk.workflow(on_failure=handle)
def failing_to_workflow(a: int) -> int:
    return add_one(a=a)


@sdk.workflow
def same_task_twice(a: int) -> int:
    """Calls one task many times, to fix the numbers of the nodes."""
    for _ in range(12):
        a = add_one(a=a)
    return a


@sdk.workflow
def gate_chain(a: int) -> int:
    typed = sdk.wait_for_input("a-list", timeout=timedelta(hours=1), expected_type=List[int])
    t = total(values=typed)
    ok = sdk.approve(t, "fine", timeout=timedelta(hours=1))
    return add_one(a=ok).with_overrides(node_name="After Approval_1")


@sdk.dynamic(retries=1, cache=sdk.Cache(version="d"))
def unroll_branches(n: int, texts: List[str]) -> Tuple[int, List[List[int]]]:
    more = add_one(a=n)
    got = sdk.conditional("in-dynamic").if_(more > 3).then(add_one(a=n)).else_().then(add(a=n, b=n))
    rows = [[add_one(a=i), i] for i in range(n)]
    sdk.map_task(note)(message=texts)
    inner_plan_result = one_plan(a=got)
    return inner_plan_result, rows


@sdk.dynamic
def unroll_nothing(n: int) -> int:
    return n + 1


@sdk.dynamic
def unroll_deeper(n: int) -> int:
    if n <= 0:
        return n
    return unroll_deeper(n=n - 1)


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
    "elif_chain": elif_chain,
    "branch_on_output": branch_on_output,
    "branch_two_outputs": branch_two_outputs,
    "branch_none": branch_none,
    "branch_void": branch_void,
    "branch_attribute": branch_attribute,
    "branch_of_workflows": branch_of_workflows,
    "named_outputs": named_outputs,
    "collections": collections,
    "ordering": ordering,
    "ordering_of_promises": ordering_of_promises,
    "map_plain": map_plain,
    "map_two": map_two,
    "map_constant": map_constant,
    "map_ratio": map_ratio,
    "map_min_successes": map_min_successes,
    "map_overridden": map_overridden,
    "map_void": map_void,
    "map_plan": map_plan,
    "settings": settings,
    "outside": outside,
    "with_defaults": with_defaults,
    "left_out": left_out,
    "union_constants": union_constants,
    "structured_constants": structured_constants,
    "chained_attributes": chained_attributes,
    "passes_through": passes_through,
    "returns_list": returns_list,
    "returns_dict": returns_dict,
    "no_inputs": no_inputs,
    "failing_to_workflow": failing_to_workflow,
    "same_task_twice": same_task_twice,
    "gate_chain": gate_chain,
    "built": built,
    "scheduled": scheduled,
    "fixed_rate": fixed_rate,
    "default_plan": default_plan,
    "timed": timed,
}

DYNAMIC = {
    "unroll_branches": (unroll_branches, {"n": 2, "texts": ["a", "b"]}),
    "unroll_nothing": (unroll_nothing, {"n": 1}),
    "unroll_deeper": (unroll_deeper, {"n": 2}),
}
