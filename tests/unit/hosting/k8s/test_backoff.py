"""Waiting for room in a namespace."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.hosting.k8s import merging, quantities
from alula.hosting.k8s.backoff import Queue, Room


def test_pauses_grow_to_their_cap_and_success_ends_them() -> None:
    room, now, pauses = Room(), 0.0, []
    for _ in range(7):
        pauses.append(room.refused({"pods": "1"}, now))
        now += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 20, 20]
    room.taken()
    assert room.pause({"pods": "1"}, now) == 0
    assert room.refused({"pods": "1"}, now) == 1


def test_what_asks_for_less_than_was_refused_may_be_tried() -> None:
    room = Room()
    room.refused({"requests.cpu": "4"}, 0)
    assert room.pause({"requests.cpu": "4", "pods": "1"}, 0.5) == 0.5
    assert room.pause({"requests.cpu": "3999m", "pods": "1"}, 0.5) == 0
    room.refused({"requests.memory": "1Gi"}, 0.5)
    assert room.pause({"requests.cpu": "1", "requests.memory": "2Gi"}, 0.6) > 0
    assert room.pause({"requests.cpu": "1", "requests.memory": "512Mi"}, 0.6) == 0
    assert room.pause({}, 0.6) > 0


def test_a_server_that_is_busy_holds_off_everything() -> None:
    room = Room()
    room.refused({"requests.cpu": "4"}, 0)
    room.refused({}, 0)
    assert room.pause({"requests.cpu": "1"}, 0.5) > 0


def test_who_waits_first_tries_first() -> None:
    queue, woken = Queue(), list[str]()
    for name in "abc":
        queue.wait(name, lambda name=name: woken.append(name))  # type: ignore[misc]
    queue.room.refused({"pods": "1"}, 0)
    queue.freed()
    assert woken == ["a"]
    assert queue.room.pause({"pods": "1"}, 0.1) == 0
    queue.wait("a", lambda: woken.append("a again"))
    queue.leave("a")
    assert woken == ["a", "b"], "it keeps its place, and the next may try once it has gone"
    queue.leave("unknown")
    assert woken == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", "1"), ("100m", "0.1"), ("1.5Gi", "1610612736"), ("1e3", "1000"), ("2k", "2000"), ("5u", "0.000005")],
)
def test_quantities_are_read(text: str, value: str) -> None:
    assert quantities.amount(text) == Decimal(value)


@given(st.text())
def test_whatever_is_no_quantity_is_none_or_a_number(text: str) -> None:
    found = quantities.amount(text)
    assert found is None or isinstance(found, Decimal)


@given(st.dictionaries(st.sampled_from("abc"), st.integers()), st.dictionaries(st.sampled_from("abc"), st.integers()))
def test_what_lies_over_goes(under: dict[str, int], over: dict[str, int]) -> None:
    assert merging.merged(under, over) == {**under, **over}


def test_lists_are_merged_by_what_tells_their_items_apart() -> None:
    under = {
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}],
        "args": ["x"],
        "tolerations": [{"key": "a"}],
    }
    over = {"env": [{"name": "B", "value": "2"}], "args": ["y"], "tolerations": [{"key": "b"}, {"key": "a"}]}
    assert merging.merged(under, over) == {
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "args": ["y"],
        "tolerations": [{"key": "a"}, {"key": "b"}],
    }
