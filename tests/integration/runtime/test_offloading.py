"""Literals that lie in files of their own, because they are large."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula._kits.bridge import run as await_
from alula.data.stores import Objects
from alula.idl import ErrorDocument, Literal, LiteralMap, LiteralOffloadedMetadata, SimpleType, literals
from alula.runtime.arguments import parse
from alula.runtime.entrypoint import execute
from alula.runtime.offloading import fetched, holds_notes
from tests.integration.runtime.programs import Container, by_name, integers
from tests.integration.runtime.test_entrypoint import container as container  # the fixture


def note(uri: str, hash_of: str = "") -> Literal:
    return Literal(offloaded_metadata=LiteralOffloadedMetadata(uri=uri, size_bytes=1), hash=hash_of)


def noted(folder: Path, name: str, lit: Literal) -> Literal:
    path = folder / name
    path.write_bytes(lit.SerializeToString())
    return note(str(path))


def run(container: Container, task: str, **inputs: Literal) -> ErrorDocument | None:
    return execute(parse(["alula-execute", *container.places(inputs), *by_name(task)]))


def test_an_offloaded_input_is_read(container: Container, tmp_path: Path) -> None:
    assert run(container, "add", a=noted(tmp_path, "a.pb", literals.integer(2))) is None
    assert container.outputs() == integers(o0=42)


def test_an_offloaded_input_that_is_gone_is_told(container: Container, tmp_path: Path) -> None:
    document = run(container, "add", a=note(str(tmp_path / "gone.pb")))
    assert document is not None
    assert "gone.pb does not exist" in document.error.message


def test_an_offloaded_input_that_is_damaged_is_told(container: Container, tmp_path: Path) -> None:
    (tmp_path / "bad.pb").write_bytes(b"\xff\xff\xff")
    document = run(container, "add", a=note(str(tmp_path / "bad.pb")))
    assert document is not None
    assert "bad.pb has 3 bytes that are no Literal" in document.error.message


def test_a_large_output_is_put_beside_where_the_platform_wants_it(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_F_L_MIN_SIZE_MB", "1")
    assert run(container, "repeated", **integers(n=2_000_000)) is None
    outputs = container.outputs()
    large = outputs["o0"].offloaded_metadata
    assert large.uri.endswith("/o0_offloaded_metadata.pb")
    assert large.inferred_type.simple == SimpleType.STRING
    content = Path(large.uri.removeprefix("file://")).read_bytes()
    assert large.size_bytes == len(content)
    assert outputs["o0"].hash == base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert outputs["o1"] == literals.integer(2_000_000)

    assert run(container, "length", text=outputs["o0"]) is None
    assert container.outputs() == integers(o0=2_000_000)


def test_an_output_larger_than_the_platform_takes_is_refused(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_F_L_MIN_SIZE_MB", "1")
    monkeypatch.setenv("_F_L_MAX_SIZE_MB", "1")
    document = run(container, "repeated", **integers(n=2_000_000))
    assert document is not None
    assert "output 'o0' of 'repeated' is 2,000," in document.error.message
    monkeypatch.setenv("_F_L_MAX_SIZE_MB", "many")
    document = run(container, "repeated", **integers(n=1))
    assert document is not None
    assert "'many' is no number of MiB" in document.error.message


def test_notes_are_found_at_every_depth(tmp_path: Path) -> None:
    inner = noted(tmp_path, "inner.pb", literals.integer(7))
    outer = noted(tmp_path, "outer.pb", literals.collection([inner, literals.integer(8)]))
    union = Literal()
    union.scalar.union.value.CopyFrom(inner)
    union.scalar.union.type.simple = SimpleType.INTEGER
    given = LiteralMap(literals={"x": literals.mapping({"k": outer}), "u": union, "y": literals.integer(9)})
    made = await_(fetched(given, given.SerializeToString(), Objects())).literals
    assert made["x"] == literals.mapping({"k": literals.collection([literals.integer(7), literals.integer(8)])})
    assert made["u"].scalar.union.value == literals.integer(7)
    assert made["y"] == literals.integer(9)


@given(uri=st.text(min_size=1), size=st.integers(0, 2**62), deep=st.integers(0, 3))
def test_a_note_is_never_overlooked(uri: str, size: int, deep: int) -> None:
    lit = Literal(offloaded_metadata=LiteralOffloadedMetadata(uri=uri, size_bytes=size))
    for _ in range(deep):
        lit = literals.collection([literals.integer(1), lit])
    assert holds_notes(LiteralMap(literals={"x": lit}).SerializeToString())
