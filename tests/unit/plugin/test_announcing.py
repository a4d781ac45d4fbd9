"""Announcements of agents: written and read again, whoever wrote them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import RequestError
from alula.plugin.announcing import Announcement, is_loopback, listed, put, read

SAID = Announcement("probes", "10.0.0.7:8000", datetime(2026, 1, 1, tzinfo=UTC), ("spark@1",), ("ask@0",), ("find",))


def test_what_is_put_is_listed(tmp_path: Path) -> None:
    put(tmp_path / "new", SAID)
    assert listed(tmp_path / "new") == [SAID]


def test_who_announces_itself_again_takes_the_place_of_before(tmp_path: Path) -> None:
    put(tmp_path, SAID)
    put(tmp_path, Announcement("probes", "10.0.0.8:8000", SAID.until))
    assert [one.address for one in listed(tmp_path)] == ["10.0.0.8:8000"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", json.dumps({**SAID.pack(), "name": "other"})])
def test_what_is_no_announcement_is_passed_over(tmp_path: Path, content: str) -> None:
    put(tmp_path, SAID)
    (tmp_path / "bad.agent.json").write_text(content)
    assert listed(tmp_path) == [SAID]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(RequestError) as wrong:
        read({"name": "../../etc", "address": "nowhere", "task_types": ["spark"], "until": "soon"})
    for key in ("name", "address", "task_types", "until"):
        assert f"`{key}`" in str(wrong.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    )
)
def test_nothing_that_anybody_sends_does_harm(document: object) -> None:
    with pytest.raises(RequestError):
        read(document)


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("127.0.0.1:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("dns:///localhost:1", True),
        ("unix:/run/agent.sock", True),
        ("0.0.0.0:1", False),
        ("localhost.evil.example:1", False),
        ("10.0.0.1:1", False),
    ],
)
def test_what_is_on_this_machine(address: str, near: bool) -> None:
    assert is_loopback(address) is near
