from __future__ import annotations

import os
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alula.errors import ConversionError
from alula.idl import literals, packing
from tests.unit.types.rig import AT, OBJECTS, TYPES, copy, now, packed_round_trip, read, round_trip, write


class Trap:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("exit 1",)


def stored(data: bytes) -> str:
    uri = AT.new_uri()
    now(OBJECTS.write(uri, data))
    return uri


@settings(max_examples=20)
@given(st.binary())
def test_bytes_come_back(value: bytes) -> None:
    assert round_trip(bytes, value) == copy(bytes, value) == packed_round_trip(bytes, value) == value


def test_the_blob_is_a_pickle_as_flytekit_writes_it() -> None:
    blob = write(bytes, b"x").scalar.blob
    assert blob.metadata.type.format == "PythonPickle"
    assert now(OBJECTS.read(blob.uri)) == pickle.dumps(b"x", 5)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_pickles_of_newer_protocols_are_read(protocol: int) -> None:
    uri = stored(pickle.dumps(b"\x00abc", protocol))
    if protocol == 2:  # it calls codecs.encode, and nothing is called here
        with pytest.raises(ConversionError, match="codecs"):
            read(bytes, literals.blob(uri))
    else:
        assert read(bytes, literals.blob(uri)) == b"\x00abc"


def test_a_pickle_that_would_run_something_is_refused_unrun() -> None:
    uri = stored(pickle.dumps(Trap()))
    with pytest.raises(ConversionError, match=r"asks for posix.system") as fault:
        read(bytes, literals.blob(uri))
    assert fault.value.where == uri


@pytest.mark.parametrize("data", [b"", b"no pickle", pickle.dumps("text"), pickle.dumps(b"x" * 100)[:50]])
def test_what_is_no_pickle_of_bytes_is_refused(data: bytes) -> None:
    with pytest.raises(ConversionError):
        read(bytes, literals.blob(stored(data)))


def test_a_part_of_packed_data_is_read_without_a_blob() -> None:
    assert read(bytes, packing.packed(b"ab")) == b"ab"
    assert read(bytes | None, write(bytes | None, b"ab")) == b"ab"


def test_the_base64_of_json_is_read() -> None:
    assert TYPES.packing(bytes).unpack("AP8=\n", AT) == b"\x00\xff"
    with pytest.raises(ConversionError, match="expected bytes, got str"):
        TYPES.packing(bytes).unpack("A", AT)


def test_bytearrays_are_refused_with_a_fix() -> None:
    with pytest.raises(ConversionError, match=r"bytes\(\.\.\.\)"):
        copy(bytes, bytearray(b"x"))


def test_only_a_pickle_of_bytes_is_guessed() -> None:
    assert TYPES.guess(TYPES.literal_type(bytes)) is bytes
