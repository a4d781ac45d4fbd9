from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.admin.filters import Field, conditions, numbers, order, prefixed, texts, times, words
from alula.errors import RequestError
from alula.store.records import Condition

FIELDS = {
    "name": texts("name"),
    "phase": words("phase", {"RUNNING": ("running", "closing"), "FAILED": ("failed",)}),
    "created_at": times("created_at"),
    "duration": numbers("duration", 1_000_000),
    "task.name": texts("entity_name", also=(Condition("entity", "starts", "task:"),)),
    "version": Field("entity", lambda text: (f":{text}",), other="ends"),
}


def read(text: str) -> list[Condition]:
    return list(conditions(text, FIELDS))


def test_filters_are_joined_by_plus_signs() -> None:
    assert read("") == []
    assert read("eq(name,a)+contains(name,(b)+c)+gte(duration,2)") == [
        Condition("name", "in", ("a",)),
        Condition("name", "holds", "(b)+c"),
        Condition("duration", "gte", 2_000_000),
    ]
    assert read("eq(name,a) ne(phase,FAILED)") == read("eq(name,a)+ne(phase,FAILED)")


def test_a_word_may_stand_for_several_values() -> None:
    assert read("value_in(phase,running;FAILED)") == [Condition("phase", "in", ("running", "closing", "failed"))]
    assert read("ne(phase,RUNNING)+ne(phase,FAILED)") == [
        Condition("phase", "not_in", ("running", "closing", "failed"))
    ]
    assert read("value_in(phase,RUNNING;FAILED)+eq(phase,FAILED)") == [Condition("phase", "in", ("failed",))]


def test_times_without_a_zone_are_in_utc() -> None:
    wanted = [Condition("created_at", "gt", 1_893_553_445_000_000)]
    assert read("gt(created_at,2030-01-02T03:04:05Z)") == wanted
    assert read("gt(created_at,2030-01-02T03:04:05)") == wanted
    assert read("gt(created_at,2030-01-02T05:04:05+02:00)") == wanted
    assert read("gt(created_at,2030-01-01)+gt(created_at,2030-01-02T03:04:05Z)") == wanted


def test_a_field_may_bring_other_conditions() -> None:
    assert read("eq(task.name,fit)+eq(version,v1)") == [
        Condition("entity_name", "in", ("fit",)),
        Condition("entity", "starts", "task:"),
        Condition("entity", "ends", ":v1"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("eq(nme,a)", "nme: cannot be filtered by; there are created_at, duration, name"),
        ("gt(name,a)", "name: gt is no test for it; there are eq, value_in, ne, contains"),
        ("eq(phase,DONE)", "phase: is 'DONE', and must be one of RUNNING, FAILED"),
        ("gt(created_at,yesterday)", "must be a time such as"),
        ("eq(duration,-1)", "must be a whole number"),
        ("name=a", "'name=a' cannot be read"),
        ("eq(name,a", "cannot be read"),
        ("+".join(["eq(name,a)"] * 33), "more than 32"),
        ("x" * 10_000, "8,192 at most"),
        ("eq(version,v1)+eq(version,v2)", "is tested twice"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(text)
    assert said in str(caught.value)


def test_all_faults_are_said_at_once() -> None:
    with pytest.raises(RequestError, match="2 faults"):
        read("eq(nme,a)+eq(phase,DONE)")


def test_fields_may_be_named_with_what_they_are_of() -> None:
    fields = prefixed(FIELDS, "execution")
    assert conditions("eq(execution.phase,FAILED)", fields) == conditions("eq(phase,FAILED)", fields)
    with pytest.raises(RequestError, match="there are created_at, duration, name, phase, "):
        conditions("eq(node.phase,FAILED)", fields)


def test_numbers_stay_within_what_databases_hold() -> None:
    assert read("gt(duration,999999999999999)") == [Condition("duration", "gt", 2**63 - 1)]


@pytest.mark.parametrize(
    "text", ["eq(name,)" + " " * 8_000 + "x", "eq(name," + (")" + " " * 200) * 40, "eq(name,)x" * 800]
)
def test_no_text_keeps_the_reader_busy(text: str) -> None:
    began = time.process_time()
    with pytest.raises(RequestError):
        read(text + "?")
    assert time.process_time() - began < 0.1


def test_what_is_sorted_by_is_known() -> None:
    columns = {"created_at": "created_at", "name": "name"}
    assert order("", descending=True, columns=columns, usual="created_at") == ("created_at", True)
    with pytest.raises(RequestError, match="nothing is sorted by 'size'"):
        order("size", descending=True, columns=columns, usual="created_at")


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        read(text)
    except RequestError:
        return
