"""Policies say a task's prefixes, and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.data.policies import LONGEST, policy
from alula.data.settings import Reach
from alula.errors import DataError

PARTS = st.text(st.sampled_from("ab*?$.-{}ü"), min_size=1, max_size=3).filter(lambda part: part.strip("."))
URIS = st.builds(
    lambda bucket, parts: "/".join([f"s3://{bucket}", *parts]),
    st.sampled_from(["b1", "b2"]),
    st.lists(PARTS, min_size=1, max_size=4),
)


def matches(pattern: str, text: str) -> bool:
    """As IAM matches: `*`, `?`, and the variables that stand for these characters."""
    pieces = re.split(r"(\$\{[*?$]\}|[*?])", pattern)
    wild = {"*": ".*", "?": "."}
    made = "".join(wild.get(one) or re.escape(one[2] if re.fullmatch(r"\$\{[*?$]\}", one) else one) for one in pieces)
    return re.fullmatch(made, text, re.DOTALL) is not None


def allowed(text: str, action: str, uri: str, prefix: str = "") -> bool:
    """Whether a policy lets somebody do something: read and write an object, or list a bucket by a prefix."""
    resource = f"arn:aws:s3:::{uri.removeprefix('s3://')}"
    for statement in json.loads(text)["Statement"]:
        actions, resources = (
            [value] if isinstance(value := statement[key], str) else value for key in ("Action", "Resource")
        )
        condition = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
        if (
            action in actions
            and any(matches(one, resource) for one in resources)
            and (condition is None or any(matches(one, prefix) for one in condition))
        ):
            return True
    return False


def below(uri: str, places: Iterable[str]) -> bool:
    return any(uri == place or uri.startswith(f"{place}/") for place in places)


@given(read=st.lists(URIS, max_size=3), write=st.lists(URIS, max_size=2), asked=URIS)
def test_what_is_in_reach_is_allowed_and_nothing_else(read: list[str], write: list[str], asked: str) -> None:
    text = policy(Reach(tuple(read), tuple(write)))
    assert allowed(text, "s3:PutObject", asked) is below(asked, write)
    assert allowed(text, "s3:DeleteObject", asked) is below(asked, write)
    assert allowed(text, "s3:GetObject", asked) is below(asked, [*read, *write])
    bucket, _, key = asked.removeprefix("s3://").partition("/")
    listing = allowed(text, "s3:ListBucket", f"s3://{bucket}", f"{key}/")
    assert listing is below(f"{asked}/", [*read, *write])
    assert not allowed(text, "s3:ListBucket", f"s3://{bucket}", "")


def test_names_that_only_begin_alike_are_out_of_reach() -> None:
    text = policy(Reach((), ("s3://b/run/7",)))
    assert allowed(text, "s3:PutObject", "s3://b/run/7/x")
    for uri in ("s3://b/run/70", "s3://b/run/7x/y", "s3://b/run", "s3://b2/run/7/x"):
        assert not allowed(text, "s3:PutObject", uri)
        assert not allowed(text, "s3:GetObject", uri)


def test_wildcards_in_names_stand_for_themselves() -> None:
    text = policy(Reach((), ("s3://b/a*?$",)))
    assert allowed(text, "s3:PutObject", "s3://b/a*?$/x")
    assert not allowed(text, "s3:PutObject", "s3://b/abcd/x")


def test_many_inputs_are_said_by_their_folders_and_outputs_never_are() -> None:
    read = tuple(f"s3://b/data/{number:04}/part/file-{number}.parquet" for number in range(500))
    text = policy(Reach(read, ("s3://b/runs/x/n0/0",)))
    assert len(text) <= LONGEST
    assert all(allowed(text, "s3:GetObject", uri) for uri in read)
    assert not allowed(text, "s3:GetObject", "s3://b/other/x")
    assert not allowed(text, "s3:PutObject", read[0])
    assert allowed(text, "s3:PutObject", "s3://b/runs/x/n0/0/out")


def test_a_whole_bucket_is_never_opened_for_want_of_room() -> None:
    read = tuple(f"s3://b/file-{number}-{'x' * 20}" for number in range(500))
    with pytest.raises(DataError, match=r"a policy for 500 URIs to read and 0 to write has \d+ characters"):
        policy(Reach(read, ()))
    assert allowed(policy(Reach(("s3://b",), ())), "s3:GetObject", "s3://b/any/thing")  # asked for


def test_partitions_have_names_of_their_own() -> None:
    assert "arn:aws-cn:s3:::b/x" in policy(Reach(("s3a://b/x/",), ()), partition="aws-cn")


def test_a_uri_without_a_bucket_is_refused() -> None:
    with pytest.raises(DataError, match="names no bucket"):
        policy(Reach(("s3:///x",), ()))
