"""`task_mock` and `patch`."""

from __future__ import annotations

import asyncio

import pytest

from alula import LaunchPlan, task, workflow
from alula.errors import CallError, ConversionError
from alula.testing import patch, task_mock

ran: list[int] = []


@task
def inc(a: int) -> int:
    ran.append(a)
    return a + 1


@task
async def later(a: int) -> int:
    return a + 1


@task
def nothing(a: int) -> None:
    ran.append(a)


@workflow
def inner(a: int) -> int:
    return inc(a=a)


@workflow
def outer(a: int) -> int:
    nothing(a=a)
    return inc(a=inner(a=a))


def test_a_mock_stands_in_for_a_task_everywhere_and_only_in_its_block() -> None:
    ran.clear()
    with task_mock(inc) as fake, task_mock(nothing) as quiet:
        fake.side_effect = lambda a: a * 10
        assert inc(a=1) == 10
        assert outer(a=1) == 100
        quiet.assert_called_once_with(a=1)
    assert ran == []
    assert inc(a=1) == 2


def test_a_mock_stands_in_for_workflows_and_launch_plans() -> None:
    with task_mock(inner) as fake:
        fake.return_value = 5
        assert outer(a=1) == 6
    plan = LaunchPlan.get_or_create(inner)
    with task_mock(plan) as fake:
        fake.return_value = 7
        assert plan(a=1) == 7


def test_a_mock_stands_in_for_an_async_task() -> None:
    with task_mock(later) as fake:
        fake.return_value = 9
        assert asyncio.run(later(a=1)) == 9  # type: ignore[arg-type]


def test_a_mock_cannot_promise_what_the_task_could_not_give() -> None:
    with task_mock(inc) as fake:
        fake.return_value = "x"
        with pytest.raises(ConversionError, match="output 'o0' of 'inc': expected int, got str"):
            inc(a=1)


def test_an_error_of_the_mock_comes_out() -> None:
    with task_mock(inc) as fake:
        fake.side_effect = KeyError("k")
        with pytest.raises(KeyError):
            outer(a=1)


@patch(inc)
def test_patch_passes_the_mock_before_the_fixtures(fake, tmp_path):  # type: ignore[no-untyped-def]
    fake.return_value = 4
    assert inc(a=1) == 4
    assert tmp_path.exists()


def test_only_entities_can_be_mocked() -> None:
    with pytest.raises(CallError, match="task_mock is given"), task_mock(len):
        pass
