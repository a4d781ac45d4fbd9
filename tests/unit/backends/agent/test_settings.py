"""What an operator may say about agents, and what would be a mistake."""

from __future__ import annotations

import pytest

from alula.backends.agent.settings import Endpoint, Settings
from alula.errors import Rejected
from alula.plugin import typed


def test_a_section_is_read_with_durations_and_lists() -> None:
    section = {"refresh": "30s", "endpoints": {"spark": {"address": "spark:8000", "task_types": ["spark@1"]}}}
    settings = typed.read(section, Settings, what="[backends.agent]")
    assert settings.refresh.total_seconds() == 30
    assert settings.endpoints["spark"].task_types == ("spark@1",)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"plaintext": True, "ca_file": "ca.pem"}, "mean nothing"),
        ({"cert_file": "c.pem"}, "go together"),
        ({"plaintext": True, "token_file": "t"}, "in plain text to far:1"),
        ({"plaintext": True, "send_secrets": True}, "in plain text to far:1"),
        ({"adress": "x:1"}, "did you mean 'address'"),
    ],
)
def test_mistakes_are_named_with_their_endpoint(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(Rejected, match=said) as refused:
        typed.read({"endpoints": {"spark": {"address": "far:1", **wrong}}}, Settings, what="[backends.agent]")
    assert "[backends.agent].endpoints.spark" in str(refused.value)


def test_tokens_go_to_this_machine_in_plain_text() -> None:
    assert Endpoint("127.0.0.1:1", plaintext=True, token_file="t", send_secrets=True).near
