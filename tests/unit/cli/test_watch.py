"""Who drives an execution decides what Ctrl-C does: our own engine must never pass for another one."""

from __future__ import annotations

from alula.cli.board import Board
from alula.cli.watch import View, Watch
from alula.store.records import ExecutionKey, ExecutionRecord
from tests.unit.engine.build import made, step
from tests.unit.engine.stage import START

CLOSURE = made([step("n0")])
RECORD = ExecutionRecord(1, ExecutionKey("p", "d", "n"), "wf", "f", "running", True, START, owner="ours")


def watch() -> Watch:
    return Watch(Board("n", "workflow flow", CLOSURE), RECORD.id, View.QUIET)


async def test_another_engine_drives_what_it_has() -> None:
    shown = watch()
    shown.owned("theirs", ours="ours")
    assert shown.elsewhere


async def test_nobody_and_our_own_engine_are_not_another_one() -> None:
    shown = watch()
    for owner in ("", "ours"):
        shown.owned(owner, ours="ours")
        assert not shown.elsewhere, "it has claimed the execution, and may still be loading it"


async def test_what_the_store_said_before_our_engine_took_over_does_not_count_after_that() -> None:
    shown = watch()
    shown.owned("theirs", ours="ours")
    shown.taken(RECORD, lambda path: None)  # type: ignore[arg-type, return-value]
    shown.owned("theirs", ours="ours")
    assert not shown.elsewhere
