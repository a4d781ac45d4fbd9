"""Whatever is run, recovered, evicted and removed, in any order: what is there can be read, and nothing is left."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from alula.admin.desk import Desk
from alula.admin.executions import Order, create, recover
from alula.admin.retention import Policy, collect
from alula.admin.values import outputs
from alula.compiler.compile import compile_workflow
from alula.config import EngineConfig
from alula.errors import NameTaken, RequestError
from alula.idl import CompiledWorkflowClosure
from alula.testing.sim.loop import VirtualLoop
from tests.unit.admin import office
from tests.unit.admin.office import desk, key, launchable, start
from tests.unit.admin.test_retention import TASKS, Writer, files, names, there
from tests.unit.compiler.build import const, ref, task, task_node, workflow
from tests.unit.engine.build import cached
from tests.unit.engine.drive import clock, ended
from tests.unit.idl.build import file_of

FILE = file_of()
PASS_ONCE = cached(task("pass_once", {"f": FILE}, {"o0": FILE}))


def flow(x: int, *more: str) -> CompiledWorkflowClosure:
    """Writes a file, if it was not written before, and passes it on."""
    nodes = [task_node("n0", "write_once" if x else "write", x=const(x))]
    nodes += [task_node(f"n{nth}", name, f=ref(f"n{nth - 1}", "o0")) for nth, name in enumerate(more, 1)]
    template = workflow(nodes, {"o0": (FILE, ref(nodes[-1].id, "o0"))})
    return compile_workflow(template, [], [*TASKS, PASS_ONCE])


FLOWS = [flow(0), flow(1), flow(1, "pass_on"), flow(2, "pass_once"), flow(0, "pass_on", "pass_once"), flow(1, "fail")]
TAKES = files(task_node("n0", "pass_on", f=ref("", "a")), takes_file=True)
NAMES = st.sampled_from("abc")
RUNS = st.one_of(
    st.tuples(st.just("run"), NAMES, st.integers(0, len(FLOWS) - 1)),
    st.tuples(st.just("take"), NAMES, NAMES),
    st.tuples(st.just("recover"), NAMES, NAMES),
)
REST = st.sampled_from([("evict", 0), ("evict", 500), ("collect", 0), ("collect", 1), ("collect", 2), ("wait", 1_000)])
DEEDS = st.lists(st.one_of(RUNS, REST), min_size=4, max_size=14)


class Office:
    def __init__(self, data: str, inline_bytes: int) -> None:
        self.at = desk(data, clock=clock())
        self.config = EngineConfig(inline_bytes=inline_bytes)

    async def do(self, deed: tuple[str, ...]) -> None:
        match deed:
            case "run", str(name), int(which):
                await self.run(start(self.at, FLOWS[which], name=name))
            case "take", str(name), str(other) if await self.good(other):
                blob = (await outputs(self.at, key(other))).literals["o0"]
                await self.run(create(self.at, launchable(TAKES), Order("p", "d", {"a": blob}, name=name)))
            case "recover", str(name), str(other) if await self.known(other):
                await self.run(recover(self.at, key(other), name=name), heals=True)
            case "evict", int(above):
                await collect(self.at, Policy(cache_above_bytes=above))
            case "collect", int(keep):
                await collect(self.at, Policy(keep=keep))
            case "wait", int(seconds):
                await asyncio.sleep(seconds)

    async def run(self, creating, *, heals: bool = False) -> None:  # type: ignore[no-untyped-def]
        try:
            made = await creating
        except (NameTaken, RequestError):
            return
        writer = Writer(self.at)
        if heals:
            del writer.scripts["fail"]
        async with office.engine(self.at, writer, config=self.config):
            await ended(self.at.store, made.record.id)

    async def known(self, name: str) -> bool:
        return any(record.key.name == name for record in await self.at.store.executions())

    async def good(self, name: str) -> bool:
        records = await self.at.store.executions()
        return any(record.key.name == name and record.phase == "succeeded" for record in records)


async def check(at: Desk) -> None:
    """All that is there can be read, down to the file."""
    for record in await at.store.executions():
        if record.phase == "succeeded":
            blob = (await outputs(at, record.key)).literals["o0"]
            assert Path(blob.scalar.blob.uri).read_text() == "0123456789", f"{record.key.name} lost its file"


@settings(max_examples=150)
@example([("run", "a", 4), ("run", "b", 4), ("wait", 1_000), ("evict", 0), ("collect", 1)], 1)
@given(DEEDS, st.sampled_from([1, 64 * 1024]))
def test_what_is_there_can_be_read_and_in_the_end_nothing_is_left(deeds: list[tuple[str, ...]], inline: int) -> None:
    data = tempfile.mkdtemp()

    async def main() -> None:
        them = Office(data, inline)
        for deed in deeds:
            await them.do(deed)
            await check(them.at)
        await asyncio.sleep(3_600)
        trial = await collect(them.at, Policy(keep=0, cache_older_than=timedelta(0)), dry_run=True)
        found = await collect(them.at, Policy(keep=0, cache_older_than=timedelta(0)))
        assert names(trial) == names(found)
        assert (trial.files, trial.freed_bytes) == (found.files, found.freed_bytes)
        assert (found.kept, found.faults) == ((), ())
        assert there(them.at) == []

    loop = VirtualLoop()
    try:
        loop.run_until_complete(main())
        assert not loop.mishaps
    finally:
        loop.close()
        shutil.rmtree(data)
