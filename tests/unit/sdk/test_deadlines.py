"""Deadlines in code reach the messages, and those who name none leave no trace there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alula import task, workflow
from alula.errors import AlulaError, SignatureError
from alula.sdk.serialize import serialize


@task(queued_timeout=timedelta(minutes=5), node_timeout=7200, timeout=60)
def patient(x: int) -> int:
    return x


@task
def plain(x: int) -> int:
    return x


@workflow(timeout=timedelta(hours=5))
def limited(x: int) -> int:
    y = patient(x=x)
    z = patient(x=y).with_overrides(queued_timeout=timedelta(seconds=1.5), node_timeout=0)
    return plain(x=z)


@workflow
def unlimited(x: int) -> int:
    return plain(x=x)


def test_deadlines_of_tasks_calls_and_workflows_are_written_down() -> None:
    made = serialize(limited)
    [template] = [one.template for one in made.workflows.values()]
    assert dict(template.metadata.tags) == {"timeout_seconds": "18000"}
    assert [dict(node.metadata.config) for node in template.nodes] == [
        {"queued_timeout_seconds": "300", "node_timeout_seconds": "7200"},
        {"queued_timeout_seconds": "1.5", "node_timeout_seconds": "0"},
        {},
    ]
    configs = {one.template.id.name.rpartition(".")[2]: dict(one.template.config) for one in made.tasks.values()}
    assert configs == {"patient": {"queued_timeout_seconds": "300", "node_timeout_seconds": "7200"}, "plain": {}}


def test_who_names_none_leaves_no_trace() -> None:
    [template] = [one.template for one in serialize(unlimited).workflows.values()]
    assert not template.metadata.tags
    assert not template.nodes[0].metadata.config


def test_they_do_not_change_a_call_in_this_process() -> None:
    assert limited(x=3) == 3


@pytest.mark.parametrize("name", ["queued_timeout", "node_timeout"])
def test_what_is_no_time_is_refused_by_name(name: str) -> None:
    with pytest.raises(SignatureError, match=f"{name} is -1"):
        task(**{name: -1})(plain.fn)  # type: ignore[call-overload]

    def body(x: int) -> int:
        return plain(x=x).with_overrides(**{name: "soon"})

    with pytest.raises(AlulaError, match=f"{name} is 'soon'"):
        workflow(body).compile()


def test_a_workflow_refuses_what_is_no_time() -> None:
    with pytest.raises(SignatureError, match="timeout is 'soon'"):
        workflow(timeout="soon")(unlimited.fn)  # type: ignore[call-overload]
