from __future__ import annotations

import pytest

from alula.admin.outline import Plans
from alula.errors import Unknown
from alula.idl import NodeExecution as Phases
from alula.idl.service import Execution, NodeExecution
from alula.services.live import Told, follow
from tests.unit.admin import office
from tests.unit.engine.build import sleep_node, step
from tests.unit.engine.drive import clock, virtual
from tests.unit.services.control import Control


def said(told: Told) -> tuple[str, str, int]:
    match told.message:
        case NodeExecution():
            return told.what, told.message.id.node_id, told.message.closure.phase
        case Execution():
            return told.what, told.message.id.name, told.message.closure.phase
    return told.what, "", 0


@virtual
async def test_what_changes_is_told_until_the_end() -> None:
    at = Control.over(office.desk(clock=clock()))
    flow = office.workflow(step("n0"), sleep_node("n1", 60, after=["n0"]), step("n2", "n0"))
    await office.start(at.desk, flow)
    found = []
    async with at.driven():
        async for told in follow(at.desk, Plans(at.desk), office.key("ex")):
            found.append(said(told))
    assert found[-1] == ("end", "", 0)
    assert ("still", "", 0) in found
    nodes = [(name, phase) for what, name, phase in found if what == "node"]
    assert nodes[-1] == ("n1", Phases.SUCCEEDED)
    assert ("n1", Phases.RUNNING) in nodes
    assert [phase for what, _, phase in found if what == "execution"][-1] == 4
    assert len(found) == len(set(found) - {("still", "", 0)}) + found.count(("still", "", 0))


async def test_one_that_is_over_is_told_whole() -> None:
    at = Control.over(office.desk())
    made = await office.start(at.desk)
    await office.run(at.desk, made)
    found = [said(told) async for told in follow(at.desk, Plans(at.desk), office.key("ex"))]
    assert found == [("node", "n0", 3), ("node", "n1", 3), ("execution", "ex", 4), ("end", "", 0)]


async def test_one_that_is_not_there_is_unknown() -> None:
    at = Control.over(office.desk())
    with pytest.raises(Unknown):
        await anext(follow(at.desk, Plans(at.desk), office.key("none")))
    await office.start(at.desk)
    with pytest.raises(Unknown, match="no node 'n9'"):
        await anext(follow(at.desk, Plans(at.desk), office.key("ex"), inside="n9"))
