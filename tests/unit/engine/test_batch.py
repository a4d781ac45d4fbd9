"""Several decisions as one commit."""

from __future__ import annotations

from datetime import UTC, datetime

from alula._kits.records import replace
from alula.engine.batch import Batch, ending, error_text
from alula.engine.codec import read_node, read_values
from alula.engine.execution import Execution
from alula.engine.state import ROOT, AttemptPhase, AttemptState, Failure, NodePhase, NodeState, SignalState, Values
from alula.engine.turn import Decision
from tests.unit.engine.build import made, step
from tests.unit.engine.stage import values

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROW = NodeState("n0", NodePhase.READY, NOW)


def batch_of(*decisions: Decision) -> Batch:
    batch = Batch(Execution("ex", made([step("n0")])))
    for decision in decisions:
        batch.add(decision)
    return batch


def test_of_several_versions_of_a_row_the_last_one_is_written() -> None:
    later = replace(ROW, phase=NodePhase.QUEUED)
    attempt = AttemptState("n0", 0, AttemptPhase.QUEUED, NOW)
    batch = batch_of(Decision((ROW,), ()), Decision((later, attempt, SignalState("s", b"x")), ()))
    changes = batch.changes("running", (), closed=False)
    assert [read_node(one) for one in changes.nodes] == [later]
    assert [(one.path, one.number) for one in changes.attempts] == [("n0", 0)]
    assert [one.signal_id for one in changes.signals] == ["s"]
    assert (changes.execution, changes.tell_parent, changes.closed) == (None, False, False)


def test_the_execution_is_written_when_its_phase_has_changed_and_its_parent_told_at_the_end() -> None:
    batch = batch_of()
    root = NodeState(ROOT, NodePhase.SUCCEEDED, NOW, outputs=values(o0=3), ended_at=NOW)
    batch.x.put(root)
    changes = batch.changes("running", (), closed=True)
    assert changes.execution is not None
    assert (changes.execution.phase, changes.tell_parent) == ("succeeded", True)
    assert read_values(changes.execution.outputs) == values(o0=3)
    assert not batch.changes("succeeded", (), closed=True).tell_parent


def test_commands_that_are_carried_out_are_named() -> None:
    batch = batch_of()
    batch.add(Decision((), ()), 7)
    batch.add(Decision((), ()))
    assert batch.changes("running", (), closed=False).commands_done == (7,)


def test_an_error_says_code_node_and_message_and_is_cut() -> None:
    failure = Failure("Boom", "it broke", path="n1", secondary=Failure("Bang", "it too"))
    assert error_text(failure) == "Boom (node n1): it broke\nthe failure node failed as well: Bang: it too"
    assert len(error_text(Failure("Boom", "x" * 10_000))) == 4_000
    root = NodeState(ROOT, NodePhase.FAILED, NOW, failure=failure, ended_at=NOW)
    assert ending(root).error.startswith("Boom")
    assert ending(replace(root, failure=None, outputs=Values())).outputs
