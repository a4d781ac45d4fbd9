"""The lines that tell of an execution where there is no terminal."""

from __future__ import annotations

from datetime import timedelta

import click

from alula.cli.lines import Lines
from alula.engine.state import NodePhase, NodeState
from alula.idl import literals
from tests.unit.cli.watched import Watched
from tests.unit.compiler.build import ref, task_node
from tests.unit.engine.build import approve_node, array_node, made, step
from tests.unit.engine.stage import START, fail, hang, in_turn, succeed, values


def test_each_node_is_told_once_when_it_ends() -> None:
    stage = Watched(made([step("n0"), step("n1", "n0")])).run()
    assert stage.said == ["✓ n0  1.0 s", "✓ n1  1.0 s"]


def test_a_retry_and_a_failure_are_told_with_their_reason() -> None:
    stage = Watched(made([step("n0", retries=1)]), backends={"n0": fail("USER:Boom")}).run()
    assert stage.said == [
        "↻ n0  attempt 1 of 2 failed: USER:Boom in n0",
        "✗ n0  2 attempts failed, the last one with: USER:Boom in n0",
    ]


def test_a_gate_is_told_when_it_begins_to_wait() -> None:
    stage = Watched(made([step("n0"), approve_node("g", "ship-it", "n0")])).run(until=5)
    assert stage.said[-1] == "? g  waits for you: alula approve calm-otter ship-it"


def test_elements_of_an_array_are_told_only_when_they_fail() -> None:
    numbers = literals.collection([literals.integer(n) for n in range(4)])
    closure = made([task_node("n1", "split", n=ref("", "a")), array_node("m", "one", x=ref("n1", "o0"), ratio=0.5)])
    backends = {"n1": succeed(values(o0=numbers)), "m[2]": fail(recoverable=False), "m": succeed(values(o0=1))}
    stage = Watched(closure, backends=backends).run()
    assert stage.said == ["✓ n1  1.0 s", "✗ m[2]  USER:Boom in m[2]", "✓ m  1.0 s"]


def test_what_takes_long_is_announced_once_for_each_attempt() -> None:
    stage = Watched(made([step("n0", retries=1)]), backends={"n0": in_turn(fail(after=5), hang)})
    told = []
    for second in range(1, 20):
        stage.run(until=second) if second == 1 else stage.go_on(until=second)
        told += [(second, click.unstyle(line)) for line in stage.plain.slow(stage.now)]
    assert [line for _, line in told] == ["… n0  is running"] * 2
    assert told[0][0] == 2


def test_what_waits_for_long_is_announced_once_with_what_it_waits_for() -> None:
    stage = Watched(made([step("n0")]))
    stage.board.take([NodeState("n0", NodePhase.QUEUED, since=START)])
    stage.board.pace("n0").message = "plugin acme is disabled: no way to the service"
    told = [line for second in range(12) for line in stage.plain.slow(START + timedelta(seconds=second))]
    assert [click.unstyle(line) for line in told] == ["… n0  waits: plugin acme is disabled: no way to the service"]


def test_the_only_node_is_not_told_beside_the_execution() -> None:
    stage = Watched(made([step("n0")]))
    stage.plain = Lines(stage.board, solo=True, slow=timedelta(seconds=1))
    assert stage.run().said == []
    assert stage.now > START
