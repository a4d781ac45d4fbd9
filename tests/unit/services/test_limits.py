"""How many executions of a launch plan run at a time, by its concurrency policy."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from alula.admin.executions import Created
from alula.errors import AtLimit
from alula.idl import literals
from alula.services.errors import Code, status_of
from alula.services.launching import Launchables
from tests.unit.services.control import CALL, plan_id, request
from tests.unit.services.planned import Planned

AT = {"at": literals.timestamp(datetime(2030, 1, 1, tzinfo=UTC))}


async def test_of_fifty_that_come_at_once_three_are_admitted_and_the_others_hear_why() -> None:
    one = await Planned.made()
    await one.register(most=3)
    launchables = Launchables(one.desk)
    asked = [launchables.launch(request(plan_id("hourly"), name=f"x{i}", inputs=AT), CALL) for i in range(50)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    made = [result for result in results if isinstance(result, Created)]
    refused = [result for result in results if isinstance(result, AtLimit)]
    assert (len(made), len(refused)) == (3, 47)
    status = status_of(refused[0], "CreateExecution")
    assert status.code is Code.RESOURCE_EXHAUSTED
    assert "3 executions of launch plan hourly run, as many as may at a time" in status.text
    again = await launchables.launch(request(plan_id("hourly"), name=made[0].record.key.name, inputs=AT), CALL)
    assert not again.new
    await one.end(made[0].record)
    await launchables.launch(request(plan_id("hourly"), name="later", inputs=AT), CALL)


async def test_the_limit_counts_all_versions_and_repeated_executions() -> None:
    one = await Planned.made()
    await one.register(most=1)
    await one.register(version="v2", most=1)
    launchables = Launchables(one.desk)
    await launchables.launch(request(plan_id("hourly"), name="first", inputs=AT), CALL)
    second = request(plan_id("hourly"), name="second", inputs=AT)
    second.spec.launch_plan.version = "v2"
    with pytest.raises(AtLimit):
        await launchables.launch(second, CALL)
