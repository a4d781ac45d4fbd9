from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest

from alula.admin.desk import Desk
from alula.admin.executions import Created, Order, create, recover
from alula.admin.retention import Collected, Policy, collect
from alula.admin.values import outputs
from alula.compiler.compile import compile_workflow
from alula.config import EngineConfig
from alula.engine.codec import read_node
from alula.errors import DataError, NameTaken, Unknown
from alula.idl import CompiledWorkflowClosure, LiteralMap, Node, literals
from alula.plugin.failure import AttemptFailure
from alula.plugin.runner import Failed, Job, Started, Succeeded, Tell
from alula.store.records import ExecutionFilter
from tests.unit.admin import office
from tests.unit.admin.office import chain, desk, key, launchable, start
from tests.unit.compiler.build import const, ref, task, task_node, workflow
from tests.unit.engine.build import cached, step
from tests.unit.engine.drive import FakeRunner, clock, ended, hang, says, virtual
from tests.unit.idl.build import INT, file_of

FILE = file_of()
TASKS = [
    task("write", {"x": INT}, {"o0": FILE}),
    cached(task("write_once", {"x": INT}, {"o0": FILE})),
    task("pass_on", {"f": FILE}, {"o0": FILE}),
    task("fail", {"f": FILE}, {"o0": FILE}),
]
ALL = Policy(older_than=timedelta(0))
BOOM = Failed(AttemptFailure("Boom", "it went wrong"))


def files(*nodes: Node, gives: str = "n0", takes_file: bool = False) -> CompiledWorkflowClosure:
    template = workflow(nodes, {"o0": (FILE, ref(gives, "o0"))})
    if takes_file:
        template.interface.inputs.variables["a"].type.CopyFrom(FILE)
    return compile_workflow(template, [], TASKS)


ONE = files(task_node("n0", "write", x=const(1)))
TWO = files(task_node("n0", "write", x=const(1)), task_node("n1", "pass_on", f=ref("n0", "o0")), gives="n1")
CACHED = files(task_node("n0", "write_once", x=const(1)))


class Writer(FakeRunner):
    """Tasks that write a file, and pass on the one that they are given."""

    def __init__(self, at: Desk) -> None:
        super().__init__(default=self.write)
        self.at = at
        self.scripts["fail"] = says(BOOM)

    def write(self, job: Job, tell: Tell) -> None:
        tell(Started())
        given = LiteralMap.FromString(job.inputs).literals
        uri = given["f"].scalar.blob.uri if "f" in given else f"{job.prefix}/raw/file"
        made = LiteralMap(literals={"o0": literals.blob(uri)}).SerializeToString()
        path = self.at.objects.local_path(f"{job.prefix}/log.txt")
        assert path is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a line\n")
        if "f" not in given:
            (path.parent / "raw").mkdir()
            (path.parent / "raw" / "file").write_text("0123456789")
        tell(Succeeded(made))


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    return desk(str(tmp_path / "data"))


async def done(at: Desk, closure: CompiledWorkflowClosure, name: str, *, phase: str = "succeeded") -> Created:
    made = await start(at, closure, name=name)
    assert (await office.run(at, made, Writer(at))).phase == phase
    return made


def there(at: Desk) -> list[str]:
    root = Path(at.data)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def names(found: Collected) -> list[str]:
    return [one.name for one in found.executions]


async def left(at: Desk) -> list[str]:
    return sorted(record.key.name for record in await at.store.executions())


async def uri_of(at: Desk, name: str) -> Path:
    return Path((await outputs(at, key(name))).literals["o0"].scalar.blob.uri)


async def test_an_execution_goes_with_its_files_and_nothing_else_goes(at: Desk) -> None:
    await done(at, ONE, "one")
    found = await collect(at, Policy())
    assert found == Collected()
    found = await collect(at, ALL)
    assert names(found) == ["one"]
    assert (found.files, found.freed_bytes, found.kept, found.faults) == (2, 17, (), ())
    assert there(at) == []
    assert list(Path(at.data).iterdir()) == [Path(at.data) / ".leftovers"]
    assert await left(at) == []


async def test_a_trial_changes_nothing_and_says_the_same(at: Desk) -> None:
    await done(at, TWO, "one")
    before = there(at)
    trial = await collect(at, ALL, dry_run=True)
    assert there(at) == before
    assert await left(at) == ["one"]
    assert trial == await collect(at, ALL)


@virtual
async def test_the_old_go_and_the_newest_stay() -> None:
    at = desk(clock=clock())
    for name in ("a", "b", "c", "d"):
        await office.run(at, await start(at, name=name))
        await asyncio.sleep(3_600)
    assert names(await collect(at, Policy(older_than=timedelta(minutes=210)))) == ["a"]
    assert names(await collect(at, Policy(keep=3))) == []
    assert names(await collect(at, Policy(keep=1))) == ["b", "c"]
    assert await left(at) == ["d"]


async def test_what_is_open_never_goes(at: Desk) -> None:
    made = await start(at, name="running")
    await start(at, name="waiting")
    async with office.engine(at, FakeRunner(default=hang), only=[made.record.id]):
        await ended_or_running(at, made)
        assert names(await collect(at, Policy(older_than=timedelta(0), keep=0))) == []
    assert await left(at) == ["running", "waiting"]


async def ended_or_running(at: Desk, made: Created) -> None:
    came = asyncio.Event()
    with at.store.watch(lambda _: came.set()):
        while (await at.store.execution_by_id(made.record.id)).phase == "queued":
            await came.wait()
            came.clear()


async def test_files_that_the_cache_refers_to_outlive_their_execution(at: Desk) -> None:
    await done(at, CACHED, "first")
    found = await collect(at, ALL)
    assert names(found) == ["first"]
    assert found.kept == (f"{at.data}/p/d/first/n0/0",)
    assert "p/d/first/n0/0/raw/file" in there(at)
    made = await done(at, CACHED, "second")
    row = await at.store.node(made.record.id, "n0")
    assert row is not None
    assert read_node(row).cache_source == "p:d:first n0"
    assert (await uri_of(at, "second")).read_text() == "0123456789"


@virtual
async def test_they_go_with_the_entry_but_not_while_a_hit_is_kept(tmp_path: Path) -> None:
    at = desk(str(tmp_path), clock=clock())
    for name in ("first", "second"):
        await done(at, CACHED, name)
    await asyncio.sleep(3_600)
    assert names(await collect(at, Policy(keep=1))) == ["first"]
    evicted = await collect(at, Policy(cache_unused_for=timedelta(minutes=5)))
    assert len(evicted.entries) == 1
    assert (await uri_of(at, "second")).read_text() == "0123456789"
    last = await collect(at, ALL)
    assert names(last) == ["second"]
    assert there(at) == []


@virtual
async def test_an_entry_that_was_just_used_keeps_its_files_once_more(tmp_path: Path) -> None:
    at = desk(str(tmp_path), clock=clock())
    await done(at, CACHED, "first")
    await asyncio.sleep(60)
    found = await collect(at, Policy(keep=0, cache_above_bytes=0))
    assert (names(found), len(found.entries)) == (["first"], 1)
    assert "p/d/first/n0/0/raw/file" in there(at)
    await collect(at, Policy())
    assert there(at) == []


async def test_what_an_execution_took_over_stays_as_long_as_it_does(at: Desk) -> None:
    nodes = [task_node("n0", "write", x=const(1)), task_node("n1", "fail", f=ref("n0", "o0"))]
    await done(at, files(*nodes, gives="n1"), "first", phase="failed")
    made = await recover(at, key("first"), name="second")
    assert names(await collect(at, ALL)) == [], "an open recovery needs the rows too"
    writer = Writer(at)
    del writer.scripts["fail"]
    assert (await office.run(at, made, writer)).phase == "succeeded"
    assert names(await collect(at, Policy(keep=1))) == ["first"]
    assert (await uri_of(at, "second")).read_text() == "0123456789"
    await collect(at, ALL)
    assert there(at) == []


async def test_files_in_the_inputs_of_another_execution_stay(at: Desk) -> None:
    await done(at, ONE, "first")
    blob = literals.blob(str(await uri_of(at, "first")))
    takes = files(task_node("n0", "pass_on", f=ref("", "a")), takes_file=True)
    made = await create(at, launchable(takes), Order("p", "d", {"a": blob}, name="second"))
    await office.run(at, made, Writer(at))
    assert names(await collect(at, Policy(keep=1))) == ["first"]
    assert (await uri_of(at, "second")).read_text() == "0123456789"


async def test_values_in_files_lead_to_further_files(at: Desk) -> None:
    """A large value lies in a file of the attempt that gave it, and refers to a file of an earlier one."""
    passing = cached(task("pass_once", {"f": FILE}, {"o0": FILE}))
    template = workflow(
        [task_node("n0", "write", x=const(1)), task_node("n1", "pass_once", f=ref("n0", "o0"))],
        {"o0": (FILE, ref("n1", "o0"))},
    )
    closure = compile_workflow(template, [], [*TASKS, passing])
    made = await start(at, closure, name="first")
    async with office.engine(at, Writer(at), config=EngineConfig(inline_bytes=1)):
        await ended(at.store, made.record.id)
    found = await collect(at, ALL)
    assert found.kept == (f"{at.data}/p/d/first/n0/0", f"{at.data}/p/d/first/n1/0")


async def test_parts_go_with_the_whole_and_not_before(at: Desk) -> None:
    from tests.unit.admin.test_views import launch, launching

    made = await launch(at, launching, "whole")
    await office.run(at, made)
    [part] = await at.store.executions(ExecutionFilter(parent=made.record.id))
    await office.run(at, await start(at, chain(), name="newer"))
    assert names(await collect(at, Policy(keep=2))) == []
    assert names(await collect(at, Policy(keep=1))) == [part.key.name, "whole"]
    assert await left(at) == ["newer"]


async def test_a_crash_leaves_nothing_behind_for_ever(at: Desk) -> None:
    made = await done(at, ONE, "one")
    store_delete = at.store.delete

    class Crash(BaseException):
        pass

    async def delete(execution: int) -> None:
        await store_delete(execution)
        raise Crash

    crashing = Desk(_Instead(at.store, delete), at.objects, at.data, at.clock)  # type: ignore[arg-type]
    with pytest.raises(Crash):
        await collect(crashing, ALL)
    with pytest.raises(Unknown):
        await at.store.execution_by_id(made.record.id)
    assert len(there(at)) == 3
    await collect(at, Policy())
    assert there(at) == []


class _Instead:
    """A store with another `delete`."""

    def __init__(self, store: object, delete: object) -> None:
        self._store, self.delete = store, delete

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


async def test_a_name_is_not_given_again_while_files_of_it_are_in_use(at: Desk) -> None:
    await done(at, CACHED, "first")
    await collect(at, ALL)
    with pytest.raises(NameTaken, match="its files are still in use"):
        await start(at, ONE, name="first")


async def test_an_execution_that_came_meanwhile_keeps_what_it_recovers(at: Desk) -> None:
    nodes = [task_node("n0", "write", x=const(1)), task_node("n1", "fail", f=ref("n0", "o0"))]
    await done(at, files(*nodes, gives="n1"), "first", phase="failed")
    listing = at.objects.list

    class Objects:
        def __getattr__(self, name: str) -> object:
            return getattr(at.objects, name)

        async def list(self, prefix: str) -> object:  # type: ignore[misc]
            await recover(at, key("first"), name="second")
            async for uri in listing(prefix):
                yield uri

    found = await collect(Desk(at.store, Objects(), at.data, at.clock), ALL)  # type: ignore[arg-type]
    assert names(found) == []
    assert await left(at) == ["first", "second"]


# --- Nothing outside ------------------------------------------------------------------------------------------------


async def test_links_are_removed_and_never_followed(at: Desk, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "precious").write_text("gold")
    await done(at, ONE, "one")
    raw = Path(at.data) / "p/d/one/n0/0/raw"
    (raw / "file_link").symlink_to(outside / "deep" / "precious")
    (raw / "dir_link").symlink_to(outside)
    (raw / "circle").symlink_to(raw)
    (raw / "nowhere").symlink_to("/no/such/place")
    os.mkfifo(raw / "pipe")
    found = await collect(at, ALL)
    assert found.faults == ()
    assert there(at) == []
    assert (outside / "deep" / "precious").read_text() == "gold"


@pytest.mark.parametrize("place", ["p", "p/d", "p/d/one"])
async def test_a_directory_that_is_a_link_is_not_entered(at: Desk, tmp_path: Path, place: str) -> None:
    await done(at, ONE, "one")
    swapped = Path(at.data) / place
    elsewhere = tmp_path / "elsewhere"
    swapped.rename(elsewhere)
    swapped.symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    found = await collect(at, ALL)
    assert sorted(elsewhere.rglob("*")) == before
    assert names(found) == ["one"]


async def test_odd_names_stay_below_the_prefix(at: Desk, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("gold")
    notes = Path(at.data) / ".leftovers"
    notes.mkdir(parents=True)
    odd = ('[["..", "..", "precious"]]', '[["", "", ""]]', '[["a/..", "b", "c"]]', "[[]]", "{", '[["a"]]')
    for nth, members in enumerate(odd):
        (notes / f"note{nth}").write_text(f'{{"members": {members}}}')
    found = await collect(at, ALL)
    assert precious.read_text() == "gold"
    assert len(found.faults) == 6


async def test_a_data_prefix_that_is_not_there_is_no_fault(at: Desk) -> None:
    await office.run(at, await start(at, office.workflow(step("n0"))))
    found = await collect(at, ALL)
    assert (names(found), found.files, found.faults) == (["ex"], 0, ())


async def test_files_that_cannot_be_removed_are_told_and_tried_again(at: Desk) -> None:
    at_remote = desk("memory://data")
    await at_remote.objects.write("memory://data/p/d/ex/n0/0/raw/file", b"0123456789")
    await office.run(at_remote, await start(at_remote))

    class Refusing:
        def __getattr__(self, name: str) -> object:
            return getattr(at_remote.objects, name)

        async def delete(self, uri: str) -> None:
            if "/raw/" in uri:
                raise DataError("access denied", where=uri)
            await at_remote.objects.delete(uri)

    found = await collect(Desk(at_remote.store, Refusing(), at_remote.data, at_remote.clock), ALL)  # type: ignore[arg-type]
    assert found.faults == ("memory://data/p/d/ex/n0/0/raw/file: access denied",)
    assert names(found) == ["ex"]
    again = await collect(at_remote, Policy())
    assert (again.files, again.freed_bytes, again.faults) == (1, 10, ())
