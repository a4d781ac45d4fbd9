from __future__ import annotations

import asyncio

import pytest

from alula.errors import RequestError, Unknown
from alula.idl import Literal, LiteralType, SignalIdentifier, SimpleType, literals
from alula.idl.service import SignalGetOrCreateRequest, SignalListRequest, SignalSetRequest
from tests.unit.admin import office
from tests.unit.engine.build import approve_node, signal_node, step
from tests.unit.engine.drive import clock, ended, virtual
from tests.unit.services.control import CALL, Control, id


async def asked(at: Control, **more: object) -> tuple[list[str], str]:
    request = SignalListRequest(workflow_execution_id=id("ex"), **more)  # type: ignore[arg-type]
    found = await at.signals.ListSignals(request, CALL)
    return [one.id.signal_id for one in found.signals], found.token


async def give(at: Control, name: str, value: Literal) -> None:
    request = SignalSetRequest(id=SignalIdentifier(signal_id=name, execution_id=id("ex")), value=value)
    await at.signals.SetSignal(request, CALL)


@virtual
async def test_gates_are_listed_once_they_are_reached_and_go_on_when_they_are_answered() -> None:
    at = Control.over(office.desk(clock=clock()))
    made = await office.start(
        at.desk, office.workflow(step("n0"), approve_node("n1", "go", "n0"), signal_node("n2", "rate"), gives="n1")
    )
    assert await asked(at) == ([], "")
    async with at.driven():
        await asyncio.sleep(1)
        first, token = await asked(at, limit=1)
        rest, end = await asked(at, limit=1, token=token)
        assert (first, rest, end) == (["go"], ["rate"], "")
        with pytest.raises(RequestError, match="expected int"):
            await give(at, "rate", literals.string("high"))
        for _ in range(2):  # clients ask again at once
            await give(at, "go", literals.boolean(True))
            await give(at, "rate", literals.integer(3))
        record = await ended(at.desk.store, made.record.id)
    assert record.phase == "succeeded"
    found = await at.signals.ListSignals(SignalListRequest(workflow_execution_id=id("ex")), CALL)
    assert [one.value for one in found.signals] == [literals.boolean(True), literals.integer(3)]


async def test_a_signal_is_that_of_a_gate() -> None:
    at = Control.over(office.desk())
    await office.start(at.desk, office.workflow(step("n0"), approve_node("n1", "go", "n0")))

    def request(name: str, simple: SimpleType) -> SignalGetOrCreateRequest:
        signal = SignalIdentifier(signal_id=name, execution_id=id("ex"))
        return SignalGetOrCreateRequest(id=signal, type=LiteralType(simple=simple))

    found = await at.signals.GetOrCreateSignal(request("go", SimpleType.BOOLEAN), CALL)
    assert (found.id.signal_id, found.type.simple) == ("go", SimpleType.BOOLEAN)
    with pytest.raises(RequestError, match="is of type bool, and not int"):
        await at.signals.GetOrCreateSignal(request("go", SimpleType.INTEGER), CALL)
    with pytest.raises(Unknown, match="no gate waits for 'gone'"):
        await at.signals.GetOrCreateSignal(request("gone", SimpleType.INTEGER), CALL)
