from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.admin.names import name_fault, new_name, place_faults, prefix_fault


@given(st.integers())
def test_new_names_are_good_names(seed: int) -> None:
    assert name_fault(new_name(Random(seed))) == ""


@pytest.mark.parametrize("name", ["a", "nightly-2024-11-02", "a" * 63])
def test_these_are_names(name: str) -> None:
    assert name_fault(name) == ""


@pytest.mark.parametrize("name", ["", "A", "1st", "a_b", "a b", "a/b", "..", "a" * 64, "a\n", "-a", "é"])
def test_these_are_none(name: str) -> None:
    assert repr(name) in name_fault(name)


def test_projects_and_domains_stay_in_their_place() -> None:
    assert not place_faults("my.project_1", "development")
    for odd in ("", ".", "..", ".leftovers", "a/b", "a\0b", "a" * 64):
        assert len(place_faults(odd, "d")) == 1
        assert len(place_faults("p", odd)) == 1


@pytest.mark.parametrize(
    "uri", ["", "s3://bucket/a/", "gs://bucket", "abfs://box@account.example/a", "/data", "file:///data"]
)
def test_executions_can_put_their_files_there(uri: str) -> None:
    assert prefix_fault(uri) == ""


@pytest.mark.parametrize(
    "uri", ["data", "file://data", "s3://", "https://host/a", "memory://a", "hdfs://a", "s3://bucket/../a", "/a\nb"]
)
def test_executions_can_put_no_files_there(uri: str) -> None:
    assert repr(uri) in prefix_fault(uri)
