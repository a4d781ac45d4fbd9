"""Executions by the real flytekit, its client and its command line, against `alula serve` with warm workers."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.services.client import in_flytekit
from tests.integration.services.flows import program
from tests.servers.control_plane import ControlPlane

PROJECT = "runs"
HELPERS = """
from datetime import timedelta

SOON = timedelta(milliseconds=50)
client = remote()

def start(name, inputs, **more):
    return client.execute(client.fetch_workflow(name=f"flow.{name}", version="v1"), inputs=inputs, **more)

def ended(execution, **more):
    return client.wait(execution, timeout=timedelta(seconds=60), poll_interval=SOON, **more)

def tree(nodes):
    return {
        node.id.node_id: {
            "phase": node.closure.phase,
            "spec": node.metadata.spec_node_id,
            "attempts": [[one.id.retry_attempt, one.closure.phase] for one in attempts(node)],
            "cache": node.closure.task_node_metadata.cache_status if node.closure.task_node_metadata else None,
            "inputs": values(node._inputs),
            "outputs": values(node._outputs),
            "children": tree(node._underlying_node_executions or []),
            "launched": [one.outputs["o0"] for one in node.workflow_executions],
        }
        for node in nodes
    }

def values(found):
    try:
        return dict(found or {})
    except ValueError:  # of a branch flytekit knows no types
        return {name: one.scalar.primitive.integer for name, one in found.literals.items()}

def attempts(node):
    return [one for one in node._task_executions or [] if not isinstance(one, list)]
"""


class Registered:
    """The program, registered as version v1."""

    def __init__(self, server: ControlPlane, python: Path, place: Path) -> None:
        self.server, self.python, self.place = server, python, place
        (place / "flow.py").write_text(program(str(place)))
        self.config = server.flytekit_config(place)
        self.run("register", "--version", "v1", "flow.py")

    def run(self, command: str, *words: str, after: str = "", fails: bool = False) -> str:
        """What a command of pyflyte prints."""
        line = [str(self.python), "-m", "flytekit.clis.sdk_in_container.pyflyte", "--config", str(self.config)]
        line += [*command.split(), "-p", PROJECT, "-d", "development", *words]
        done = subprocess.run([*line, *after.split()], cwd=self.place, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def ask(self, asked: str) -> dict[str, Any]:
        place = self.place / "asked"
        place.mkdir(exist_ok=True)
        return in_flytekit(self.python, self.server, place, HELPERS + asked, project=PROJECT)


@pytest.fixture(scope="module")
def flows(control_plane: ControlPlane, flytekit_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    return Registered(control_plane, flytekit_python, tmp_path_factory.mktemp("flows"))


SUCCEEDED, FAILED, ABORTED, SKIPPED, RECOVERED = 3, 5, 6, 7, 10
"""Of nodes. Source: flyteidl/core/execution.proto:NodeExecution.Phase."""


def test_the_client_sees_every_kind_of_node(flows: Registered) -> None:
    said = flows.ask("""
first = ended(start("whole", {"x": 3, "xs": [1, 2]}), sync_nodes=True)
again = ended(start("whole", {"x": 3, "xs": [1, 2]}, execution_name="second"), sync_nodes=True)
running = start("gated", {"x": 1}, execution_name="kept-waiting")
early = client.client.get_execution_data(running.id)
client.terminate(running, "seen enough")
task = ended(client.execute(client.fetch_task(name="flow.double", version="v1"), inputs={"x": 21}))
plan = ended(client.execute(client.fetch_launch_plan(name="child_plan", version="v1"), inputs={}))
source = again.node_executions["n0"].closure.task_node_metadata.catalog_key.source_task_execution
answer(
    outputs=[first.outputs[f"o{n}"] for n in range(6)],
    inputs=dict(first.inputs),
    first=tree(first.node_executions.values()),
    again=tree(again.node_executions.values()),
    source=[source.node_execution_id.execution_id.name == first.id.name, source.node_execution_id.node_id],
    took=first.closure.duration.total_seconds(),
    early=[sorted(early.full_inputs.literals), sorted(early.full_outputs.literals)],
    task=task.outputs["o0"],
    plan=[plan.outputs["o0"], dict(plan.inputs)],
)
""")
    assert said["outputs"] == [4, 6, [0, 2, 4], 8, 16, 3]
    assert said["inputs"] == {"x": 3, "xs": [1, 2]}
    assert said["took"] > 0
    nodes: dict[str, dict[str, Any]] = said["first"]
    assert {node["phase"] for node in nodes.values()} == {SUCCEEDED}
    cached, mapped, made, inner, launched = (nodes[id] for id in ("n0", "n1", "n3", "n4", "n5"))
    assert (cached["attempts"], cached["cache"]) == ([[0, SUCCEEDED]], 3)
    assert (mapped["inputs"], mapped["outputs"]) == ({"x": [1, 2]}, {"o0": [2, 4]})
    assert mapped["attempts"] == [[0, SUCCEEDED]]
    assert sorted(made["children"]) == ["n3-0-dn0", "n3-0-dn1", "n3-0-dn2"]
    assert made["children"]["n3-0-dn2"]["spec"] == "dn2"
    branch = inner["children"]["n4-0-n0"]
    assert branch["inputs"] == {".x": 4}
    assert {one["spec"]: one["phase"] for one in branch["children"].values()} == {"n0-n0": SUCCEEDED, "n0-n1": SKIPPED}
    assert (launched["launched"], launched["outputs"]) == ([16], {"o0": 16})
    [unsteady] = [node for node in nodes.values() if len(node["attempts"]) == 2]
    assert [number for number, _ in unsteady["attempts"]] == [0, 1]
    again: dict[str, dict[str, Any]] = said["again"]
    assert (again["n0"]["attempts"], again["n0"]["cache"], again["n0"]["outputs"]) == ([], 2, {"o0": 4})
    assert said["source"] == [True, "n0"]
    assert said["early"] == [["x"], []]
    assert said["task"] == 42
    assert said["plan"] == [10, {"x": 5}]


def test_what_fails_is_told_recovered_and_run_again(flows: Registered) -> None:
    said = flows.ask("""
from flytekit.models.core.identifier import NodeExecutionIdentifier

failed = ended(start("fails", {"x": 3}, execution_name="bad"), sync_nodes=True)
handed = client.client.get_node_execution_data(NodeExecutionIdentifier("fn0", failed.id)).full_inputs
err = handed.literals["err"].scalar.union.value.scalar.error
Path("../open").touch()
recovered = ended(client.fetch_execution(name=client.client.recover_execution(failed.id, "good").name), sync_nodes=True)
relaunched = ended(client.fetch_execution(name=client.client.relaunch_execution(failed.id, "anew").name))
same = client.client.relaunch_execution(failed.id, "anew")
answer(
    failed=[failed.closure.phase, failed.error.code, failed.error.message, failed.error.kind],
    node=failed.node_executions["n1"].error.message,
    logs=[log.uri for one in attempts(failed.node_executions["n1"]) for log in one.closure.logs],
    err=[err.failed_node_id, err.message],
    recovered=[recovered.closure.phase, recovered.spec.metadata.mode, recovered.spec.metadata.reference_execution.name],
    nodes=tree(recovered.node_executions.values()),
    outputs=[recovered.outputs["o0"], relaunched.outputs["o0"]],
    relaunched=[relaunched.spec.metadata.mode, relaunched.spec.metadata.reference_execution.name, same.name],
)
""")
    phase, code, message, kind = said["failed"]
    assert (phase, kind) == (6, 1)
    assert code.startswith("USER:")
    assert "ValueError: no good 6" in message
    assert "no good 6" in str(said["node"])
    printed = [httpx.get(uri) for uri in said["logs"]]
    assert [one.headers["content-type"] for one in printed] == ["text/plain; charset=utf-8"]
    assert "no good 6" in printed[0].text
    assert said["err"][0] == "n1"
    assert "no good 6" in said["err"][1]
    assert said["recovered"] == [4, 5, "bad"]
    nodes: dict[str, dict[str, Any]] = said["nodes"]
    assert (nodes["n0"]["phase"], nodes["n1"]["phase"]) == (RECOVERED, SUCCEEDED)
    assert said["outputs"] == [6, 6]
    assert said["relaunched"] == [3, "bad", "anew"]


PEOPLE = """
import time
from flytekit.exceptions.user import FlyteInvalidInputException
from flytekit.models.filters import Contains, Equal, ValueIn

def asked(name):
    while len(found := client.list_signals(name)) < 2:
        time.sleep(0.05)
    return sorted(one.id.signal_id for one in found)

def names(*filters, **more):
    page, token = client.client.list_executions_paginated("runs", "development", filters=list(filters), **more)
    return [one.id.name for one in page], token

waiting = start("gated", {"x": 3}, execution_name="gate-a")
signals = asked("gate-a")
client.set_input("more", "gate-a", 4)
client.approve("go", "gate-a")
client.approve("go", "gate-a")
passed = ended(waiting)
refused = start("gated", {"x": 3}, execution_name="gate-b")
asked("gate-b")
client.reject("go", "gate-b")
refused = ended(refused, sync_nodes=False)
stopped = start("gated", {"x": 3}, execution_name="gate-c")
client.terminate(stopped, "no longer needed")
client.terminate(stopped, "no longer needed")
stopped = ended(stopped, sync_nodes=False)
same = start("gated", {"x": 3}, execution_name="gate-a")
other = start("gated", {"x": 4}, execution_name="gate-a")
from flytekit.models.literals import Literal, LiteralMap, Primitive, Scalar
from flytekit.models.execution import ExecutionMetadata, ExecutionSpec
def made(inputs):
    plan = client.fetch_launch_plan(name="flow.fails", version="v1")
    spec = ExecutionSpec(plan.id, ExecutionMetadata(0, "test", 0))
    return client.client.create_execution("runs", "development", "raw-1", spec, LiteralMap(inputs))
faults = []
one = Literal(scalar=Scalar(primitive=Primitive(integer=1)))
for inputs in ({}, {"x": one, "y": one}, {"x": Literal(scalar=Scalar(primitive=Primitive(string_value="a")))}):
    try:
        made(inputs)
    except FlyteInvalidInputException as exc:
        faults.append(str(exc.__cause__.details()))
page, token = names(Contains("name", ["gate-"]), limit=2)
rest, end = names(Contains("name", ["gate-"]), limit=2, token=token)
answer(
    signals=signals,
    passed=passed.outputs["o0"],
    refused=[refused.closure.phase, refused.error.message],
    stopped=[stopped.closure.phase, stopped.closure.abort_metadata.cause, stopped.error],
    same=[same.closure.phase, other.inputs is None or dict(other.inputs)],
    faults=faults,
    pages=[page, rest, end],
    failed=names(Equal("phase", "FAILED"), Equal("workflow.name", "flow.gated"))[0],
    both=names(ValueIn("phase", ["FAILED", "ABORTED"]), Contains("name", ["gate-"]))[0],
    recent=[one.id.name for one in client.recent_executions(limit=1)],
)
"""


def test_people_answer_gates_stop_executions_and_find_them_again(flows: Registered) -> None:
    said = flows.ask(PEOPLE)
    assert said["signals"] == ["go", "more"]
    assert said["passed"] == 10
    assert said["refused"][0] == 6
    assert said["stopped"] == [7, "no longer needed", None] or said["stopped"] == [8, "no longer needed", None]
    missing, unknown, unfit = said["faults"]
    assert "x" in missing
    assert "y" in unknown
    assert "expected int" in unfit
    assert said["pages"] == [["gate-c", "gate-b"], ["gate-a"], ""]
    assert said["failed"] == ["gate-b"]
    assert said["both"] == ["gate-c", "gate-b"]


def test_the_command_line_runs_fetches_recovers_and_fills_in(flows: Registered) -> None:
    waited = flows.run(
        "run --remote", "--wait", "--poll-interval", "1", "--name", "by-hand", "flow.py", "inner", "--x", "4"
    )
    assert "Execution by-hand has succeeded" in waited
    url = f"flyte://v1/{PROJECT}/development/by-hand"
    fetched = subprocess.run(
        [
            str(flows.python),
            "-m",
            "flytekit.clis.sdk_in_container.pyflyte",
            "--config",
            str(flows.config),
            "fetch",
            f"{url}/n0/o",
        ],
        cwd=flows.place,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "{'o0': 8}" in fetched.stdout
    refused = flows.run("execution", "--execution-id", "by-hand", "recover", fails=True)
    assert "there is nothing to recover" in refused
    made = flows.run("backfill", "--from-date", "2030-01-01", "--to-date", "2030-01-04", "daily_plan", "v1")
    assert "Execution launched" in made


def test_files_and_frames_go_there_and_back_and_children_run_for_every_item(flows: Registered) -> None:
    said = flows.ask("""
import sys
sys.path.insert(0, "..")
import pandas as pd
import flow
from flytekit.types.file import FlyteFile

Path("in.txt").write_text("hello")
types = {"file": FlyteFile, "df": pd.DataFrame, "by": flow.Point}
inputs = {"file": FlyteFile("in.txt"), "df": pd.DataFrame({"x": [1, 2]}), "by": flow.Point(3)}
data = ended(start("data", inputs, type_hints=types))
children = ended(start("children", {"xs": [1, 2, 3]}), sync_nodes=True)
answer(
    file=Path(data.outputs.get("o0", FlyteFile).download()).read_text(),
    frame=data.outputs.get("o1", pd.DataFrame).to_dict("list"),
    children=children.outputs["o0"],
    nodes=tree(children.node_executions.values()),
)
""")
    assert said["file"] == "5"
    assert said["frame"] == {"x": [1, 2], "y": [3, 6]}
    assert said["children"] == [2, 4, 6]
    assert [(one["phase"], one["attempts"]) for one in said["nodes"].values()] == [(SUCCEEDED, [])]
