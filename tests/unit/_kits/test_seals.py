"""Tokens under a seal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alula._kits.seals import Seal

SEAL = Seal(b"k" * 32, b"test-1")


@given(st.lists(st.text() | st.integers()))
def test_a_token_says_what_was_said(said: list[str | int]) -> None:
    assert SEAL.read(SEAL.token(said)) == said


@given(st.text())
def test_any_other_text_is_no_token(text: str) -> None:
    assert SEAL.read(text) is None


def test_other_keys_other_purposes_and_other_contents_are_refused() -> None:
    token = SEAL.token(["GET", "x"])
    other = SEAL.token(["GET", "y"])
    assert Seal(b"l" * 32, b"test-1").read(token) is None
    assert Seal(b"k" * 32, b"test-2").read(token) is None
    assert SEAL.read(token.partition(".")[0] + "." + other.partition(".")[2]) is None


def test_a_token_that_is_too_long_is_not_looked_at() -> None:
    token = SEAL.token(["x" * 100])
    assert Seal(SEAL.key, SEAL.purpose, longest=50).read(token) is None
