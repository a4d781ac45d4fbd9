from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from alula import LaunchPlan, conditional, map_task, task, workflow
from alula.admin.desk import Desk
from alula.admin.entities import prepare, register
from alula.admin.executions import Created, Order, abort, create, recover
from alula.admin.values import inputs, outputs
from alula.admin.views import NodeView, attempts, durations, execution, executions, files_of, nodes, plain
from alula.admin.why import CHILD, NO_ENGINE, Why, why
from alula.config import EngineConfig
from alula.engine.why import Reason
from alula.errors import RequestError, Unknown
from alula.idl import Identifier, LiteralMap, ResourceType, literals
from alula.plugin.failure import AttemptFailure
from alula.plugin.runner import Failed, Progressed, Started, Succeeded, Waits
from alula.sdk.graph import Entity
from alula.store.records import ExecutionFilter
from tests.unit.admin import office
from tests.unit.admin.office import chain, desk, integers, key, specs, start
from tests.unit.compiler.build import const, task_node
from tests.unit.engine.build import step
from tests.unit.engine.drive import FakeRunner, clock, ended, hang, says, virtual

BOOM = Failed(AttemptFailure("Boom", "it went wrong"))
FOUR = LiteralMap(literals={"o0": literals.integer(4)}).SerializeToString()
START = datetime(2024, 11, 2, tzinfo=UTC)


@task
def add(x: int, y: int = 2) -> int:
    return x + y


@task
def double(x: int) -> int:
    return 2 * x


@workflow
def inner(x: int) -> int:
    return add(x=add(x=x, y=1), y=1)


@workflow
def every_kind(x: int) -> list[int]:
    y = inner(x=x)
    z = conditional("size").if_(y > 1000).then(double(x=y)).else_().then(add(x=y, y=1))  # type: ignore[union-attr]
    double(x=z)
    return map_task(double)(x=[1, 2, 3])  # type: ignore[no-any-return]


PLAN = LaunchPlan.get_or_create(inner, name="tests.admin.views.plan")


@workflow
def launching(x: int) -> int:
    return PLAN(x=x)


async def launch(at: Desk, entity: Entity, name: str = "ex") -> Created:
    await register(at.store, specs(entity), now=START)
    id = Identifier(resource_type=ResourceType.WORKFLOW, project="p", domain="d", name=entity.name, version="v1")
    return await create(at, await prepare(specs(entity), id), Order("p", "d", integers(x=1), name=name))


def outline(found: list[NodeView]) -> list[str]:
    return [f"{'  ' * view.depth}{view.title} ({view.kind}) {view.phase}".rstrip() for view in found]


async def test_the_tree_has_every_node_in_its_place() -> None:
    at = desk()
    made = await launch(at, every_kind)
    before = outline(await nodes(at, key("ex")))
    assert before[:4] == [f"{every_kind.name} (workflow)", "  inner (workflow)", "    add (task)", "    add (task)"]
    await office.run(at, made)
    shown = outline(await nodes(at, key("ex")))
    assert shown[:8] == [
        f"{every_kind.name} (workflow) succeeded",
        "  inner (workflow) succeeded",
        "    add (task) succeeded",
        "    add (task) succeeded",
        "  size (branch) succeeded",
        "    add (task) succeeded",
        "  double (task) succeeded",
        shown[7],
    ]
    assert "(array) succeeded" in shown[7]
    assert shown[8:] == [f"    [{nth}] (task) succeeded" for nth in range(3)]
    assert outline(await nodes(at, key("ex"), "n0")) == [
        "inner (workflow) succeeded",
        "  add (task) succeeded",
        "  add (task) succeeded",
    ]
    assert len(await nodes(at, key("ex"), deep=False)) == 5


async def test_of_a_long_array_those_that_failed_are_shown_first() -> None:
    at = desk()
    made = await launch(at, every_kind)
    await office.run(at, made, FakeRunner(default=office.adding, scripts={"n3[2]": says(BOOM)}))
    found = await nodes(at, key("ex"), "n3", elements=1)
    assert [(view.path, view.phase) for view in found] == [("n3", "failed"), ("n3[2]", "failed")]
    assert found[1].failure is not None
    assert (found[1].failure.code, found[1].failure.kind) == ("Boom", "user")


async def test_views_are_json() -> None:
    at = desk()
    made = await launch(at, every_kind)
    await office.run(at, made, FakeRunner(scripts={"n2": says(BOOM)}))
    whole = plain(
        [
            await execution(at, key("ex")),
            *await nodes(at, key("ex")),
            *await attempts(at, key("ex")),
            *await why(at, key("ex")),
        ]
    )
    assert json.loads(json.dumps(whole)) == whole


async def test_an_execution_says_what_it_is_and_where_it_comes_from() -> None:
    at = desk()
    await office.run(at, await start(at, chain(3)), FakeRunner(scripts={"n1": says(BOOM)}))
    made = await recover(at, key("ex"), name="again")
    view = await execution(at, key("again"))
    assert (view.phase, view.reference, view.engine, view.open) == ("queued", "ex", "", True)
    await office.run(at, made)
    failed = await execution(at, key("ex"))
    assert "it went wrong" in failed.error
    assert failed.seconds >= 0
    assert [one.name for one in await executions(at)] == ["again", "ex"]
    assert [one.name for one in await executions(at, ExecutionFilter(phases=("failed",)))] == ["ex"]
    shown = {view.path: view.phase for view in await nodes(at, key("again"))}
    assert shown == {"": "succeeded", "n0": "recovered", "n1": "succeeded", "n2": "succeeded"}
    with pytest.raises(Unknown):
        await execution(at, key("nothing"))


async def test_attempts_say_how_they_went_and_where_their_files_are() -> None:
    at = desk()
    flaky = Failed(AttemptFailure("Boom", "it went wrong", recoverable=True))
    runner = FakeRunner()
    runner.scripts["n0"] = lambda job, tell: tell(flaky if not job.id.number else Succeeded(FOUR))
    made = await start(at, office.workflow(step("n0", retries=1)))
    await office.run(at, made, runner)
    first, second = await attempts(at, key("ex"), "n0")
    assert (first.phase, second.phase) == ("failed", "succeeded")
    assert first.failure is not None
    assert first.failure.message == "it went wrong"
    assert second.log == "memory://data/p/d/ex/n0/1/log.txt"
    assert second.deck == "memory://data/p/d/ex/n0/1/deck.html"
    assert files_of(at, key("ex"), "n0", 1).prefix == second.prefix
    [node] = await nodes(at, key("ex"), "n0")
    assert node.attempts == 2
    assert await attempts(at, key("ex"), "") == []
    with pytest.raises(Unknown, match="has no node 'n9'"):
        await attempts(at, key("ex"), "n9")


async def test_a_cached_node_says_who_made_its_outputs() -> None:
    at = desk()
    cached = office.workflow(task_node("n0", "slow", x=const(3)), gives="n0")
    for name in ("first", "second"):
        await office.run(at, await start(at, cached, name=name))
    [node] = await nodes(at, key("second"), "n0")
    assert (node.cache, node.cache_source, node.attempts) == ("hit", "p:d:first n0", 0)


async def test_inputs_and_outputs_are_whole_wherever_they_lie() -> None:
    at = desk()
    made = await start(at, chain(3))
    async with office.engine(at, FakeRunner(), config=EngineConfig(inline_bytes=1)):
        await ended(at.store, made.record.id)
    assert office.values(await inputs(at, key("ex"))) == {"a": 1}
    assert office.values(await inputs(at, key("ex"), "n1")) == {"x": 2, "y": 2}
    assert office.values(await outputs(at, key("ex"), "n1")) == {"o0": 4}
    assert office.values(await outputs(at, key("ex"))) == {"o0": 8}
    with pytest.raises(Unknown):
        await outputs(at, key("ex"), "n9")


async def test_elements_have_inputs_and_outputs_of_their_own() -> None:
    at = desk()
    await office.run(at, await launch(at, every_kind))
    assert (await inputs(at, key("ex"), "n3[1]")).literals["x"] == literals.collection([literals.integer(2)])
    assert (await outputs(at, key("ex"), "n3[1]")).literals["o0"] == literals.integer(2)


async def test_what_has_not_ended_has_no_outputs_and_maybe_no_inputs() -> None:
    at = desk()
    await office.run(at, await start(at, chain(3)), FakeRunner(scripts={"n0": says(BOOM)}))
    for path in ("", "n0", "n1"):
        with pytest.raises(RequestError, match="has no outputs"):
            await outputs(at, key("ex"), path)
    assert office.values(await inputs(at, key("ex"), "n0")) == {"x": 1, "y": 1}
    with pytest.raises(RequestError, match="the inputs of node n1 of ex are not known"):
        await inputs(at, key("ex"), "n1")


# --- Why ------------------------------------------------------------------------------------------------------------


def links(found: list[Why]) -> list[tuple[str, str]]:
    return [(link.path, link.reason) for link in found]


async def test_an_execution_that_nobody_drives_says_so() -> None:
    at = desk()
    await start(at)
    found = await why(at, key("ex"))
    assert links(found) == [("", NO_ENGINE), ("", Reason.NOT_BEGUN)]
    assert "none is running: start one with alula serve" in found[0].text


@virtual
async def test_an_engine_that_died_is_named() -> None:
    at = desk(clock=clock())
    made = await start(at)
    await at.store.beat("gone", lease=timedelta(seconds=60))
    await at.store.claim("gone", limit=1, only=[made.record.id])
    assert links(await why(at, key("ex"))) == [("", Reason.NOT_BEGUN)]
    await asyncio.sleep(90)
    await at.store.beat("other", lease=timedelta(seconds=60))
    [engine, _] = await why(at, key("ex"))
    assert engine.reason == NO_ENGINE
    assert "its engine gone was not heard of since" in engine.text
    assert "one of those that live will take it: other" in engine.text


@virtual
async def test_a_node_leads_to_what_it_waits_for() -> None:
    at = desk(clock=clock())
    made = await start(at, chain(4))
    runner = FakeRunner(scripts={"n1": says(Waits("no cluster is reachable"))})
    async with office.engine(at, runner):
        await asyncio.sleep(5)
        found = await why(at, key("ex"), "n3")
        [waiting] = await nodes(at, key("ex"), "n1")
        await abort(at, key("ex"))
        await ended(at.store, made.record.id)
    assert links(found) == [("n3", Reason.UPSTREAM), ("n2", Reason.UPSTREAM), ("n1", Reason.BACKEND)]
    assert found[-1].text == "no cluster is reachable"
    assert waiting.waiting == "no cluster is reachable"
    with pytest.raises(Unknown, match="has no node 'n8'"):
        await why(at, key("ex"), "n8")


@virtual
async def test_a_running_task_shows_how_far_it_is() -> None:
    at = desk(clock=clock())
    made = await start(at)
    async with office.engine(at, FakeRunner(scripts={"n0": says(Started(), Progressed(0.5, "half way"))})):
        await asyncio.sleep(5)
        root, first, second = await nodes(at, key("ex"))
        await abort(at, key("ex"))
        await ended(at.store, made.record.id)
    assert (first.done, first.message, first.waiting) == (0.5, "half way", "")
    assert second.waiting == "it comes after n0 (running)"
    assert root.phase == "running"


@virtual
async def test_a_launched_execution_is_pointed_to() -> None:
    at = desk(clock=clock())
    made = await launch(at, launching)
    async with office.engine(at, FakeRunner(default=hang)):
        await asyncio.sleep(5)
        [child] = await at.store.executions(ExecutionFilter(parent=made.record.id))
        found = await why(at, key("ex"))
        view = await execution(at, child.key)
        await abort(at, key("ex"))
        await ended(at.store, made.record.id)
    [link] = [link for link in found if link.reason == CHILD]
    assert link.on == (child.key.name,)
    assert view.parent == "ex n0"


async def test_an_execution_that_has_ended_waits_for_nothing() -> None:
    at = desk()
    await office.run(at, await start(at))
    assert links(await why(at, key("ex"))) == [("", Reason.ENDED)]


def test_durations_end_when_it_ended_and_never_go_below_nothing() -> None:
    later = START + timedelta(seconds=5)
    assert durations(START, later, later + timedelta(seconds=2), later + timedelta(seconds=9)) == (5.0, 2.0)
    assert durations(START, None, None, later) == (5.0, 0.0)
    assert durations(START, START, None, later) == (0.0, 5.0)
    assert durations(later, START, START, later) == (0.0, 0.0)
