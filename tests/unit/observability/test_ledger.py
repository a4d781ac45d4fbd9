from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from alula._kits.records import replace
from alula.engine.events import Begin
from alula.engine.state import AttemptPhase, AttemptState, CacheStatus, FailureKind, NodePhase, NodeState, Row
from alula.observability.ledger import AttemptBegan, AttemptEnded, CacheAnswered, Ledger, NodeEnded, Retried
from tests.unit.engine.build import approve_node, made, step
from tests.unit.engine.stage import START, Stage, adding, fail, in_turn

AN_HOUR = timedelta(hours=1)
NODE = NodeState("n0", NodePhase.QUEUED, since=START)
ATTEMPT = AttemptState("n0", 0, AttemptPhase.QUEUED, since=START)


def kinds(ledger: Ledger, *rows: Row) -> list[str]:
    return [type(change).__name__ for change in ledger.changes(rows)]


def ended(row: NodeState, phase: NodePhase = NodePhase.SUCCEEDED) -> NodeState:
    return replace(row, phase=phase, ended_at=START)


def test_an_attempt_begins_and_ends_once() -> None:
    ledger = Ledger(START - AN_HOUR)
    assert kinds(ledger, ATTEMPT) == ["AttemptBegan"]
    running = replace(ATTEMPT, phase=AttemptPhase.RUNNING, started_at=START)
    assert kinds(ledger, running) == []
    over = replace(running, phase=AttemptPhase.FAILED, ended_at=START)
    assert kinds(ledger, over) == ["AttemptEnded"]
    assert kinds(ledger, replace(over, open=False)) == []
    assert not ledger.attempts


def test_an_attempt_that_was_given_up_before_this_engine_came_is_not_counted_again_when_it_is_closed() -> None:
    ledger = Ledger(START + AN_HOUR)
    over = replace(ATTEMPT, phase=AttemptPhase.ABORTED, ended_at=START, open=False)
    assert kinds(ledger, over) == []


def test_an_attempt_that_this_engine_took_up_is_counted_when_it_ends_and_not_as_begun() -> None:
    ledger = Ledger(START + AN_HOUR)
    over = replace(ATTEMPT, phase=AttemptPhase.SUCCEEDED, ended_at=START + 2 * AN_HOUR, open=False)
    assert kinds(ledger, over) == ["AttemptEnded"]


def test_a_node_that_is_written_again_for_its_cache_has_ended_once() -> None:
    ledger = Ledger(START - AN_HOUR)
    pending = replace(ended(NODE), cache=CacheStatus.PENDING)
    assert kinds(ledger, NODE) == []
    assert kinds(ledger, pending) == ["CacheAnswered", "NodeEnded"]
    assert kinds(ledger, replace(pending, cache=CacheStatus.POPULATED)) == ["CacheAnswered"]
    assert not ledger.nodes


def test_a_node_whose_first_row_is_its_last_has_ended() -> None:
    assert kinds(Ledger(START - AN_HOUR), ended(NODE, NodePhase.SKIPPED)) == ["NodeEnded"]


def test_a_retry_is_charged_to_the_budget_that_pays() -> None:
    for change, charged in (
        ({"user_failures": 1}, FailureKind.USER),
        ({"system_failures": 1}, FailureKind.SYSTEM),
        ({"interruptions": 1}, FailureKind.INTERRUPTED),
    ):
        ledger = Ledger(START - AN_HOUR)
        assert kinds(ledger, NODE) == []
        failed = replace(NODE, phase=NodePhase.BACKOFF, attempt=1, **change)
        assert [one.charged for one in ledger.changes([failed]) if isinstance(one, Retried)] == [charged]
        assert kinds(ledger, replace(failed, phase=NodePhase.QUEUED)) == []


def test_the_last_failure_of_a_node_is_no_retry() -> None:
    ledger = Ledger(START - AN_HOUR)
    assert kinds(ledger, NODE) == []
    assert kinds(ledger, replace(ended(NODE, NodePhase.FAILED), user_failures=1)) == ["NodeEnded"]


class Listening(Stage):
    """A stage that keeps a ledger, and crashes with it."""

    def __init__(self, *args: object, **keywords: object) -> None:
        super().__init__(*args, **keywords)  # type: ignore[arg-type]
        self.ledger = Ledger(START - AN_HOUR)
        self.told: list[object] = []

    def _performed(self, decision):  # type: ignore[no-untyped-def]
        self.told += self.ledger.changes(decision.changes)
        return super()._performed(decision)

    def crash(self) -> None:
        self.ledger = Ledger(self.now)
        super().crash()

    def of(self, kind: type) -> Iterable[str]:
        return sorted(one.row.path for one in self.told if isinstance(one, kind))  # type: ignore[attr-defined]


def everything() -> Listening:
    nodes = [
        step("n0", retries=2),
        step("n1", "n0"),
        step("n2", "n0", "n1"),
        approve_node("n3", "go", "n2"),
        step("n4", "n3"),
    ]
    return Listening(made(nodes), backends={"n0": in_turn(fail(), fail(closed=False), adding)})


@pytest.mark.parametrize("crashes", [0, 1, 3])
def test_over_a_whole_run_each_end_is_told_once_crashes_or_not(crashes: int) -> None:
    stage = everything()
    stage.send(Begin())
    for nth in range(6 * crashes):
        if stage.queue:
            stage.next()
        if nth % 6 == 5:
            stage.crash()
    stage.go_on(until=60)
    paths = list(stage.of(NodeEnded))
    assert paths == ["n0", "n1", "n2"]
    attempts = [(one.row.path, one.row.number) for one in stage.told if isinstance(one, AttemptEnded)]
    assert len(attempts) == len(set(attempts))
    assert [number for path, number in attempts if path == "n0"] == [0, 1, 2]
    assert not stage.of(CacheAnswered)
    if not crashes:
        begun = [one.row.number for one in stage.told if isinstance(one, AttemptBegan) and one.row.path == "n0"]
        assert begun == [0, 1, 2]
        assert len(list(stage.of(Retried))) == 2
