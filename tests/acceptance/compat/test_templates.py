"""What is registered for tasks, nodes and launch plans, as tests of programs for flytekit look at it."""

import datetime
import typing
from collections import OrderedDict

import pytest
from flytekit import CronSchedule, Email, LaunchPlan, Resources, dynamic, task, workflow
from flytekit.configuration import Image, ImageConfig, SerializationSettings
from flytekit.core.python_auto_container import get_registerable_container_image
from flytekit.core.python_function_task import PythonFunctionTask
from flytekit.core.tracker import isnested, istestfunction
from flytekit.models.common import Annotations, AuthRole, Labels, RawOutputDataConfig
from flytekit.models.core.execution import WorkflowExecutionPhase
from flytekit.models.core.identifier import ResourceType
from flytekit.models.literals import Literal, Primitive, RetryStrategy, Scalar
from flytekit.models.task import Resources as ResourcesModel
from flytekit.tools.translator import get_serializable

DEFAULT = Image(name="default", fqn="example.org/abc", tag="tag1")
OTHER = Image(name="other", fqn="example.org/other", tag="tag-other")
IMAGES = ImageConfig(default_image=DEFAULT, images=[DEFAULT, OTHER])
SETTINGS = SerializationSettings(project="p", domain="d", version="v", image_config=IMAGES, env={"FOO": "bar"})


def serialized(entity: typing.Any) -> typing.Any:
    return get_serializable(OrderedDict(), SETTINGS, entity)


@task
def echo(a: str) -> str:
    return a


@workflow
def plain(a: int, c: str) -> (int, str):
    """Two things.

    Parameters
    ----------
    a : int
        a number
    """
    return add(a=a), c


@task
def add(a: int) -> int:
    """Add two.

    The rest of the description
    of this task.
    """
    return a + 2


def test_resources_are_listed_by_name() -> None:
    few, many = Resources(cpu="1", ephemeral_storage="500Mi"), Resources(cpu="2", mem="400M")

    @task(requests=few, limits=many)
    def heavy(a: int) -> int:
        return a

    container = serialized(heavy).template.container
    entry, names = ResourcesModel.ResourceEntry, ResourcesModel.ResourceName
    assert container.resources.requests == [entry(names.EPHEMERAL_STORAGE, "500Mi"), entry(names.CPU, "1")]
    assert container.resources.limits == [entry(names.CPU, "2"), entry(names.MEMORY, "400M")]
    assert (container.image, container.env) == ("example.org/abc:tag1", {"FOO": "bar"})


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (None, "example.org/abc:tag1"),
        ("", "example.org/abc:tag1"),
        ("abc", "abc"),
        ("abc:{{.image.default.version}}", "abc:tag1"),
        ("{{.image.other.fqn}}:{{.image.default.version}}", "example.org/other:tag1"),
        ("{{.images.other.fqn}}", "example.org/other"),
        ("{{.image.default}}", "example.org/abc:tag1"),
    ],
)
def test_images_are_named_by_templates(asked: str | None, found: str) -> None:
    assert get_registerable_container_image(asked, IMAGES) == found


def test_an_image_that_is_not_configured_is_refused() -> None:
    with pytest.raises(AssertionError):
        get_registerable_container_image("{{.image.nothing}}", IMAGES)
    with pytest.raises(ValueError):
        get_registerable_container_image("", ImageConfig())


def test_the_environments_of_project_and_task_are_joined() -> None:
    def fn(i: int):
        pass

    container = PythonFunctionTask(None, fn, None, environment={"BAZ": "baz"}).get_container(SETTINGS)
    assert container.env == {"FOO": "bar", "BAZ": "baz"}


def test_only_dynamic_tasks_take_hints_of_their_nodes() -> None:
    with pytest.raises(ValueError, match="node_dependency_hints should only be used on dynamic tasks"):

        @task(node_dependency_hints=[echo])
        def refused(i: str):
            pass

    @dynamic(node_dependency_hints=[echo])
    def accepted(i: str) -> str:
        return echo(a=i)

    assert accepted(i="x") == "x"


def test_secrets_are_secrets() -> None:
    with pytest.raises(AssertionError):

        @task(secret_requests=["name"])
        def refused() -> str:
            return "x"


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [(None, datetime.timedelta()), (10, datetime.timedelta(seconds=10)), (datetime.timedelta(hours=1),) * 2],
)
def test_a_node_has_its_timeout(timeout: typing.Any, expected: datetime.timedelta) -> None:
    @workflow
    def wf(a: str) -> str:
        return echo(a=a).with_overrides(timeout=timeout)

    assert serialized(wf).template.nodes[0].metadata.timeout == expected


def test_a_timeout_is_a_duration() -> None:
    @workflow
    def wf(a: str) -> str:
        return echo(a=a).with_overrides(timeout="soon")

    with pytest.raises(ValueError, match="datetime.timedelta or int seconds"):
        wf(a="x")


@pytest.mark.parametrize(("retries", "expected"), [(None, RetryStrategy(0)), (3, RetryStrategy(3))])
@pytest.mark.parametrize("interruptible", [None, True, False])
def test_a_node_has_its_overrides(retries: int | None, expected: RetryStrategy, interruptible: bool | None) -> None:
    @workflow
    def wf(a: str) -> str:
        return echo(a=a).with_overrides(retries=retries, interruptible=interruptible)

    metadata = serialized(wf).template.nodes[0].metadata
    assert (metadata.retries, metadata.interruptible) == (expected, interruptible)


def test_a_launch_plan_has_defaults() -> None:
    required = serialized(LaunchPlan.create("required", plain)).spec
    optional = serialized(LaunchPlan.create("optional", plain, default_inputs={"a": 3})).spec
    assert required.default_inputs.parameters["a"].required
    assert not required.fixed_inputs.literals
    assert not optional.default_inputs.parameters["a"].required
    assert optional.default_inputs.parameters["a"].default == Literal(scalar=Scalar(primitive=Primitive(integer=3)))
    assert required.default_inputs.parameters["a"].var.description == "a number"


def test_a_launch_plan_is_made_once_for_its_options() -> None:
    def schedule() -> CronSchedule:
        return CronSchedule(schedule="0 * * * *", kickoff_time_input_arg="c")

    email = Email(phases=[WorkflowExecutionPhase.SUCCEEDED], recipients_email=["me@example.org"])
    first = LaunchPlan.get_or_create(workflow=plain, name="often", schedule=schedule(), notifications=[email])
    assert first is LaunchPlan.get_or_create(plain, name="often", schedule=schedule(), notifications=[email])
    metadata = serialized(first).spec.entity_metadata
    assert metadata.schedule.cron_schedule.schedule == "0 * * * *"
    assert metadata.notifications[0].email.recipients_email == ["me@example.org"]


@pytest.mark.parametrize(
    "options",
    [
        {"auth_role": AuthRole(assumable_iam_role="role")},
        {"labels": Labels({"label": "x"}), "annotations": Annotations({"y": "z"})},
        {"raw_output_data_config": RawOutputDataConfig("s3://bucket")},
        {"fixed_inputs": {"a": 1}},
        {"max_parallelism": 2},
    ],
)
def test_a_launch_plan_of_other_options_needs_another_name(options: dict[str, typing.Any]) -> None:
    name = "-".join(options)
    made = LaunchPlan.get_or_create(plain, name=name, **options)
    assert LaunchPlan.get_or_create(plain, name=name, **options) is made
    with pytest.raises(AssertionError):
        LaunchPlan.get_or_create(plain, name=name)


def test_a_default_plan_takes_no_options() -> None:
    with pytest.raises(ValueError):
        LaunchPlan.get_or_create(plain, default_inputs={"a": 3})


def test_a_launch_plan_is_a_node_that_refers_to_it() -> None:
    plan = LaunchPlan.create("called", plain, default_inputs={"a": 3})

    @workflow
    def outer(a: int) -> (int, str):
        return plan(a=a, c="x")

    reference = serialized(outer).template.nodes[0].workflow_node.launchplan_ref
    assert (reference.resource_type, reference.name) == (ResourceType.LAUNCH_PLAN, "called")
    assert outer(a=1) == (3, "x")


def test_the_docstring_describes_the_entity() -> None:
    assert add.docs.short_description == "Add two."
    assert plain.docs.short_description == "Two things."
    assert add.docs.long_description.value.startswith("The rest of the description")


def test_functions_know_where_they_are_defined() -> None:
    def inner():
        pass

    assert isnested(inner)
    assert not isnested(test_functions_know_where_they_are_defined)
    assert istestfunction(test_functions_know_where_they_are_defined)
