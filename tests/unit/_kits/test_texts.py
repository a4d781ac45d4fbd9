"""Texts of others, made fit for any store."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alula._kits.texts import storable


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_an_honest_text_stays_as_it_is(text: str) -> None:
    assert storable(text) == text


@given(st.text(st.characters()))
def test_any_text_becomes_one_that_a_database_takes(text: str) -> None:
    made = storable(text)
    made.encode()
    assert "\0" not in made
