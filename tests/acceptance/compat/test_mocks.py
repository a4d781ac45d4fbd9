"""Tests that replace tasks: by patching their execution, and with flytekit's own helpers."""

from unittest import mock

import pytest
from flytekit import ContainerTask, SQLTask, conditional, kwtypes, reference_task, task, workflow
from flytekit.core.testing import patch, task_mock
from flytekit.types.schema import FlyteSchema


@task
def five() -> int:
    return 5


@task
def double(a: int) -> int:
    return a * 2


@workflow
def choose(x: int) -> int:
    return conditional("two").if_(x == 2).then(five()).else_().then(double(a=x))


show = ContainerTask(
    "show",
    image="example.org/tool:1",
    inputs=kwtypes(a=int, b=str),
    input_data_dir="/data",
    output_data_dir="/data",
    command=["cat"],
    arguments=["/data/a"],
)
square = ContainerTask(
    name="square",
    image="example.org/tool:1",
    inputs=kwtypes(val=int),
    outputs=kwtypes(out=int),
    input_data_dir="/data",
    output_data_dir="/data",
    command=["sh", "-c", "echo $(( {{.Inputs.val}} * {{.Inputs.val}} )) > /data/out"],
)
query = SQLTask("query", query_template="SELECT 1", inputs=kwtypes(at=int), outputs=kwtypes(results=FlyteSchema))


@reference_task(project="p", domain="d", name="n", version="v")
def elsewhere(a: list[int]) -> int: ...


@mock.patch.object(five, "execute")
def test_the_execution_of_a_task_is_patched(execute: mock.Mock) -> None:
    execute.return_value = 6
    assert choose(x=2) == 6
    assert choose(x=3) == 6
    assert execute.call_count == 1


@patch(double)
def test_a_task_is_patched_by_a_decorator(double_mock: mock.Mock) -> None:
    double_mock.return_value = 100
    assert choose(x=3) == 100
    double_mock.assert_called_once_with(a=3)


def test_a_task_is_what_it_was_after_its_mock() -> None:
    with task_mock(double) as double_mock:
        double_mock.side_effect = lambda a: a * 3
        assert choose(x=3) == 9
    assert choose(x=3) == 6


def test_tasks_that_run_elsewhere_are_mocked() -> None:
    @workflow
    def wf(a: int) -> int:
        show(a=a, b="text")
        return square(val=a)

    with task_mock(show) as show_mock, task_mock(square) as square_mock:
        show_mock.side_effect = lambda a, b: None
        square_mock.side_effect = lambda val: val * val
        assert show(a=1, b="x") is None
        assert wf(a=10) == 100
        assert show_mock.call_count == 2


def test_a_reference_runs_as_its_mock_alone() -> None:
    @workflow
    def wf(a: int) -> int:
        return elsewhere(a=[a, a])

    with pytest.raises(Exception, match="reference"):
        wf(a=4)
    with task_mock(elsewhere) as elsewhere_mock:
        elsewhere_mock.side_effect = lambda a: sum(a)
        assert wf(a=4) == 8


def test_a_query_gives_the_table_of_its_mock() -> None:
    pandas = pytest.importorskip("pandas")

    @task
    def first(table: FlyteSchema) -> int:
        return int(table.open().all()["n"][0])

    @workflow
    def wf(at: int) -> int:
        return first(table=query(at=at))

    with task_mock(query) as query_mock:
        query_mock.side_effect = lambda at: pandas.DataFrame({"n": [at]})
        assert wf(at=7) == 7
