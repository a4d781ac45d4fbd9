from __future__ import annotations

import json

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.admin.references import Names, References, names_of
from alula.data.layout import Execution
from alula.idl import LiteralMap, literals
from alula.idl.packing import packed
from alula.store.records import ExecutionKey

NAME = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
ROOTS = ["/srv/alula/data", "/mnt/d a t a (1)/ü+[x]", "s3://bucket/pre.fix", "memory://data", "file:///var/x"]


def referring(root: str, *wanted: Names) -> References:
    return References(root, set(wanted))


@given(st.sampled_from(ROOTS), NAME, NAME, NAME, NAME, st.integers(0, 10**6), st.sampled_from(["raw/x", "outputs.pb"]))
def test_a_uri_is_found_in_whatever_holds_it(
    root: str, project: str, domain: str, name: str, node: str, attempt: int, file: str
) -> None:
    files = Execution.under(root, project=project, domain=domain, name=name)
    at = files.attempt(node, attempt).prefix
    uri = f"{at}/{file}"
    names = names_of(ExecutionKey(project, domain, name))
    path = f"{at.removeprefix(files.prefix)[1:]}/{file}"
    plain = {"nested": [{"uri": uri}]}
    for text in (
        LiteralMap(literals={"o0": literals.blob(uri)}).SerializeToString(),
        literals.collection([packed(plain)]).SerializeToString(),
        msgpack.packb([1, uri, 2]),
        json.dumps(plain).encode(),
        literals.string(json.dumps({"inside": json.loads(json.dumps(plain))})).SerializeToString(),
    ):
        found = referring(root, names)
        assert found.note(text)
        assert found.uses(names, path)
        assert found.uses(names, path.replace(file, "log.txt")), "the attempt stays as a whole"
        assert not found.uses(names, f"elsewhere/{attempt}/log.txt")


def test_only_those_that_are_asked_about_are_noted() -> None:
    found = referring("/data", ("p", "d", "one"))
    assert not found.note(b"/data/p/d/two/n0/0/raw/x", b"/elsewhere/p/d/one/n0/0/raw/x")
    assert found.note(b"file:///data/p/d/one/n0/12/raw/x")
    assert found.attempts == {(("p", "d", "one"), "n0", "12")}


@pytest.mark.parametrize("uri", [b"/data/p/d/one", b"/data/p/d/one/", b"/data/p/d/one/outputs.pb", b"/data/p/d/one2x"])
def test_where_it_cannot_be_told_which_attempt_is_meant_all_stay(uri: bytes) -> None:
    found = referring("/data", ("p", "d", "one"), ("p", "d", "other"))
    assert found.note(b"\x0a" + uri + b"2")
    assert found.uses(("p", "d", "one"), "n0/0/raw/x")
    assert not found.uses(("p", "d", "other"), "n0/0/raw/x")
