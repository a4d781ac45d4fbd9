from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alula.admin.desk import Desk
from alula.admin.executions import Order, abort, create, recover, relaunch, rerun
from alula.admin.options import Options
from alula.admin.values import outputs
from alula.compiler.launching import Intake
from alula.data.stores import Objects
from alula.engine.codec import read_settings
from alula.errors import Busy, NameTaken, RequestError, Unknown
from alula.idl import LiteralMap, literals
from alula.plugin.failure import AttemptFailure
from alula.plugin.runner import Failed
from alula.store.memory import MemoryStore
from tests.unit.admin import office
from tests.unit.admin.office import chain, desk, integers, key, launchable, start
from tests.unit.engine.build import approve_node, step
from tests.unit.engine.drive import FakeRunner, ended, hang, says

BOOM = Failed(AttemptFailure("Boom", "it went wrong"))


async def test_an_execution_is_created_and_an_engine_runs_it() -> None:
    at = desk()
    made = await start(at)
    assert made.new
    assert (made.record.phase, made.record.open) == ("queued", True)
    assert (await office.run(at, made)).phase == "succeeded"
    assert office.values(await outputs(at, key("ex"))) == {"o0": 4}


async def test_every_fault_of_a_request_comes_at_once() -> None:
    wrong = Order(
        "p/..",
        "",
        {"a": literals.string("one"), "b": literals.integer(2)},
        name="Not A Name",
        options=Options(max_parallelism=-1, node_timeout=timedelta(0)),
        signals={"go": literals.boolean(True)},
    )
    with pytest.raises(RequestError) as caught:
        await create(desk(), launchable(), wrong)
    text = str(caught.value)
    for part in (
        "inputs.a: expected int, got str 'one'",
        "inputs.b: there is no such variable",
        "project: 'p/..'",
        "domain: ''",
        "name: 'Not A Name'",
        "options.max_parallelism: is -1",
        "options.node_timeout: is 0:00:00",
        "signals.go: no gate waits for it",
    ):
        assert part in text


async def test_a_missing_input_is_a_fault_and_a_default_is_filled_in() -> None:
    at, what = desk(), launchable()
    with pytest.raises(RequestError, match=r"inputs\.a: has no value"):
        await create(at, what, Order("p", "d"))
    with_default = replace(what, intake=Intake(what.intake.interface, defaults=integers(a=7)))
    made = await create(at, with_default, Order("p", "d"))
    assert office.values(LiteralMap.FromString(made.record.inputs)) == {"a": 7}
    given = await create(at, with_default, Order("p", "d", integers(a=8)))
    assert office.values(LiteralMap.FromString(given.record.inputs)) == {"a": 8}


async def test_what_a_launch_plan_fixes_cannot_be_given() -> None:
    at, what = desk(), launchable()
    fixed = replace(what, intake=Intake(what.intake.interface, fixed=integers(a=7)))
    with pytest.raises(RequestError, match=r"inputs\.a: is fixed by the launch plan"):
        await create(at, fixed, Order("p", "d", integers(a=8)))
    made = await create(at, fixed, Order("p", "d"))
    assert office.values(LiteralMap.FromString(made.record.inputs)) == {"a": 7}


async def test_the_same_name_with_the_same_inputs_is_the_same_execution() -> None:
    at = desk()
    first, second = await start(at), await start(at)
    assert (first.new, second.new) == (True, False)
    assert first.record.id == second.record.id


async def test_the_same_name_for_something_else_says_what_differs() -> None:
    at = desk()
    await start(at)
    with pytest.raises(NameTaken, match=r"its inputs are other ones: a \(1 there, 2 here\)"):
        await start(at, inputs=integers(a=2))
    with pytest.raises(NameTaken, match="declared differently"):
        await start(at, chain(3))
    with pytest.raises(NameTaken, match="it runs workflow:p:d:flow:v, and not workflow:p:d:other:v"):
        await create(at, launchable(name="other"), Order("p", "d", integers(a=1), name="ex"))


async def test_two_who_create_the_same_at_once_get_one_execution() -> None:
    at = desk()
    several = await asyncio.gather(*(start(at) for _ in range(10)))
    assert len({made.record.id for made in several}) == 1
    assert sum(made.new for made in several) == 1


async def test_without_a_name_each_is_new_and_the_names_can_be_said() -> None:
    at = desk()
    several = [(await start(at, name="")).record.key.name for _ in range(20)]
    assert len(set(several)) == 20
    assert all(len(name.split("-")) == 3 for name in several)


async def test_inputs_with_the_same_files_are_the_same_inputs(tmp_path: Path) -> None:
    for name, content in (("a", "same"), ("b", "same"), ("c", "other")):
        (tmp_path / name).write_text(content)
    at, what = Desk(MemoryStore(), Objects(), str(tmp_path)), launchable()
    interface = type(what.intake.interface)()
    interface.CopyFrom(what.intake.interface)
    interface.inputs.variables["a"].type.blob.SetInParent()
    what = replace(what, intake=Intake(interface))

    async def order(name: str) -> bool:
        inputs = {"a": literals.blob(str(tmp_path / name))}
        return (await create(at, what, Order("p", "d", inputs, name="ex"))).new

    assert await order("a")
    assert not await order("b")
    with pytest.raises(NameTaken):
        await order("c")


async def test_beyond_the_backlog_nothing_new_is_created_and_what_is_there_is_found() -> None:
    at = replace(desk(), backlog=2)
    first = await start(at, name="a")
    await start(at, name="b")
    with pytest.raises(Busy, match="2 executions are open"):
        await start(at, name="c")
    assert (await start(at, name="a")).record.id == first.record.id
    await office.run(at, first)
    assert (await start(at, name="c")).new


async def test_options_go_over_those_of_the_launch_plan() -> None:
    at = desk()
    what = replace(launchable(), options=Options(max_parallelism=3, interruptible=True))
    order = Order("p", "d", integers(a=1), options=Options(max_parallelism=0, workflow_timeout=timedelta(hours=1)))
    settings = read_settings((await create(at, what, order)).record.settings)
    assert (settings.max_parallelism, settings.interruptible) == (0, True)
    assert settings.workflow_timeout == timedelta(hours=1)


async def test_answers_may_be_given_beforehand_and_are_checked() -> None:
    at, what = desk(), launchable(office.workflow(step("n0"), approve_node("n1", "go", "n0"), gives="n1"))
    with pytest.raises(RequestError, match=r"signals\.go: expected bool, got int 1"):
        await create(at, what, Order("p", "d", integers(a=1), signals=integers(go=1)))
    order = Order("p", "d", integers(a=1), signals={"go": literals.boolean(True)})
    assert (await office.run(at, await create(at, what, order))).phase == "succeeded"


async def test_an_abort_stops_an_execution_and_may_be_asked_for_twice() -> None:
    at = desk()
    made = await start(at)
    async with office.engine(at, FakeRunner(default=hang)):
        await abort(at, key("ex"), reason="enough \udcff")
        await abort(at, key("ex"))
        record = await ended(at.store, made.record.id)
    assert (record.phase, record.error) == ("aborted", record.error)
    assert r"enough \udcff" in record.error
    assert (await abort(at, key("ex"))).phase == "aborted"


async def test_what_has_ended_by_itself_cannot_be_aborted() -> None:
    at = desk()
    await office.run(at, await start(at))
    with pytest.raises(RequestError, match="has succeeded"):
        await abort(at, key("ex"))
    with pytest.raises(Unknown):
        await abort(at, key("nothing"))


async def test_recovery_runs_only_what_did_not_end_well() -> None:
    at = desk()
    assert (await office.run(at, await start(at, chain(4)), FakeRunner(scripts={"n2": says(BOOM)}))).phase == "failed"
    made = await recover(at, key("ex"), name="again")
    assert made.new
    assert not (await recover(at, key("ex"), name="again")).new
    runner = FakeRunner()
    assert (await office.run(at, made, runner)).phase == "succeeded"
    assert runner.paths() == ["n2", "n3"]
    assert office.values(await outputs(at, key("again"))) == {"o0": 16}


async def test_what_an_execution_was_to_take_over_runs_if_it_is_gone() -> None:
    at = desk()
    failed = await office.run(at, await start(at), FakeRunner(scripts={"n1": says(BOOM)}))
    made = await recover(at, key("ex"))
    await at.store.delete(failed.id)
    runner = FakeRunner()
    assert (await office.run(at, made, runner)).phase == "succeeded"
    assert runner.paths() == ["n0", "n1"]


async def test_only_what_has_ended_badly_can_be_recovered() -> None:
    at = desk()
    made = await start(at)
    with pytest.raises(RequestError, match="has not ended: it is queued"):
        await recover(at, key("ex"))
    await office.run(at, made)
    with pytest.raises(RequestError, match="nothing to recover"):
        await recover(at, key("ex"))


async def test_some_nodes_run_again_with_all_that_comes_after_them() -> None:
    at = desk()
    await office.run(at, await start(at, chain(4)))
    made = await rerun(at, key("ex"), nodes=["n2"], name="again")
    runner = FakeRunner()
    assert (await office.run(at, made, runner)).phase == "succeeded"
    assert runner.paths() == ["n2", "n3"]
    with pytest.raises(NameTaken):
        await rerun(at, key("ex"), nodes=["n1"], name="again")


async def test_a_node_that_is_not_there_cannot_run_again() -> None:
    at = desk()
    await office.run(at, await start(at))
    with pytest.raises(Unknown, match="has no node n7, n0/x") as caught:
        await rerun(at, key("ex"), nodes=["n0", "n7", "n0/x"])
    assert "n0, n1" in caught.value.fix


async def test_a_relaunch_is_new_and_runs_everything() -> None:
    at = desk()
    await office.run(at, await start(at))
    made = await relaunch(at, key("ex"), options=Options(max_parallelism=1))
    assert made.new
    assert made.record.inputs == (await at.store.execution(key("ex"))).inputs
    runner = FakeRunner()
    await office.run(at, made, runner)
    assert runner.paths() == ["n0", "n1"]
    assert (await rerun(at, key("ex"))).new


async def test_a_name_stands_for_its_program_and_inputs_whatever_began_it() -> None:
    at = desk()
    await office.run(at, await start(at), FakeRunner(scripts={"n1": says(BOOM)}))
    recovered = (await recover(at, key("ex"), name="recovered")).record
    again = (await relaunch(at, key("ex"), name="again")).record
    for record in (recovered, again):
        found = await start(at, name=record.key.name)
        assert (found.record.id, found.new) == (record.id, False)
        with pytest.raises(NameTaken, match="its inputs are other ones: a"):
            await start(at, name=record.key.name, inputs=integers(a=2))
        with pytest.raises(NameTaken, match="declared differently"):
            await start(at, chain(3), name=record.key.name)


async def test_files_that_others_may_change_are_not_taken_for_the_same_inputs(tmp_path: Path) -> None:
    at, what = desk(str(tmp_path / "data")), launchable()
    interface = type(what.intake.interface)()
    interface.CopyFrom(what.intake.interface)
    interface.inputs.variables["a"].type.blob.SetInParent()
    what = replace(what, intake=Intake(interface))
    (tmp_path / "data").mkdir()
    for name in ("data/ours", "theirs"):  # nobody but us writes below the data prefix
        (tmp_path / name).write_text("as it was")
        order = Order("p", "d", {"a": literals.blob(str(tmp_path / name))}, name="ex")
        there = (await create(at, what, order)).record
        again = replace(order, name="again")
        await relaunch(at, there.key, name=again.name)
        if name == "data/ours":
            assert not (await create(at, what, again)).new
            at = replace(at, store=MemoryStore())
        else:
            with pytest.raises(NameTaken, match="it names files that may have changed since"):
                await create(at, what, again)
