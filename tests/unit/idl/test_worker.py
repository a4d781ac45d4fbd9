"""What engine and workers say to each other arrives as it was said."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alula.errors import DataError
from alula.idl import worker as wire

TEXT = st.text(max_size=20)
COUNT = st.integers(0, 2**40)
WORDS = st.lists(TEXT, max_size=3).map(tuple)
MESSAGES = st.one_of(
    st.builds(
        wire.Run,
        serial=COUNT,
        template=COUNT,
        content=st.binary(),
        inputs=st.binary(),
        prefix=TEXT,
        attempt=st.tuples(TEXT, TEXT, TEXT, COUNT),
        checkpoint=TEXT,
        index=st.integers(-1, 10),
        attempts=COUNT,
        environment=st.dictionaries(TEXT, TEXT),
        log_limit_bytes=COUNT,
    ),
    st.builds(
        wire.Ended,
        COUNT,
        st.sampled_from([wire.OUTPUTS, wire.FUTURES, wire.ERROR, wire.WRITTEN]),
        st.binary(),
        TEXT,
        TEXT,
    ),
    st.builds(wire.Progress, COUNT, st.none() | st.floats(0, 1), st.none() | TEXT, st.none() | TEXT),
    st.builds(wire.Prepare, WORDS, WORDS, TEXT, TEXT),
    st.builds(wire.Fork, COUNT, TEXT),
    st.builds(wire.Ready, COUNT, COUNT, TEXT, st.booleans()),
    st.builds(wire.Forked, COUNT, COUNT),
    st.builds(wire.Exited, COUNT, COUNT, COUNT),
    st.builds(wire.Keep, TEXT),
    st.builds(wire.Begin, COUNT, TEXT, TEXT),
    st.builds(wire.End, COUNT, COUNT, st.floats(0, 60)),
    st.builds(wire.Watch, COUNT, COUNT),
    st.builds(wire.Lease, st.floats(0, 60)),
    st.builds(wire.Gone, COUNT),
    st.builds(wire.Lost, COUNT, COUNT),
    st.builds(wire.Over, COUNT, COUNT),
)


@given(MESSAGES)
def test_a_message_arrives_as_it_was_sent(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message)) == message


def test_every_message_is_tried_and_has_a_tag_of_its_own() -> None:
    tried = set[type]()

    @given(MESSAGES)
    @settings(max_examples=1000)
    def collect(message: wire.Message) -> None:
        tried.add(type(message))

    collect()
    assert tried == set(wire.KINDS)
    assert len({kind.TAG for kind in wire.KINDS}) == len(wire.KINDS)


def test_the_version_changes_with_the_messages() -> None:
    shapes = {kind.__name__: [field.name for field in fields(kind)] for kind in wire.KINDS}
    assert wire.VERSION == 2, "then update the shapes below"
    assert shapes["Run"] == [
        "serial",
        "template",
        "content",
        "inputs",
        "prefix",
        "attempt",
        "checkpoint",
        "index",
        "attempts",
        "environment",
        "log_limit_bytes",
        "user_data",
    ]
    assert shapes["Ended"] == ["serial", "kind", "payload", "retire", "lost_log"]
    assert shapes["Ready"] == ["version", "pid", "problem", "prepared"]


@pytest.mark.parametrize(
    "payload", [b"", b"\xc1", b"\x91\xcd\x03\xe7", b"\x92\x28\x01\x02", b"\x01", b"\x93\x28\x01\x02"]
)
def test_what_is_no_message_is_refused_with_advice(payload: bytes) -> None:
    with pytest.raises(DataError, match="no message of workers") as caught:
        wire.decode(payload)
    assert "one version" in caught.value.fix
