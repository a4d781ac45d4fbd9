"""Rows to bytes and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula._kits.records import replace
from alula.engine.codec import (
    pack_attempt,
    pack_node,
    pack_settings,
    pack_values,
    read_attempt,
    read_node,
    read_rows,
    read_settings,
    read_values,
)
from alula.engine.state import (
    AttemptPhase,
    AttemptState,
    CacheStatus,
    Expansion,
    Failure,
    FailureKind,
    NodePhase,
    NodeState,
    Ref,
    Settings,
    SignalState,
    Values,
)
from alula.errors import StoreDamaged
from alula.store.records import ExecutionKey, ExecutionRecord, ExpansionRecord, Loaded, SignalRecord

NOW = datetime(2030, 1, 1, tzinfo=UTC)
times = st.integers(-(10**15), 10**16).map(lambda micros: NOW + timedelta(microseconds=micros))
maybe = st.none() | times
counts = st.integers(0, 2**40)
names = st.text(max_size=8)
spans = st.timedeltas(timedelta(0), timedelta(days=4000))
failures: st.SearchStrategy[Failure] = st.recursive(
    st.builds(Failure, names, names, st.sampled_from(FailureKind), st.booleans(), names, st.none()),
    lambda inner: st.builds(Failure, names, names, st.sampled_from(FailureKind), st.booleans(), names, inner),
    max_leaves=2,
)
values = st.builds(Values, st.binary(max_size=20), st.lists(st.builds(Ref, names, names, names), max_size=2).map(tuple))
nodes = st.builds(
    NodeState,
    path=names,
    phase=st.sampled_from(NodePhase),
    since=times,
    order=counts,
    attempt=counts,
    user_failures=counts,
    system_failures=counts,
    interruptions=counts,
    generation=counts,
    wake_at=maybe,
    deadline=maybe,
    then=st.none() | st.sampled_from(NodePhase),
    arm=st.integers(-1, 9),
    size=counts,
    cache=st.sampled_from(CacheStatus),
    cache_source=names,
    reserved=st.booleans(),
    checkpoint=names,
    outputs=st.none() | values,
    failure=st.none() | failures,
    started_at=maybe,
    ended_at=maybe,
)
attempts = st.builds(
    AttemptState,
    path=names,
    number=counts,
    phase=st.sampled_from(AttemptPhase),
    since=times,
    interruptible=st.booleans(),
    open=st.booleans(),
    deadline=maybe,
    failure=st.none() | failures,
    started_at=maybe,
    ended_at=maybe,
)
settings = st.builds(
    Settings,
    max_parallelism=counts,
    system_retries=counts,
    interruptible=st.booleans(),
    user_backoff=spans,
    queued_timeout=st.none() | spans,
    workflow_timeout=st.none() | spans,
    overwrite_cache=st.booleans(),
)


@given(nodes)
def test_a_node_comes_back_as_it_was(row: NodeState) -> None:
    assert read_node(pack_node(row)) == row


@given(attempts)
def test_an_attempt_comes_back_as_it_was(row: AttemptState) -> None:
    assert read_attempt(pack_attempt(row)) == row


@given(values)
def test_values_come_back_as_they_were(given_values: Values) -> None:
    assert read_values(pack_values(given_values)) == given_values


@given(settings)
def test_settings_come_back_as_they_were(given_settings: Settings) -> None:
    assert read_settings(pack_settings(given_settings)) == given_settings


def test_every_field_of_a_row_is_written() -> None:
    """A field that the codec forgets would come back as its default."""
    usual = NodeState("n", NodePhase.READY, NOW)
    for name in NodeState.__struct_fields__:
        assert name in {*_packed_fields(usual), "path", "phase", "since", "ended_at"}, name


def _packed_fields(usual: NodeState) -> set[str]:
    found = set()
    others: dict[str, object] = {
        "wake_at": NOW,
        "deadline": NOW,
        "started_at": NOW,
        "then": NodePhase.FAILED,
        "cache": CacheStatus.HIT,
        "cache_source": "x",
        "checkpoint": "x",
        "reserved": True,
        "outputs": Values(b"x"),
        "failure": Failure("x", "y"),
    }
    for name in NodeState.__struct_fields__:
        changed = (
            replace(usual, **{name: others.get(name, 7)})
            if name not in ("path", "phase", "since", "ended_at")
            else usual
        )
        if pack_node(changed).body != pack_node(usual).body:
            found.add(name)
    return found


def test_nothing_is_the_usual_settings_and_no_values() -> None:
    assert (read_settings(b""), read_values(b"")) == (Settings(), Values())
    assert pack_settings(Settings()) == b""


@pytest.mark.parametrize("body", [b"", b"\x02\x90", b"\x01\x91\x00", b"\x01\xc1", b"\x01\x05"])
def test_what_cannot_be_read_is_called_damage(body: bytes) -> None:
    node, attempt = (
        pack_node(NodeState("n", NodePhase.READY, NOW)),
        pack_attempt(AttemptState("n", 0, AttemptPhase.RUNNING, NOW)),
    )
    with pytest.raises(StoreDamaged):
        read_node(replace(node, body=body))
    with pytest.raises(StoreDamaged):
        read_attempt(replace(attempt, body=body))


@pytest.mark.parametrize("data", [b"\x02\x90", b"\x01\xc1", b"\x01\x05"])
def test_values_and_settings_that_cannot_be_read_are_called_damage(data: bytes) -> None:
    with pytest.raises(StoreDamaged):
        read_values(data)
    with pytest.raises(StoreDamaged):
        read_settings(data)


def test_a_phase_that_nobody_knows_is_called_damage() -> None:
    with pytest.raises(StoreDamaged, match="n0"):
        read_node(replace(pack_node(NodeState("n0", NodePhase.READY, NOW)), phase="dancing"))


def test_rows_are_read_with_what_dynamic_tasks_made_first() -> None:
    node, attempt = NodeState("n", NodePhase.READY, NOW), AttemptState("n", 0, AttemptPhase.RUNNING, NOW)
    record = ExecutionRecord(1, ExecutionKey("p", "d", "n"), "e", "f", "running", True, NOW)
    loaded = Loaded(
        record,
        b"",
        (pack_node(node),),
        (pack_attempt(attempt),),
        (ExpansionRecord("n/m", b"2"), ExpansionRecord("n", b"1")),
        (SignalRecord("s", b"v"),),
    )
    assert list(read_rows(loaded)) == [
        Expansion("n", b"1"),
        Expansion("n/m", b"2"),
        node,
        attempt,
        SignalState("s", b"v"),
    ]
