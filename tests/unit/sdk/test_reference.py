"""References: signatures of what is registered elsewhere."""

from __future__ import annotations

import pytest

from alula import get_reference_entity, reference_launch_plan, reference_task, reference_workflow, task, workflow
from alula.errors import CallError, ConversionError, SignatureError
from alula.idl import ResourceType
from alula.testing import patch, task_mock


@reference_task(project="other", domain="production", name="there.train", version="abc")
def train(data: list[str], epochs: int = 2) -> float: ...


@reference_workflow(project="other", domain="production", name="there.wf", version="abc")
def there(a: int) -> int: ...


@reference_launch_plan(project="other", domain="production", name="there.plan", version="abc")
def plan(a: int) -> int: ...


@task
def inc(a: int) -> int:
    return a + 1


@workflow
def uses(a: int) -> tuple[float, int]:
    return train(data=["x"]), inc(a=there(a=plan(a=a)))


def test_a_workflow_that_refers_compiles() -> None:
    assert [node.title for node in uses.nodes] == ["train", "plan", "wf", "inc"]
    assert train.id.version == "abc"


@pytest.mark.parametrize(("entity", "kind"), [(there, "workflow"), (plan, "launch plan")])
def test_a_call_says_that_the_code_is_elsewhere_and_how_to_stand_in(entity: object, kind: str) -> None:
    with pytest.raises(CallError, match=rf"reference to a {kind} of other/production(?s:.)*alula\.testing\.task_mock"):
        entity(a=1)  # type: ignore[operator]


def test_arguments_are_checked_all_the_same() -> None:
    with pytest.raises(CallError, match="has no input 'b'"):
        there(b=1)  # type: ignore[call-arg]
    with pytest.raises(ConversionError, match="input 'a' of 'wf'"):
        there(a="x")  # type: ignore[arg-type]


def test_mocks_stand_in_for_references_inside_workflows() -> None:
    with task_mock(train) as fake, task_mock(there) as other, task_mock(plan) as third:
        fake.return_value = 0.5
        other.side_effect = lambda a: a * 10
        third.return_value = 7
        assert uses(a=1) == (0.5, 71)
        fake.assert_called_once_with(data=["x"], epochs=2)
    with pytest.raises(CallError):
        there(a=1)


@patch(there)
def test_patch_hands_the_mock_to_the_test(fake):  # type: ignore[no-untyped-def]
    fake.return_value = 3
    assert there(a=1) == 3


def test_a_reference_without_a_function_has_the_given_types() -> None:
    made = get_reference_entity(ResourceType.TASK, "p", "d", "n.f", "v", inputs={"a": int}, outputs={"o0": str})
    with task_mock(made) as fake:
        fake.return_value = "x"
        assert made(a=1) == "x"
    assert made.kind == ResourceType.TASK
    with pytest.raises(SignatureError, match="no reference to a resource of type"):
        get_reference_entity(ResourceType.DATASET, "p", "d", "n", "v", inputs={}, outputs={})
