"""Where files live: stable names, and no two things in one place."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.data.layout import Attempt, Execution, Outputs, user_data_below
from alula.errors import DataError

names = st.text(min_size=1, max_size=12) | st.sampled_from([".", "..", "...", "a/b", "%2F", "a%2Fb", "ü", "\0", "0"])
ids = st.tuples(names, names, names, names, st.integers(0, 30), st.none() | st.integers(0, 30))


def place(identity: tuple[str, str, str, str, int, int | None]) -> Attempt:
    project, domain, name, node, attempt, index = identity
    found = Execution.under("s3://bucket/root", project=project, domain=domain, name=name).attempt(node, attempt)
    return found if index is None else found.element(index, index % 3)


def files(at: Attempt) -> set[str]:
    return {at.inputs, at.outputs, at.error, at.futures, at.deck, at.progress, at.template, at.raw, at.checkpoint}


def test_an_attempts_files_have_the_names_that_flyte_knows() -> None:
    execution = Execution.under("s3://b/root/", project="p", domain="d", name="f1a2")
    assert execution.inputs == "s3://b/root/p/d/f1a2/inputs.pb"
    assert execution.outputs == "s3://b/root/p/d/f1a2/outputs.pb"
    at = execution.attempt("n0-dn1", 2)
    assert at.prefix == "s3://b/root/p/d/f1a2/n0-dn1/2"
    assert execution.attempt("n0/dn1[3]", 0).prefix == "s3://b/root/p/d/f1a2/n0.2Fdn1.5B3.5D/0"
    names = "inputs.pb outputs.pb error.pb futures.pb deck.html progress.pb task.pb raw checkpoint"
    assert files(at) == {f"{at.prefix}/{name}" for name in names.split()}
    assert at.element(7).outputs == "s3://b/root/p/d/f1a2/n0-dn1/2/7/0/outputs.pb"
    assert at.element(7, 1).outputs == "s3://b/root/p/d/f1a2/n0-dn1/2/7/1/outputs.pb"


def test_a_container_finds_its_outputs_by_the_prefix_it_was_told() -> None:
    assert Outputs("/data/out/").outputs == "/data/out/outputs.pb"
    assert Outputs(place(("p", "d", "x", "n0", 0, None)).prefix).error == "s3://bucket/root/p/d/x/n0/0/error.pb"


@given(ids, ids)
def test_two_attempts_share_no_file(
    one: tuple[str, str, str, str, int, int | None], other: tuple[str, str, str, str, int, int | None]
) -> None:
    assert one == other or files(place(one)).isdisjoint(files(place(other)))


@given(ids)
def test_no_name_leaves_the_root_or_adds_a_level(identity: tuple[str, str, str, str, int, int | None]) -> None:
    at = place(identity)
    parts = at.prefix.removeprefix("s3://bucket/root/").split("/")
    assert len(parts) == (5 if identity[5] is None else 7)
    assert not {"", ".", ".."} & set(parts)


@given(ids)
def test_no_node_has_a_percent_in_its_place_for_flytekit_decodes_them(
    identity: tuple[str, str, str, str, int, int | None],
) -> None:
    _, _, _, node, attempt, _ = identity
    prefix = Execution.under("/r", project="p", domain="d", name="ex").attempt(node, attempt).prefix
    assert unquote(prefix) == prefix


@given(st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,20}", fullmatch=True))
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert Execution.under("/r", project=name, domain=name, name=name).prefix == f"/r/{name}/{name}/{name}"


def test_what_lies_deep_inside_has_a_place_of_its_own_that_a_disk_takes() -> None:
    deep = "/".join(["n0"] * 60)
    places = {Execution("/r/p").attempt(name, 0).prefix for name in (deep, f"{deep}/n0", f"{deep}/n1", "n" * 300)}
    assert len(places) == 4
    assert all(len(place.split("/")[3]) <= 255 for place in places)
    assert all(len(place.split("/")) == 5 for place in places)


def test_what_has_no_place_is_refused() -> None:
    with pytest.raises(DataError, match="empty name"):
        Execution.under("/r", project="", domain="d", name="n")
    with pytest.raises(DataError, match="attempt is -1"):
        Execution("/r/p").attempt("n0", -1)
    with pytest.raises(DataError, match="index is -2"):
        Execution("/r/p").attempt("n0", 0).element(-2)


def test_user_data_go_where_the_user_wants_and_all_else_stays() -> None:
    there = user_data_below("s3://mine/data/", execution="f1a2", name="a0123cd")
    assert there == "s3://mine/data/cd/f1a2-a0123cd"
    here, at = Attempt("/r/n0/0"), Attempt("/r/n0/0", there)
    assert files(at) - {at.raw} == files(here) - {here.raw}
    assert (at.raw, here.raw) == (there, "/r/n0/0/raw")
