"""The live tree, over executions that the machine plays."""

from __future__ import annotations

import time
from datetime import timedelta

from alula.cli.board import Board
from alula.cli.said import Frame
from alula.cli.tree import lines
from alula.engine.state import ROOT, NodePhase, NodeState, Settings, element
from tests.unit.cli.watched import Watched
from tests.unit.compiler.build import ref, task_node
from tests.unit.engine.build import approve_node, array_node, made, signal_node, sleep_node, step
from tests.unit.engine.stage import START, fail, hang, in_turn, silent, succeed, values


def test_nodes_that_ended_run_and_are_to_come_are_told_apart() -> None:
    stage = Watched(made([step("n0"), step("n1", "n0"), step("n2", "n1")]), backends={"n1": hang})
    stage.run(until=4)
    header, *tree = stage.tree()
    assert "workflow flow  calm-otter" in header
    assert "1/3" in header
    assert tree[0].strip() == "✓ n0  1.0 s"
    assert tree[1].strip().endswith("n1  3.0 s")
    assert tree[2].strip() == "· n2"


def test_the_end_of_an_execution_is_in_the_header() -> None:
    stage = Watched(made([step("n0")])).run()
    assert stage.tree()[0].startswith("✓ workflow flow  calm-otter")


def test_a_node_says_why_it_waits() -> None:
    stage = Watched(
        made([step("n0"), step("n1"), step("n2")]), settings=Settings(max_parallelism=2), backends={"n1": silent}
    )
    stage.default = hang
    stage.run(until=1)
    tree = stage.tree()
    assert any("n1  is about to start" in line for line in tree)
    assert any("n2  waits for a slot" in line for line in tree)
    stage.board.pace("n1").message = "4 GiB of memory are asked for, and 1 GiB is free"
    assert any("n1  waits: 4 GiB of memory" in line for line in stage.tree())


def test_a_retry_is_told_with_the_failure_before_it() -> None:
    stage = Watched(made([step("n0", retries=2)]), backends={"n0": in_turn(fail("USER:Boom"), hang)})
    stage.run(until=1.5)
    assert any("n0  is tried again in" in line and "USER:Boom in n0" in line for line in stage.tree())
    stage.go_on(until=20)
    assert any("attempt 2 of 3" in line for line in stage.tree())


def test_gates_say_which_command_opens_them() -> None:
    stage = Watched(
        made([step("n0"), approve_node("g", "ship-it", "n0"), signal_node("s", "how-many"), sleep_node("z", 90)])
    )
    stage.run(until=30)
    text = "\n".join(stage.tree())
    assert "? g  waits for you: alula approve calm-otter ship-it" in text
    assert "? s  waits for you: alula signal calm-otter how-many VALUE (int)" in text
    assert "z  sleeps for another 1m00s" in text


def test_progress_is_a_bar() -> None:
    stage = Watched(made([step("n0")]), default=hang)
    stage.run(until=2)
    pace = stage.board.pace("n0")
    pace.done, pace.message = 0.5, "epoch 3"
    [line] = stage.tree()[1:]
    assert "━" * 16 in line
    assert "50%  epoch 3" in line


def test_output_of_what_runs_is_at_the_bottom() -> None:
    stage = Watched(made([step("n0")]), default=hang)
    stage.run(until=2)
    tails = {"n0": [f"line {n}\x1b[31m\t." for n in range(9)]}
    assert stage.tree(tails=tails)[-1] == "  n0 │ line 8    ."
    assert len(stage.tree(tails=tails)) == 2 + 5


def test_a_failed_node_shows_its_reason_and_what_did_not_run() -> None:
    stage = Watched(made([step("n0"), step("n1", "n0")]), backends={"n0": fail(recoverable=False)})
    stage.run()
    text = "\n".join(stage.tree())
    assert "✗ n0  USER:Boom in n0" in text
    assert "· n1  did not run" in text


def wide(count: int) -> Watched:
    return Watched(made([step(f"n{i}") for i in range(count)]), settings=Settings(max_parallelism=3), default=hang)


def test_many_nodes_are_folded_into_the_window() -> None:
    stage = wide(200)
    stage.backends = {f"n{i}": fail(recoverable=False) if i == 7 else succeed(values(o0=1)) for i in range(20)}
    stage.run(until=1.5)
    tree = stage.tree(height=12)
    assert len(tree) <= 12
    assert tree[-1].strip().startswith("… 3 done")


def test_no_line_is_wider_than_the_window() -> None:
    stage = Watched(made([step("n0")]), default=hang)
    stage.run(until=2)
    stage.board.pace("n0").message = "日本語" * 50
    for width in (20, 21, 40, 79):
        assert all(sum(2 if ord(c) > 0x2FFF else 1 for c in line) <= width for line in stage.tree(width=width))


def test_fifty_thousand_elements_cost_no_more_lines_and_little_time() -> None:
    closure = made([task_node("n1", "split", n=ref("", "a")), array_node("m", "one", x=ref("n1", "o0"))])
    board = Board("calm-otter", "workflow flow", closure)
    board.take([NodeState(ROOT, NodePhase.RUNNING, START), NodeState("m", NodePhase.RUNNING, START, size=50_000)])
    rows = [NodeState(element("m", n), NodePhase.RUNNING, START) for n in range(50_000)]
    board.take(rows)
    ended = START + timedelta(seconds=1)
    board.take(
        [
            NodeState(
                element("m", n), NodePhase.FAILED if n % 1000 == 0 else NodePhase.SUCCEEDED, START, ended_at=ended
            )
            for n in range(40_000)
        ]
    )
    began = time.perf_counter()
    for beat in range(100):
        shown = lines(board, Frame(ended, beat), width=100, height=30)
    assert time.perf_counter() - began < 1
    text = "\n".join(shown)
    assert "40,000/50,000" in text
    assert "✗ 40" in text
    assert "10,000 under way" in text
    assert len(shown) <= 30


def test_a_row_that_comes_twice_is_counted_once() -> None:
    stage = Watched(made([step("n0"), step("n1")])).run()
    for row in [*stage.board.rows.values()]:
        stage.board.take([row])
    assert stage.board.scopes[ROOT].good == 2
    assert stage.board.counts.good == 2
