"""Gates in local runs: answers from the test, from standard input, and none."""

from __future__ import annotations

import enum
import io
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import pytest

from alula import approve, create_node, sleep, task, wait_for_input, workflow
from alula.errors import CallError, ConversionError, Disapproved, TaskFailure
from alula.testing import gates

HOUR = timedelta(hours=1)


class Color(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int = 0


@task
def inc(a: int) -> int:
    return a + 1


@task
def pair(a: int) -> tuple[int, int]:
    return a, a


@task
def say(text: str) -> None: ...


@workflow
def gated(a: int) -> int:
    good = approve(inc(a=a), "is-it-good", timeout=HOUR)
    pause = sleep(timedelta(days=30))
    typed = wait_for_input("how-many", timeout=HOUR, expected_type=int)
    last = inc(a=typed)
    pause >> last
    good >> last  # type: ignore[operator]
    return last


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_answers_of_the_test_come_first() -> None:
    with gates({"is-it-good": True, "how-many": 3}):
        assert gated(a=1) == 4


def test_answers_of_nested_blocks_add_up() -> None:
    with gates({"is-it-good": True, "how-many": 0}), gates({"how-many": 5}):
        assert gated(a=1) == 6


def test_answers_end_with_their_block(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "")
    with gates({"is-it-good": True, "how-many": 0}):
        pass
    with pytest.raises(TaskFailure):
        gated(a=1)


def test_a_refusal_ends_the_workflow() -> None:
    with gates({"is-it-good": False}), pytest.raises(Disapproved, match="'is-it-good' was not approved"):
        gated(a=1)


def test_an_approval_passes_the_value_on() -> None:
    @workflow
    def wf(a: int) -> int:
        return inc(a=approve(inc(a=a), "ok", timeout=HOUR))

    with gates({"ok": True}):
        assert wf(a=1) == 3


def test_an_answer_of_a_wrong_type_names_the_gate() -> None:
    with (
        gates({"is-it-good": True, "how-many": "three"}),
        pytest.raises(ConversionError, match="gate 'how-many': expected int, got str: 'three'"),
    ):
        gated(a=1)
    with gates({"is-it-good": "yes"}), pytest.raises(ConversionError, match="gate 'is-it-good' is 'yes'"):
        gated(a=1)


def test_answers_are_typed_in_and_asked_again_until_they_can_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, "perhaps\ny\nthree\n3\n")
    assert gated(a=1) == 4
    said = capsys.readouterr().out
    assert "[gate is-it-good] approve 2? [Y/n]" in said
    assert "answer y or n" in said
    assert "'three' is no int" in said


def test_an_empty_line_approves_and_n_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "\n1\n")
    assert gated(a=1) == 2
    type_in(monkeypatch, "n\n")
    with pytest.raises(Disapproved):
        gated(a=1)


def test_without_anybody_to_answer_the_error_names_gate_and_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "")
    with pytest.raises(TaskFailure, match=r"'is-it-good'(?s:.)*alula\.testing\.gates"):
        gated(a=1)


def test_a_sleep_is_not_waited_for_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), gates({"is-it-good": True, "how-many": 0}):
        gated(a=1)
    assert "gate.skipped: a local run does not wait for sleep(30 days, 0:00:00)" in caplog.messages


@pytest.mark.parametrize(
    ("expected_type", "line", "value"),
    [
        (int, " 5 ", 5),
        (float, "1e3", 1000.0),
        (bool, "no", False),
        (str, "two words", "two words"),
        (str, "5", "5"),
        (datetime, "2024-02-03T04:05:06+00:00", datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)),
        (date, "2024-02-03", date(2024, 2, 3)),
        (Literal["a", "b"], "b", "b"),
        (Color, "red", Color.RED),
        (list[int], "[1, 2]", [1, 2]),
        (dict[str, float], '{"a": 1.5}', {"a": 1.5}),
        (Point, '{"x": 1, "y": 2}', Point(1, 2)),
        (int | None, "none", None),
        (int | None, "4", 4),
    ],
)
def test_every_kind_of_value_can_be_typed_in(
    expected_type: type[object], line: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, line + "\n")
    assert wait_for_input("value", HOUR, expected_type) == value


@pytest.mark.parametrize(
    ("expected_type", "line"),
    [
        (int, "1.5"),
        (bool, "maybe"),
        (list[int], "[1, "),
        (list[int], '["a"]'),
        (Literal["a", "b"], "c"),
        (Color, "blue"),
    ],
)
def test_what_is_no_such_value_is_asked_for_again(
    expected_type: type[object], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, line + "\n")
    with pytest.raises(TaskFailure, match="standard input has none"):
        wait_for_input("value", HOUR, expected_type)


def test_what_cannot_be_approved_is_refused_when_compiling() -> None:
    @workflow
    def of_input(a: int) -> int:
        return approve(a, "g", timeout=HOUR)

    @workflow
    def of_nothing() -> None:
        approve(say(text="x"), "g", timeout=HOUR)  # type: ignore[func-returns-value]

    @workflow
    def of_two(a: int) -> int:
        return approve(pair(a=a), "g", timeout=HOUR)  # type: ignore[return-value]

    for wf, why in ((of_input, "an input of the workflow"), (of_nothing, "nothing"), (of_two, "several outputs")):
        with pytest.raises(CallError, match=f"gate 'g' is given {why}"):
            wf.compile()


def test_a_gate_can_be_ordered_as_a_node() -> None:
    @workflow
    def wf(a: int) -> int:
        first = create_node(inc, a=a)
        pause = sleep(HOUR)
        last = create_node(inc, a=first.o0)
        first >> pause
        pause >> last
        return last.o0  # type: ignore[no-any-return]

    assert wf(a=1) == 3
