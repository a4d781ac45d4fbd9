from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.admin.paging import limit_of, place_of, token
from alula.errors import RequestError


@given(st.integers(min_value=0, max_value=2**62), st.text(), st.text())
def test_a_token_leads_back_to_its_place(key: int, id: str, question: str) -> None:
    assert place_of(token((key, id), question), question, kinds=(int, str)) == (key, id)


def test_no_token_is_the_beginning() -> None:
    assert place_of("", "", kinds=(int, int)) is None


def test_a_token_is_good_for_one_question() -> None:
    with pytest.raises(RequestError, match="another listing"):
        place_of(token((1, 2), "a"), "b", kinds=(int, int))


@given(st.text(min_size=1))
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="token"):
        place_of(text, "", kinds=(int, int))


def test_a_token_of_other_kinds_is_refused() -> None:
    with pytest.raises(RequestError, match="is no token"):
        place_of(token(("a", 2), ""), "", kinds=(int, int))


@pytest.mark.parametrize("place", [(2**63, 1), (1, 2**64 - 1)])
def test_a_token_beyond_what_databases_hold_is_refused(place: tuple[int, int]) -> None:
    with pytest.raises(RequestError, match="is no token"):
        place_of(token(place, ""), "", kinds=(int, int))


def test_pages_have_a_size() -> None:
    assert [limit_of(asked) for asked in (0, 1, 100, 10**9)] == [100, 1, 100, 1_000]
