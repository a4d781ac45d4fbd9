"""Whatever protobuf takes is shown as JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import RequestError
from alula.idl import ResourceType, Struct, literals
from alula.idl.service import LaunchPlanSpec, TaskCreateRequest, TaskSpec, WorkflowExecutionGetDataResponse
from alula.services.registry import Registry
from alula.services.tasks import Tasks
from alula.services.transcoding import shown
from tests.unit.admin import office
from tests.unit.services.control import CALL, plan_id

LONG, SHORT = st.integers(min_value=-(2**63), max_value=2**63 - 1), st.integers(min_value=-(2**31), max_value=2**31 - 1)


@given(LONG, SHORT, LONG, SHORT, st.floats())
def test_values_beyond_json_are_shown_as_the_nearest_that_it_has(
    seconds: int, nanos: int, length: int, rest: int, number: float
) -> None:
    made = WorkflowExecutionGetDataResponse()
    at = made.full_outputs.literals["at"].scalar.primitive.datetime
    at.seconds, at.nanos = seconds, nanos
    took = made.full_outputs.literals["all"].collection.literals.add().scalar.primitive.duration
    took.seconds, took.nanos = length, rest
    struct = made.full_outputs.literals["more"].scalar.generic
    struct.fields["number"].number_value = number
    struct.fields["nothing"].SetInParent()
    struct.fields["list"].list_value.values.add().struct_value.fields["deep"].number_value = number
    before = made.SerializeToString(deterministic=True)
    assert json.dumps(shown(made), allow_nan=False)
    assert made.SerializeToString(deterministic=True) == before


@given(st.text(alphabet="abc./", max_size=9), st.binary(max_size=9))
def test_bytes_of_what_nobody_knows_are_shown_all_the_same(url: str, data: bytes) -> None:
    for kind in (url, "type.googleapis.com/google.protobuf.Duration", "x/flyteidl.core.Literal"):
        made = LaunchPlanSpec()
        made.entity_metadata.launch_conditions.type_url = kind
        made.entity_metadata.launch_conditions.value = data
        assert json.dumps(shown(made), allow_nan=False)


async def test_times_that_are_none_are_not_registered() -> None:
    spec = TaskSpec()
    spec.template.type = "python-task"
    spec.template.metadata.timeout.seconds = 2**62
    spec.template.container.env.add(key="", value="x")
    request = TaskCreateRequest(id=plan_id("t", ResourceType.TASK), spec=spec)
    with pytest.raises(RequestError, match=r"t\.template\.metadata\.timeout: is no duration") as caught:
        await Tasks(Registry(office.desk())).CreateTask(request, CALL)
    assert "t.template.container.env: '' is no name of a variable" in str(caught.value)


def test_what_json_can_say_is_not_changed() -> None:
    made = WorkflowExecutionGetDataResponse()
    made.full_outputs.literals["x"].CopyFrom(literals.integer(3))
    struct = Struct()
    struct.update({"a": [1, None, "b"]})
    made.full_outputs.literals["y"].scalar.generic.CopyFrom(struct)
    made.full_outputs.literals["at"].scalar.primitive.datetime.seconds = 2**62
    found = shown(made)["fullOutputs"]["literals"]
    assert found["x"]["scalar"]["primitive"] == {"integer": "3"}
    assert found["y"]["scalar"]["generic"] == {"a": [1, None, "b"]}
    assert found["at"]["scalar"]["primitive"]["datetime"] == "9999-12-31T23:59:59Z"
