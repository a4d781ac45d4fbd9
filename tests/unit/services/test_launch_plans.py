"""Launch plans, listed by what they are."""

from __future__ import annotations

import pytest

from alula.errors import RequestError
from alula.idl.admin import Schedule
from alula.idl.service import NamedEntityIdentifier, ResourceListRequest
from alula.services import registry
from tests.unit.services.control import CALL
from tests.unit.services.planned import Planned


async def names(at: Planned, filters: str, *, limit: int = 100) -> list[str]:
    """Of all pages."""
    found, token = [], ""
    place = NamedEntityIdentifier(project="p", domain="d")
    while True:
        asked = ResourceListRequest(id=place, filters=filters, limit=limit, token=token)
        page = await at.plans.ListLaunchPlans(asked, CALL)
        assert len(page.launch_plans) <= limit
        found += [one.id.name for one in page.launch_plans]
        token = page.token
        if not token:
            return sorted(found)


async def test_they_are_found_by_state_schedule_and_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_AT_ONCE", 2)
    at = await Planned.made()
    [own] = await names(at, "")
    rate = Schedule()
    rate.rate.value, rate.rate.unit, rate.kickoff_time_input_arg = 5, 0, "at"
    for name in ("a", "b", "c"):
        await at.register(name, schedule=rate if name == "c" else None)
    await at.activate("b")
    assert await names(at, "eq(state,ACTIVE)") == ["b"]
    assert await names(at, "eq(launch_plan.state,0)") == ["a", "c", own] == await names(at, "ne(state,1)", limit=1)
    assert await names(at, "eq(schedule_type,RATE)") == ["c"]
    assert await names(at, "value_in(schedule_type,CRON;RATE)+ne(name,a)", limit=1) == ["b", "c"]
    assert await names(at, "ne(schedule_type,NONE)") == ["a", "b", "c"]
    assert await names(at, f"eq(workflow.name,{own})+eq(workflow.version,v1)", limit=2) == ["a", "b", "c", own]
    assert await names(at, "contains(workflow.name,nothing)") == []
    with pytest.raises(RequestError, match="must be one of NONE, CRON, RATE"):
        await names(at, "eq(schedule_type,DAILY)")
