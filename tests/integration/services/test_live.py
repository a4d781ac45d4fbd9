"""What happens in executions, as a client of HTTP hears of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import grpc
import httpx

from alula.idl import Identifier, ResourceType
from alula.idl.service import (
    ADMIN,
    ExecutionCreateRequest,
    ExecutionCreateResponse,
    LaunchPlanCreateRequest,
    LaunchPlanCreateResponse,
    WorkflowCreateRequest,
    WorkflowCreateResponse,
)
from tests.servers.control_plane import ControlPlane

PLACE = {"project": "live", "domain": "development"}


def asked(server: ControlPlane, name: str, request: Any, answers: Any) -> Any:
    with grpc.insecure_channel(server.grpc) as channel:
        return channel.unary_unary(
            f"/{ADMIN}/{name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answers.FromString,
        )(request)


def started(server: ControlPlane) -> None:
    """An execution of a workflow that waits for a signal."""
    flow = Identifier(resource_type=ResourceType.WORKFLOW, name="waits", version="v1", **PLACE)
    plan = Identifier(resource_type=ResourceType.LAUNCH_PLAN, name="waits", version="v1", **PLACE)
    create = WorkflowCreateRequest(id=flow)
    create.spec.template.id.CopyFrom(flow)
    create.spec.template.interface.SetInParent()
    node = create.spec.template.nodes.add(id="n0")
    node.gate_node.approve.signal_id = "go"
    node.inputs.add(var="o0").binding.scalar.primitive.boolean = True
    asked(server, "CreateWorkflow", create, WorkflowCreateResponse)
    launch = LaunchPlanCreateRequest(id=plan)
    launch.spec.workflow_id.CopyFrom(flow)
    asked(server, "CreateLaunchPlan", launch, LaunchPlanCreateResponse)
    run = ExecutionCreateRequest(name="one", **PLACE)
    run.spec.launch_plan.CopyFrom(plan)
    asked(server, "CreateExecution", run, ExecutionCreateResponse)


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    what = ""
    for line in lines:
        if line.startswith("event: "):
            what = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield what, json.loads(line.removeprefix("data: "))


def test_the_change_of_a_node_is_heard_of_as_it_happens(control_plane: ControlPlane) -> None:
    started(control_plane)
    url = f"{control_plane.http}/api/v1/live/executions/live/development/one"
    seen = []
    with httpx.stream("GET", url, timeout=30) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for what, data in events(answer.iter_lines()):
            seen.append((what, data.get("closure", {}).get("phase", "")))
            if seen[-1] == ("node", "RUNNING"):
                signal = {"id": {"signalId": "go", "executionId": {**PLACE, "name": "one"}}, "value": _yes()}
                done = httpx.post(f"{control_plane.http}/api/v1/signals", json=signal)
                assert done.status_code == 200, done.text
            if what == "end":
                break
    assert ("node", "SUCCEEDED") in seen
    assert seen[-2:] == [("execution", "SUCCEEDED"), ("end", "")]


def test_what_is_not_there_cannot_be_followed(control_plane: ControlPlane) -> None:
    missing = httpx.get(f"{control_plane.http}/api/v1/live/executions/live/development/none")
    assert (missing.status_code, missing.json()["code"]) == (404, 5)


def _yes() -> dict[str, Any]:
    return {"scalar": {"primitive": {"boolean": True}}}
