"""Generated workflows under chaos: answers lost, doubled, late and out of order, the engine crashed, clean-ups stuck.

After every decision the stage checks the invariants and compares the indexes with those that a restart would build.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from alula.engine.events import (
    AttemptFailed,
    AttemptProgressed,
    AttemptStarted,
    AttemptSucceeded,
    Begin,
    CloseAttempt,
    Command,
    Continue,
    Event,
    SignalSet,
    StartAttempt,
    TimerFired,
)
from alula.engine.execution import Reference
from alula.engine.state import AttemptState, Failure, FailureKind, NodePhase, Settings, Values
from alula.idl import CompiledWorkflowClosure, Node, WorkflowTemplate, literals
from tests.unit.compiler.build import branch_node, compare, const, ref, sub_node, task_node, workflow
from tests.unit.engine.build import array_node, made, signal_node, sleep_node, step, tuned
from tests.unit.engine.stage import Stage, values
from tests.unit.engine.test_nodes import mapped, spec
from tests.unit.idl.build import INT

ITEMS = mapped(4)[0].inputs[0].binding
INSIDE = spec([task_node("d0", "add", x=const(3), y=const(4)), step("d1", "d0"), step("d2", "d0")])


def _node(draw: st.DrawFn, id: str, before: list[str], depth: int) -> Node:
    """A node of any kind that gives an integer `o0`, or an array that gives a list."""
    kind = draw(
        st.sampled_from(["step", "step", "step", "flaky", "branch", "sub", "cached", "single", "signal", "timed"])
    )
    chosen = draw(st.lists(st.sampled_from(before), max_size=3, unique=True)) if before else []
    source = ref(chosen[0], "o0") if chosen else ref("", "a")
    match kind:
        case "flaky":
            return step(id, *chosen, retries=2)
        case "timed":
            return tuned(step(id, *chosen, retries=1), timeout=20, total=200)
        case "branch":
            arms = [(compare(".a", "EQ", 1), step("t", *chosen)), (compare(".a", "EQ", 2), step("u"))]
            return branch_node(id, {".a": source}, arms, step("e", *chosen))
        case "sub" if depth:
            return sub_node(id, f"inner{depth}", a=source)
        case "cached" | "single":
            return task_node(id, "slow" if kind == "cached" else "single", after=chosen, x=source)
        case "signal":
            node = signal_node(id, f"{id}?")
            node.upstream_node_ids.extend(chosen)
            return node
    return step(id, *chosen)


def _nodes(draw: st.DrawFn, depth: int) -> list[Node]:
    nodes: list[Node] = []
    for nth in range(draw(st.integers(1, 6))):
        nodes.append(_node(draw, f"n{nth}", [node.id for node in nodes], depth))
    ids = [node.id for node in nodes]
    if draw(st.booleans()):
        parallelism = draw(st.sampled_from([None, 0, 1, 2]))
        need = draw(st.sampled_from([None, 2]))
        after = array_node("m0", "one", parallelism=parallelism, needed=need, retries=1, x=ITEMS)
        after.upstream_node_ids.append(draw(st.sampled_from(ids)))
        nodes.append(after)
    if draw(st.booleans()):
        nodes.append(sleep_node("s0", 7, [draw(st.sampled_from(ids))]))
    return nodes


@st.composite
def closures(draw: st.DrawFn) -> CompiledWorkflowClosure:
    subs: list[WorkflowTemplate] = []
    for depth in (1, 2):
        nodes = _nodes(draw, depth - 1)
        handler = task_node("fn0", "clean_up", a=ref("", "a")) if draw(st.booleans()) else None
        subs.append(workflow(nodes, {"o0": (INT, ref(nodes[0].id, "o0"))}, name=f"inner{depth}", on_failure=handler))
    nodes = _nodes(draw, 2)
    handler = task_node("fn0", "clean_up", a=ref("", "a")) if draw(st.booleans()) else None
    outputs = {"o0": (INT, ref(nodes[-1].id if nodes[-1].id[0] == "n" else "n0", "o0"))}
    return made(nodes, *subs, outputs=outputs, on_failure=handler, patient=draw(st.booleans()))


class Chaos(Stage):
    """A stage on which things go wrong, as a seed says. They go wrong a number of times, so that all ends."""

    def __init__(
        self,
        closure: CompiledWorkflowClosure,
        seed: int,
        *,
        troubles: int,
        failing: float,
        reference: Reference | None = None,
    ) -> None:
        self.random = random.Random(seed)
        self.seed, self.failing, self.troubles = seed, failing, troubles
        limit = random.Random(seed).choice([0, 1, 2, 3])
        settings = Settings(max_parallelism=limit, user_backoff=timedelta(seconds=3), grace=timedelta(seconds=5))
        super().__init__(closure, settings=settings, default=self.outcome, reference=reference)
        self.budget = random.Random(seed).choice([1, 4, 512])

    def outcome(self, start: StartAttempt) -> Iterable[tuple[float, Event]]:
        """What an attempt does: the same whenever it is asked."""
        dice = random.Random(f"{self.seed} {start.path} {start.attempt}")
        path, number = start.path, start.attempt
        closed = dice.random() < 0.5
        expands = path.endswith("n1") and random.Random(f"{self.seed} {path}").random() < 0.3
        yield 0, AttemptStarted(path, number)
        takes = 1 + dice.random() * 3
        if dice.random() < self.failing:
            kind = dice.choice(list(FailureKind))
            failure = Failure("Dice", "bad luck", kind, recoverable=dice.random() < 0.8)
            yield takes, AttemptFailed(path, number, failure, dice.random(), closed=closed)
            return
        yield takes / 2, AttemptProgressed(path, number)
        total = sum(lit.scalar.primitive.integer for lit in start.inputs.literals().values()) % 1_000_003
        outputs = values(o0=total) if start.node.interface.outputs.variables else Values()
        yield takes, AttemptSucceeded(path, number, outputs, INSIDE if expands else b"", closed)

    def trouble(self, chance: float) -> bool:
        if not self.troubles or self.random.random() > chance:
            return False
        self.troubles -= 1
        return True

    def send(self, event: Event, after: float = 0) -> None:
        if isinstance(event, TimerFired | Begin | Continue):
            super().send(event, after)
            return
        if self.trouble(0.1):
            return  # lost
        late = self.random.random() * 9 if self.trouble(0.2) else 0
        super().send(event, after + late)
        if self.trouble(0.2):
            super().send(event, after + self.random.random() * 20)

    def perform(self, command: Command) -> None:
        if isinstance(command, CloseAttempt) and self.trouble(0.1):
            self.unclosable.add(command.path)
        super().perform(command)

    def play(self, abort_after: int) -> None:
        """To the very end, through crashes; maybe with an abort after so many events."""
        self.send(Begin())
        for nth in range(20_000):
            if nth == abort_after:
                self.abort()
            if self.queue:
                self.next()
                if self.trouble(0.03):
                    self.crash()
            elif self.ended:
                return
            else:
                self.unstick()
        raise AssertionError(f"it does not end: {self.phase} {self.phases()}")

    @property
    def ended(self) -> bool:
        still_open = any(isinstance(row, AttemptState) and row.open for row in self.rows.values())
        return self.phase is not None and self.phase.terminal and not still_open

    def unstick(self) -> None:
        """Nothing happens any more: answer the gates, heal what cannot be closed, and start the engine again."""
        self.unclosable.clear()
        self.crash()
        for signal in list(self.x.gates):
            super().send(SignalSet(signal, literals.integer(5).SerializeToString()))


SLOW_BOX = [HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.mark.parametrize("failing", [0.0, 0.1, 0.4])
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW_BOX)
@given(closure=closures(), seed=st.integers(0, 2**32), abort_after=st.one_of(st.just(-1), st.integers(0, 60)))
def test_all_ends_and_nothing_is_left(
    closure: CompiledWorkflowClosure, seed: int, failing: float, abort_after: int
) -> None:
    stage = Chaos(closure, seed, troubles=40, failing=failing)
    stage.play(abort_after)
    stage.check_end()
    limit = stage.settings.max_parallelism
    assert not limit or stage.most <= limit
    calm = Chaos(closure, seed, troubles=0, failing=failing)
    calm.play(-1)
    calm.check_end()
    note(f"{stage.phase} {stage.root.failure}")
    if stage.phase is calm.phase is NodePhase.SUCCEEDED:
        assert stage.root.outputs == calm.root.outputs
    in_time = stage.root.failure is None or "Timeout" not in stage.root.failure.code
    if not failing and abort_after < 0 and in_time:
        assert stage.phase is calm.phase is NodePhase.SUCCEEDED
    if stage.phase is NodePhase.ABORTED:
        assert abort_after >= 0


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW_BOX)
@given(closure=closures(), seed=st.integers(0, 2**32))
def test_what_a_recovery_runs_again_is_what_did_not_succeed(closure: CompiledWorkflowClosure, seed: int) -> None:
    first = Chaos(closure, seed, troubles=10, failing=0.4)
    first.play(-1)
    second = Chaos(closure, seed, troubles=10, failing=0.0, reference=first.as_reference())
    second.play(-1)
    second.check_end()
    good = {path for path, row in first.x.nodes.items() if row.phase.good and not path.endswith("fn0")}
    assert not good & set(second.started())
    if second.root.failure is not None:
        assert "Timeout" in second.root.failure.code


@settings(max_examples=20, deadline=None, suppress_health_check=SLOW_BOX)
@given(closure=closures(), seed=st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_commands(closure: CompiledWorkflowClosure, seed: int) -> None:
    played = [Chaos(closure, seed, troubles=20, failing=0.2) for _ in range(2)]
    for stage in played:
        stage.play(-1)
    texts = [[f"{type(c).__name__} {getattr(c, 'path', '')}" for c in stage.commands] for stage in played]
    assert texts[0] == texts[1]
    assert list(played[0].rows.values()) == list(played[1].rows.values())
