"""What a program is registered in the order of."""

from __future__ import annotations

from alula.client.ordering import in_order
from alula.idl import ResourceType
from alula.idl.admin import LaunchPlan, WorkflowSpec


def flow(name: str, *calls: str, within: bool = False) -> WorkflowSpec:
    made = WorkflowSpec()
    made.template.id.name = name
    template = made.sub_workflows.add() if within else made.template
    for call in calls:
        target = template.nodes.add(id=call).workflow_node.launchplan_ref
        target.name, target.resource_type = call, ResourceType.LAUNCH_PLAN
    return made


def plan(name: str, of: str) -> LaunchPlan:
    made = LaunchPlan()
    made.id.name, made.spec.workflow_id.name = name, of
    return made


def test_what_is_called_comes_before_who_calls_it() -> None:
    outer, middle, inner = flow("outer", "m", "elsewhere"), flow("middle", "i", within=True), flow("inner")
    plans = [plan("outer", "outer"), plan("m", "middle"), plan("i", "inner")]
    made = in_order([outer, middle, inner], plans)
    names = [one.id.name if isinstance(one, LaunchPlan) else one.template.id.name for one in made]
    assert names == ["inner", "i", "middle", "m", "outer", "outer"]


def test_a_circle_ends() -> None:
    one, other = flow("one", "two"), flow("two", "one")
    assert len(in_order([one, other], [plan("one", "one"), plan("two", "two")])) == 4
