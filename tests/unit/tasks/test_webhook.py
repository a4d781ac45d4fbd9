"""Webhooks as they are declared and written on the wire."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf.json_format import MessageToDict

from alula import kwtypes
from alula.errors import SignatureError, TaskFailure
from alula.sdk.serialize import serialize
from alula.tasks.webhook import WebhookTask


def test_it_is_on_the_wire_what_flytekit_writes() -> None:
    task = WebhookTask(
        name="hook",
        url="http://localhost/items/{inputs.n}",
        method="GET",
        headers={"A": "b"},
        data={"q": "{inputs.s}"},
        dynamic_inputs={"s": str, "n": int},
        show_data=True,
        show_url=True,
        description="Calls it",
        request_timeout=timedelta(seconds=7),
    )
    [spec] = serialize(task).tasks.values()
    assert spec.template.type == "webhook"
    assert MessageToDict(spec.template.custom) == {
        "url": "http://localhost/items/{inputs.n}",
        "method": "GET",
        "headers": {"A": "b"},
        "data": {"q": "{inputs.s}"},
        "show_data": True,
        "show_url": True,
        "timeout_sec": 7.0,
    }
    assert sorted(spec.template.interface.inputs.variables) == ["n", "s"]
    assert list(spec.template.interface.outputs.variables) == ["info"]


def test_everything_that_is_wrong_with_it_is_said_at_once() -> None:
    with pytest.raises(SignatureError, match=r"method 'FETCH'.* and asks for the input 'y'"):
        WebhookTask(name="hook", url="http://a/{inputs.x}", method="FETCH", body="{{.inputs.y}}", inputs=kwtypes(x=int))


def test_a_plain_call_says_what_to_do_instead() -> None:
    with pytest.raises(TaskFailure, match="called by the engine"):
        WebhookTask(name="hook", url="http://a/")()
