"""M43: what is asked for is checked as a whole, and an execution is there entirely or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from alula import LaunchPlan, workflow
from alula.admin.desk import Desk
from alula.admin.entities import prepare, register
from alula.admin.executions import Created, Order, create
from alula.admin.values import outputs
from alula.data.stores import Objects
from alula.errors import RequestError
from alula.idl import Identifier, Literal, LiteralMap, ResourceType, literals
from alula.sdk.graph import Entity
from alula.store.opening import open_store
from alula.store.records import ExecutionFilter
from tests.acceptance.engine.flows import one_more
from tests.unit.admin import office


@workflow
def plus(x: int, y: int = 5) -> int:
    return one_more(x=x)


PLAN = LaunchPlan.get_or_create(plus, "plan_of_plus", default_inputs={"x": 3}, fixed_inputs={"y": 7})


async def ordered(entity: Entity, kind: ResourceType, **inputs: Literal) -> tuple[Desk, Created]:
    at, specs = office.desk(), office.specs(entity)
    await register(at.store, specs, now=at.clock.now())
    id = Identifier(resource_type=kind, project="p", domain="d", name=entity.name, version="v1")
    made = await create(at, await prepare(specs, id, at.store), Order("p", "d", inputs, name="ex"))
    return at, made


@pytest.mark.parametrize(
    ("inputs", "fault"),
    [
        ({"x": literals.integer(1), "z": literals.integer(2)}, "inputs.z"),
        ({}, "inputs.x: has no value"),
        ({"x": literals.string("one")}, "inputs.x: expected int, got str 'one'"),
        ({"x": literals.collection_of_integers([1])}, "inputs.x: expected int"),
    ],
    ids=["unknown", "missing", "type", "list"],
)
async def test_m43_inputs_that_do_not_fit_are_refused(inputs: dict[str, Literal], fault: str) -> None:
    with pytest.raises(RequestError) as caught:
        await ordered(plus, ResourceType.WORKFLOW, **inputs)
    assert fault in str(caught.value)


async def test_m43_all_faults_come_at_once_and_nothing_is_written() -> None:
    at, specs = office.desk(), office.specs(plus)
    id = Identifier(resource_type=ResourceType.WORKFLOW, project="p", domain="d", name=plus.name, version="v1")
    what = await prepare(specs, id, at.store)
    with pytest.raises(RequestError) as caught:
        await create(at, what, Order("p", "d", {"y": literals.string("a"), "z": literals.integer(1)}, name="ex"))
    text = str(caught.value)
    assert [fault for fault in ("inputs.x", "inputs.y", "inputs.z") if fault not in text] == [], text
    assert not await at.store.executions()


async def test_m43_defaults_are_filled_in_and_fixed_inputs_stay() -> None:
    at, made = await ordered(PLAN, ResourceType.LAUNCH_PLAN)
    [record] = await at.store.executions(ExecutionFilter(name="ex"))
    assert office.values(LiteralMap.FromString(record.inputs)) == {"x": 3, "y": 7}
    assert made.new


async def test_m43_a_fixed_input_cannot_be_given() -> None:
    with pytest.raises(RequestError, match=r"inputs\.y: is fixed by the launch plan"):
        await ordered(PLAN, ResourceType.LAUNCH_PLAN, y=literals.integer(8))


async def test_m43_who_creates_may_die_at_any_moment(tmp_path: Path) -> None:
    """Those that were acknowledged are there and run; of the others each runs too, or was never there."""
    url, acknowledged = str(tmp_path / "alula.db"), set[str]()
    for round in range(4):
        command = [sys.executable, "-m", "tests.acceptance.engine.process", "create", url, str(tmp_path), f"r{round}"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for _ in range(3 + 7 * round):
            acknowledged.add(child.stdout.readline().strip())
        os.kill(child.pid, signal.SIGKILL)
        acknowledged.update(line.strip() for line in child.stdout if line.endswith("\n"))
        child.wait()
        child.stdout.close()
    store = open_store(url)
    at = Desk(store, Objects(), str(tmp_path / "data"))
    try:
        there = {record.key.name for record in await store.executions(limit=10_000)}
        assert acknowledged <= there
        assert len(there) <= len(acknowledged) + 4
        async with office.engine(at, office.FakeRunner(default=office.adding)):
            for name in sorted(there):
                record = await store.execution(office.key(name))
                assert (await office.ended(store, record.id)).phase == "succeeded"
                assert office.values(await outputs(at, office.key(name))) == {"o0": 4}
    finally:
        await store.aclose()
