"""What a dynamic task makes runs on the terms of its execution."""

from __future__ import annotations

import pytest

from alula.compiler.terms import Terms
from alula.engine.state import Settings
from alula.idl import Resources
from tests.unit.compiler.build import const, task_node
from tests.unit.engine.build import made, step
from tests.unit.engine.stage import Stage
from tests.unit.engine.test_nodes import expanding, spec


@pytest.mark.parametrize("reject", [False, True])
def test_what_a_dynamic_task_makes_asks_for_no_more_than_it_may(reject: bool) -> None:
    greedy = task_node("d0", "add", x=const(3), y=const(4))
    greedy.task_node.overrides.resources.requests.add(name=Resources.CPU, value="9")
    settings = Settings(terms=Terms(limits={"cpu": "2"}, reject=reject).pack())
    stage = Stage(made([step("n0")]), settings=settings, backends={"n0": expanding(spec([greedy]))}).run()
    if reject:
        assert stage.started() == ["n0"]
        assert stage.root.failure is not None
        assert "request of cpu 9 is more than 2" in stage.root.failure.message
    else:
        assert stage.started() == ["n0", "n0/d0"]
        assert stage.x.plan_of("n0/d0").node.task_node.overrides.resources.requests[0].value == "2"
