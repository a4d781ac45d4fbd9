from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from alula import sleep, wait_for_input, workflow
from alula.admin.entities import prepare
from alula.admin.executions import Order, abort, create
from alula.admin.signals import approve, give, signals
from alula.admin.why import why
from alula.errors import RequestError, Unknown
from alula.idl import CompiledWorkflowClosure, literals
from tests.unit.admin import office
from tests.unit.admin.office import desk, key, specs, start
from tests.unit.engine.build import approve_node, signal_node, step
from tests.unit.engine.drive import FakeRunner, clock, ended, virtual


def gated() -> CompiledWorkflowClosure:
    return office.workflow(step("n0"), approve_node("n1", "go", "n0"), signal_node("n2", "rate"), gives="n1")


async def test_gates_are_answered_before_they_are_reached_too() -> None:
    at = desk()
    made = await start(at, gated())
    assert [(one.id, one.approval, one.waiting, one.value) for one in await signals(at, key("ex"))] == [
        ("go", True, False, None),
        ("rate", False, False, None),
    ]
    await approve(at, key("ex"), "go")
    await give(at, key("ex"), "rate", literals.integer(3))
    assert (await office.run(at, made)).phase == "succeeded"
    assert [one.value for one in await signals(at, key("ex"))] == [literals.boolean(True), literals.integer(3)]


async def test_an_answer_is_checked_when_it_is_given() -> None:
    at = desk()
    await start(at, gated())
    with pytest.raises(RequestError, match="signal rate does not fit: expected int, got str 'three'") as caught:
        await give(at, key("ex"), "rate", literals.string("three"))
    assert "alula signal ex rate VALUE" in caught.value.fix
    with pytest.raises(RequestError, match="expected int, got bool"):
        await approve(at, key("ex"), "rate")
    with pytest.raises(Unknown, match="no gate waits for 'rat'") as unknown:
        await give(at, key("ex"), "rat", literals.integer(3))
    assert unknown.value.fix == "there are: go: bool, rate: int"


async def test_an_answer_that_was_taken_stands() -> None:
    at = desk()
    made = await start(at, gated())
    await approve(at, key("ex"), "go")
    await give(at, key("ex"), "rate", literals.integer(3))
    await office.run(at, made)
    await approve(at, key("ex"), "go")
    with pytest.raises(RequestError, match="signal go was answered already, and differently"):
        await approve(at, key("ex"), "go", yes=False)


async def test_a_no_fails_the_execution() -> None:
    at = desk()
    made = await start(at, gated())
    await approve(at, key("ex"), "go", yes=False)
    record = await office.run(at, made)
    assert record.phase == "failed"
    with pytest.raises(RequestError, match="comes too late: the execution is failed"):
        await give(at, key("ex"), "rate", literals.integer(3))


@workflow
def inner() -> int:
    return wait_for_input("rate", timeout=timedelta(hours=1), expected_type=int)


@workflow
def outer() -> int:
    before = sleep(timedelta(minutes=1))
    later = inner()
    before >> later
    return later


@virtual
async def test_a_gate_does_not_wait_while_another_workflow_is_at_a_node_of_its_name() -> None:
    at = desk(clock=clock())
    [id] = [one.template.id for one in specs(outer).workflows if one.template.id.name == outer.name]
    what = await prepare(specs(outer), id)
    made = await create(at, what, Order("p", "d", name="ex"))
    async with office.engine(at, FakeRunner()):
        await asyncio.sleep(30)
        assert [one.waiting for one in await signals(at, key("ex"))] == [False]
        await asyncio.sleep(60)
        assert [one.waiting for one in await signals(at, key("ex"))] == [True]
        await abort(at, key("ex"))
        await ended(at.store, made.record.id)


@virtual
async def test_a_gate_that_waits_says_so() -> None:
    at = desk(clock=clock())
    made = await start(at, office.workflow(step("n0"), approve_node("n1", "go", "n0")))
    async with office.engine(at, FakeRunner()):
        await asyncio.sleep(1)
        assert [one.waiting for one in await signals(at, key("ex"))] == [True]
        [gate] = [one for one in await why(at, key("ex"), "n1") if one.path == "n1"]
        assert gate.reason == "gate"
        await abort(at, key("ex"))
        await ended(at.store, made.record.id)
