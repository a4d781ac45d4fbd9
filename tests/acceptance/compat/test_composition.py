"""How tasks and workflows are put together, as tests of programs for flytekit look at it."""

import typing
from collections import OrderedDict

import pytest
from flytekit import Resources, TaskMetadata, conditional, dynamic, map_task, task, workflow
from flytekit.configuration import Image, ImageConfig, SerializationSettings
from flytekit.core.context_manager import ExecutionState, FlyteContextManager
from flytekit.core.node_creation import create_node
from flytekit.core.promise import VoidPromise
from flytekit.core.workflow import WorkflowMetadata, WorkflowMetadataDefaults
from flytekit.exceptions.user import (
    FlyteAssertion,
    FlyteMissingReturnValueException,
    FlyteValidationException,
    FlyteValueException,
)
from flytekit.models.task import Resources as ResourcesModel
from flytekit.tools.translator import get_serializable


class Pair(typing.NamedTuple):
    total: int
    word: str


class Single(typing.NamedTuple):
    half: float


@pytest.fixture
def settings() -> SerializationSettings:
    image = ImageConfig(Image("main", "example.org/image", "1"))
    return SerializationSettings(project="p", domain="d", version="v", image_config=image, env={})


@task
def pair(a: int) -> Pair:
    return Pair(a + 2, "flowers")


@task
def glue(a: str, b: str) -> str:
    return b + a


@task
def halve(a: int) -> Single:
    return Single(a / 2)


@task
def ten() -> int:
    return 10


@task
def sum_and_difference(a: int, b: int) -> typing.NamedTuple("Both", total=int, difference=int):
    return a + b, a - b


@task
def word(a: int) -> str:
    return f"w{a}"


@task
def nothing():
    pass


@dynamic
def words(a: int) -> list[str]:
    return [word(a=i) for i in range(a)]


@workflow
def outer(a: int) -> tuple[list[str], int]:
    @dynamic
    def spread(a: int) -> list[str]:
        return [word(a=i) for i in range(a)]

    @workflow
    def inner() -> int:
        return ten()

    return spread(a=a), inner()


def test_a_call_while_compiling_makes_a_node_and_gives_promises() -> None:
    assert nothing() is None
    context = FlyteContextManager.current_context()
    with FlyteContextManager.with_context(context.with_new_compilation_state()) as ctx:
        assert isinstance(nothing(), VoidPromise)
        out = ten()
        assert len(ctx.compilation_state.nodes) == 2
        assert out.is_ready is False
        assert out.ref.node is ctx.compilation_state.nodes[1]
        assert out.var == "o0"
    assert FlyteContextManager.size() == 1


def test_outputs_are_unpacked_and_renamed_nodes_are_bound_in_order() -> None:
    @workflow
    def wf(a: int, b: str) -> (int, str):
        total, flowers = pair(a=a).with_overrides(name="first")
        return total, glue(a=flowers, b=b).with_overrides()

    assert wf(a=5, b="blue ") == (7, "blue flowers")
    first, second = wf.nodes
    assert second.upstream_nodes == [first]
    assert (first.id, first.metadata.name) == ("n0", "first")
    assert wf.output_bindings[0].binding.promise.var == "total"
    assert list(wf.python_interface.outputs) == ["o0", "o1"]


def test_a_named_tuple_of_one_output_is_kept_through_workflows() -> None:
    @workflow
    def inner(a: int) -> Single:
        return halve(a=a)

    @workflow
    def outer(a: int) -> Single:
        out = inner(a=a)
        return Single(out.half)

    assert halve.python_interface.output_tuple_name == "Single"
    assert outer(a=3) == (1.5,)


def test_a_workflow_is_an_arm_of_a_conditional() -> None:
    @workflow
    def both(a: int, b: int) -> tuple[int, int]:
        return sum_and_difference(a=a, b=b)

    @workflow
    def positive(a: int, b: int) -> tuple[int, int]:
        total, difference = conditional("sign").if_(a > b).then(both(a=a, b=b)).else_().fail("only positive")
        return total, difference

    assert positive(a=3, b=2) == (5, 1)
    with pytest.raises(ValueError, match="only positive"):
        positive(a=1, b=2)


def test_arms_with_unequal_outputs_give_what_they_share() -> None:
    @workflow
    def both(a: int, b: int) -> tuple[int, int]:
        return sum_and_difference(a=a, b=b)

    @workflow
    def wf(x: int) -> int:
        return conditional("unequal").if_(x == 1).then(ten()).else_().then(both(a=x, b=1))

    assert wf(x=1) == 10
    assert wf(x=5) == 6


def test_nodes_without_values_between_them_are_put_in_order(settings: SerializationSettings) -> None:
    @task
    def other():
        pass

    @workflow
    def wf():
        first = create_node(nothing)
        second = create_node(other)
        second.runs_before(first)
        second >> first

    wf()
    assert get_serializable(OrderedDict(), settings, wf).template.nodes[0].upstream_node_ids == ["n1"]


def test_a_created_node_has_the_outputs_of_its_task() -> None:
    @task
    def join(a: list[str]) -> str:
        return " ".join(a)

    @workflow
    def wf(a: int, b: str) -> (int, str, list[str]):
        made = create_node(pair, a=a).with_overrides(aliases={"total": "sum"})
        joined = create_node(join, a=[made.word, b])
        return made.total, joined.o0, create_node(words, a=2).o0

    assert wf(a=5, b="x") == (7, "flowers x", ["w0", "w1"])


def test_a_node_takes_its_inputs_by_name_only() -> None:
    @workflow
    def wf():
        create_node(ten, "x")

    with pytest.raises(FlyteAssertion):
        wf()


def test_tasks_may_be_defined_in_the_body_of_a_workflow(settings: SerializationSettings) -> None:
    assert outer(a=2) == (["w0", "w1"], 10)
    model = get_serializable(OrderedDict(), settings, outer)
    assert model.template.nodes[1].workflow_node is not None
    assert model.sub_workflows[0].nodes[0].task_node.reference_id.name.endswith("test_composition.ten")
    assert [one.name.rpartition(".")[2] for one in outer.get_all_tasks()] == ["spread"]


def test_a_dynamic_task_is_compiled_for_given_inputs(settings: SerializationSettings) -> None:
    context = FlyteContextManager.current_context().with_serialization_settings(settings)
    with FlyteContextManager.with_context(context) as ctx:
        state = ctx.new_execution_state().with_params(mode=ExecutionState.Mode.TASK_EXECUTION)
        with FlyteContextManager.with_context(ctx.with_execution_state(state)) as ctx:
            spec = words.compile_into_workflow(ctx, words.task_function, a=5)
    assert len(spec.nodes) == 5
    assert len(spec.tasks) == 1


def test_a_map_takes_metadata_and_resources(settings: SerializationSettings) -> None:
    @workflow
    def wf(a: list[int]) -> list[str]:
        mapped = map_task(word, metadata=TaskMetadata(retries=1))
        return mapped(a=a).with_overrides(requests=Resources(cpu="1", mem="100"), limits=Resources(cpu="2"))

    assert wf(a=[5, 6]) == ["w5", "w6"]
    node = get_serializable(OrderedDict(), settings, wf).template.nodes[0]
    names = ResourcesModel.ResourceName
    assert node.array_node.node.task_node.overrides.resources.requests == [
        ResourcesModel.ResourceEntry(names.CPU, "1"),
        ResourcesModel.ResourceEntry(names.MEMORY, "100"),
    ]


def test_a_workflow_returns_what_it_declares() -> None:
    @workflow
    def too_much():
        return ten()

    @workflow
    def just_right():
        ten()

    @workflow
    def of_nothing():
        return nothing()

    with pytest.raises(FlyteValueException):
        too_much()
    with pytest.raises(FlyteMissingReturnValueException):

        @workflow
        def too_little() -> int:
            ten()

    assert just_right() is None
    assert of_nothing() is None


def test_a_task_without_outputs_gives_nothing_to_pass_on() -> None:
    @workflow
    def wf() -> str:
        return word(a=nothing())

    with pytest.raises(AssertionError):
        wf()


def test_metadata_of_workflows_is_checked() -> None:
    with pytest.raises(FlyteValidationException):
        WorkflowMetadata(on_failure=0)
    with pytest.raises(FlyteValidationException):
        WorkflowMetadataDefaults(3)
