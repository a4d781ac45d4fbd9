"""URIs taken apart and put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.data import uris
from alula.errors import DataError

prefixes = st.sampled_from(
    ["/", "/a", "/a/", "file:///", "file:///a", "memory://", "memory://m", "s3://b", "s3://b/k/"]
)
parts = st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=8), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("uri", "scheme", "rest"),
    [
        ("/a/b", "file", "/a/b"),
        ("file:///a", "file", "/a"),
        ("FILE:///a", "file", "/a"),
        ("s3://b/k", "s3", "b/k"),
        ("s3a://b/k", "s3", "b/k"),
        ("gcs://b/k", "gs", "b/k"),
        ("abfss://c@acc.dfs.core.windows.net/k", "az", "c@acc.dfs.core.windows.net/k"),
        ("https://h/x?y=s3://z", "http", "h/x?y=s3://z"),
        ("/odd/s3://x", "file", "/odd/s3://x"),
        ("c:relative", "file", "c:relative"),
    ],
)
def test_scheme_and_rest(uri: str, scheme: str, rest: str) -> None:
    assert uris.scheme(uri) == scheme
    assert uris.rest(uri) == rest
    assert uris.is_remote(uri) == (scheme != "file")


@given(prefixes, parts)
def test_what_was_joined_comes_apart_again(prefix: str, names: list[str]) -> None:
    uri = uris.join(prefix, *names)
    assert uri.startswith(prefix.rstrip("/"))
    assert uris.name(uri) == names[-1]
    assert uris.scheme(uri) == uris.scheme(prefix)
    if {".", ".."}.isdisjoint(names):
        assert uris.members(prefix, uri) == tuple(names)
    else:
        with pytest.raises(DataError):
            uris.members(prefix, uri)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("https://h/a.csv?sig=a/b", "a.csv"),
        ("http://h/a.csv#x/y?z", "a.csv"),
        ("https://h/a/?q=1", "a"),
        ("s3://b/what?#1", "what?#1"),
        ("/d/what?#1", "what?#1"),
    ],
)
def test_the_query_of_a_web_address_is_no_part_of_its_name(uri: str, name: str) -> None:
    assert uris.name(uri) == name


@pytest.mark.parametrize(
    "uri", ["s3://b/other/x", "s3://b/k", "s3://b/k/", "s3://b/kx", "s3://b/k//x", "s3://b/k/../x"]
)
def test_what_lies_elsewhere_has_no_place_below_the_prefix(uri: str) -> None:
    with pytest.raises(DataError, match="no safe place"):
        uris.members("s3://b/k", uri)
