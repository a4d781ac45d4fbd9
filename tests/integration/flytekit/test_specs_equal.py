"""Alula compiles the reference workflows to the specs that flytekit compiles them to, once ids are normalised."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from normalise import normalise

from alula._kits import bridge
from alula.sdk.dispatch import dispatch
from alula.sdk.image import ImageConfig
from alula.sdk.local import current_run
from alula.sdk.serialize import SerializationSettings, serialize
from alula.types import maps

GOLDEN = Path(__file__).parent / "golden"
MODULES = ("reference_workflows", "extra_workflows", "settings_workflows", "corner_workflows", "container_tasks")
THE_TWELVE = (
    "linear branches sub_workflow mapped gates with_dynamic imperative failing overrides attributes plan_node"
    " with_reference"
).split()
SETTINGS = SerializationSettings(
    project="proj",
    domain="dev",
    version="v1",
    image_config=ImageConfig.auto("example.org/default:1"),
    env={"STAGE": "test"},
)


def entities(kind: str) -> dict[str, Any]:
    """Of all three modules: `ENTITIES`, or `DYNAMIC`."""
    return {name: one for module in MODULES for name, one in getattr(importlib.import_module(module), kind).items()}


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def compiled(entity: Any) -> dict[str, dict[str, Any]]:
    made = serialize(entity, SETTINGS)
    return {"tasks": plain(made.tasks), "workflows": plain(made.workflows), "launch_plans": plain(made.launch_plans)}


def plain(messages: Mapping[str, Message]) -> dict[str, Any]:
    return {name: MessageToDict(one, preserving_proto_field_name=True) for name, one in messages.items()}


ENTITIES = entities("ENTITIES")
DYNAMIC = entities("DYNAMIC")


def test_the_twelve_reference_workflows_are_among_them() -> None:
    assert set(THE_TWELVE) <= set(ENTITIES)
    assert "unroll" in DYNAMIC


@pytest.mark.parametrize("name", ENTITIES)
def test_workflows_and_launch_plans_are_flytekits(name: str) -> None:
    expected, made = golden(name), compiled(ENTITIES[name])
    for kind in ("workflows", "launch_plans"):
        assert normalise(made[kind]) == normalise(expected[kind])


@pytest.mark.parametrize("name", ENTITIES)
def test_tasks_are_flytekits(name: str) -> None:
    expected = {task: golden(f"tasks/{task}") for task in golden(name)["tasks"]}
    assert normalise(compiled(ENTITIES[name])["tasks"]) == normalise(expected)


@pytest.mark.parametrize("name", DYNAMIC)
def test_what_a_dynamic_task_writes_at_run_time_is_flytekits(name: str) -> None:
    task, inputs = DYNAMIC[name]
    expected = golden(name)
    made = unrolled(task, inputs)
    assert type(made).__name__ == expected["kind"]
    assert normalise(MessageToDict(made, preserving_proto_field_name=True)) == normalise(expected["result"])


def unrolled(task: Any, inputs: dict[str, Any]) -> Message:
    """The message that the container entry point writes for a dynamic task: `futures.pb`, or `outputs.pb`."""
    run = current_run()
    converters = {name: one.converter for name, one in task.interface.inputs.items()}
    literals = bridge.run(maps.to_literals(inputs, converters, run.place))
    return dispatch(task, literals, run, SETTINGS)
