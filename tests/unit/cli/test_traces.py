"""What is read from the text of a traceback."""

from __future__ import annotations

import traceback

import pytest

from alula.cli.said import last_line
from alula.cli.traces import Traceback, read
from alula.types import simple
from tests.unit.cli.tracebacks import CHAINED, MESSAGE


def test_a_traceback_is_taken_apart() -> None:
    found = read(MESSAGE)
    assert found.before == "2 attempts failed, the last one with:"
    assert [(frame.lineno, frame.name, source) for frame, source in found.frames] == [
        (41, "fails", "return broken(a)"),
        (44, "broken", 'raise ValueError(f"no {a} today")'),
    ]
    assert found.error == ("ValueError: no 4 today", "in task 'shop.fails' (shop.py:40)")


def test_of_a_chain_the_last_error_counts() -> None:
    found = read(CHAINED)
    assert found.error == ("RuntimeError: cannot go on",)
    assert [frame.name for frame, _ in found.frames] == ["h"]


def test_a_message_without_a_traceback_is_all_error() -> None:
    assert read("out of memory\nfor good") == read("out of memory\nfor good\n")
    assert read("out of memory").error == ("out of memory",)


def told(exc: Exception, *, attempts: str = "") -> Traceback:
    """What is read of an error that is raised."""
    exc.add_note("in task 'shop.fails' (shop.py:40)")
    with pytest.raises(type(exc)):
        raise exc
    return read(attempts + "".join(traceback.format_exception(exc)))


ATTEMPTS = ["", "2 attempts failed, the last one with: "]


@pytest.mark.parametrize("attempts", ATTEMPTS)
@pytest.mark.parametrize("inner", [MESSAGE.partition("with: ")[2], CHAINED])
@pytest.mark.parametrize("lead", ["the tool failed:\n", ""])
def test_a_traceback_in_the_text_of_an_error_is_part_of_that_text(attempts: str, inner: str, lead: str) -> None:
    found = told(RuntimeError(lead + inner), attempts=attempts)
    assert found.before == attempts.strip()
    assert [frame.name for frame, _ in found.frames] == ["told"]
    text = f"RuntimeError: {lead}{inner}\nin task 'shop.fails' (shop.py:40)"
    assert found.error == tuple(text.splitlines())


def test_an_error_from_another_one_may_have_a_traceback_in_its_text() -> None:
    cause = RuntimeError("it ended with 1")
    try:
        raise cause
    except RuntimeError:
        error = RuntimeError(f"the tool failed:\n{CHAINED}")
        error.__cause__ = cause
    assert told(error).error[0] == "RuntimeError: the tool failed:"


def test_the_end_of_a_log_has_its_traceback_anywhere() -> None:
    found = read(f"it ended with 1; its log ends with:\nbegins\n{CHAINED}")
    assert found.error == ("RuntimeError: cannot go on",)
    assert found.before == "it ended with 1; its log ends with:\nbegins"


@pytest.mark.parametrize("attempts", ATTEMPTS)
def test_a_group_is_its_error_and_those_of_its_members(attempts: str) -> None:
    try:
        {}["y"]
    except KeyError as exc:
        raised = exc
    inner = ExceptionGroup("inner", [raised, OSError("disk")])
    found = told(ExceptionGroup("many", [ValueError("a\nb"), inner, TypeError("c")]), attempts=attempts)
    assert found.before == attempts.strip()
    assert [frame.name for frame, _ in found.frames] == ["told"]
    at = found.error[6]
    assert " at " in at
    assert at.endswith("in test_a_group_is_its_error_and_those_of_its_members")
    assert [line for line in found.error if line != at] == [
        "ExceptionGroup: many (3 sub-exceptions)",
        "in task 'shop.fails' (shop.py:40)",
        "  1: ValueError: a",
        "     b",
        "  2: ExceptionGroup: inner (2 sub-exceptions)",
        "       1: KeyError: 'y'",
        "       2: OSError: disk",
        "  3: TypeError: c",
    ]


def test_a_group_that_was_raised_in_a_group_is_read_like_one_that_was_not() -> None:
    try:
        raise ExceptionGroup("inner", [OSError("disk")])
    except ExceptionGroup as exc:
        raised = exc
    found = told(ExceptionGroup("many", [raised]))
    assert found.error[2] == "  1: ExceptionGroup: inner (1 sub-exception)"
    assert found.error[4:] == ("       1: OSError: disk",)


def test_of_a_chain_with_a_group_the_last_error_counts() -> None:
    group = ExceptionGroup("many", [ValueError("a")])
    plain = RuntimeError("cannot go on")
    plain.__cause__ = group
    assert told(plain).error[0] == "RuntimeError: cannot go on"
    group.__cause__ = KeyError("x")
    assert told(group).error[0] == "ExceptionGroup: many (1 sub-exception)"


def test_an_error_that_says_where_needs_no_frame_that_is_not_the_users() -> None:
    frame = f'  File "{simple.__file__}", line 12, in check\n    raise wrong()\n'
    error = "alula.errors.ConversionError: output 'o0' of 'f': expected str, got int: 2"
    place = "  where: flow.py:18"
    found = read(f"Traceback (most recent call last):\n{frame}{error}\n{place}\n")
    assert (found.frames, found.error, found.left_out) == ((), (error, place), 1)
    assert len(read(f"Traceback (most recent call last):\n{frame}{error}\n").frames) == 1


LINES = [
    (MESSAGE, "ValueError: no 4 today"),
    (CHAINED, "RuntimeError: cannot go on"),
    ("\nout of memory\nfor good", "out of memory"),
    (MESSAGE.replace("no 4 today", f"the tool failed:\n{CHAINED}"), "ValueError: the tool failed:"),
    ("", ""),
]


@pytest.mark.parametrize(("message", "expected"), LINES)
def test_in_one_line_a_message_is_the_beginning_of_its_error(message: str, expected: str) -> None:
    assert last_line(message) == expected
