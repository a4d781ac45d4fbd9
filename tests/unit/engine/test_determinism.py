"""The same events give the same decisions in every process, whatever the seed of its hashes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.unit.compiler.build import const, ref, sub_node, task_node, workflow
from tests.unit.engine.build import array_node, made, step
from tests.unit.engine.stage import Stage, fail
from tests.unit.engine.test_nodes import expanding, mapped, spec
from tests.unit.idl.build import INT

ROOT = Path(__file__).parents[3]


def story() -> str:
    """A digest of all rows and commands of a workflow with wide joins, an array, a dynamic task and a failure."""
    inner = workflow([step("n0"), step("n1", "n0"), step("n2")], {"o0": (INT, ref("n1", "o0"))}, name="inner")
    inside = spec([*(task_node(f"d{i}", "add", x=const(i), y=const(4)) for i in range(5)), step("e", "d0", "d3")])
    wide = [step(f"w{i}") for i in range(12)]
    nodes = [
        *wide,
        step("join", *(node.id for node in wide)),
        sub_node("sub", "inner", a=ref("w3", "o0")),
        array_node("each", "one", retries=1, x=mapped(5)[0].inputs[0].binding),
        step("dyn", "w1", "w2"),
        step("bad", "join", "sub"),
    ]
    handler = task_node("fn0", "clean_up", a=ref("", "a"))
    closure = made(nodes, inner, on_failure=handler, patient=True)
    stage = Stage(closure, backends={"bad": fail(), "each[2]": fail(), "dyn": expanding(inside)}).run(until=2.5)
    stage.crash()
    stage.go_on()
    told = [*stage.rows.values(), *((type(c).__name__, repr(getattr(c, "path", c))) for c in stage.commands)]
    return hashlib.sha256("\n".join(map(repr, told)).encode()).hexdigest()


def test_another_hash_seed_gives_the_same_rows_and_commands() -> None:
    told = []
    for seed in ("1", "2", "77"):
        code = "from tests.unit.engine.test_determinism import story; print(story())"
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        told.append(done.stdout)
    assert len(set(told)) == 1
    assert len(told[0]) > 60
