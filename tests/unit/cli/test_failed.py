"""What is printed for an execution that did not end well."""

from __future__ import annotations

import traceback

import click
import pytest

from alula.cli.failed import card, exit_code
from alula.engine.state import Failure
from tests.unit.cli.tracebacks import CHAINED, MESSAGE


def shown(phase: str, failure: Failure, *, verbose: bool = False) -> list[str]:
    return click.unstyle(card("calm-otter", "workflow flow", phase, failure, verbose=verbose)).splitlines()


def test_a_card_names_the_node_and_what_comes_next() -> None:
    lines = shown("failed", Failure("USER:ValueError", MESSAGE, path="n1"))
    assert lines[0] == "✗ workflow flow failed in node n1  calm-otter"
    assert "  ValueError: no 4 today" in lines
    assert any(line.startswith("  2 attempts failed") and "with" not in line for line in lines)
    assert lines[-2].startswith("  alula logs calm-otter n1 ")
    assert lines[-1].startswith("  alula recover calm-otter ")


def test_a_path_that_a_shell_would_expand_is_quoted() -> None:
    lines = shown("failed", Failure("USER:ValueError", MESSAGE, path="n1[2]"))
    assert lines[0].endswith("failed in node n1[2]  calm-otter")
    assert lines[-2].startswith("  alula logs calm-otter 'n1[2]'  ")


@pytest.mark.parametrize("verbose", [False, True])
def test_a_message_does_nothing_to_a_terminal(verbose: bool) -> None:
    failure = Failure("USER:ValueError", "ValueError: \x1b[2Jcleared \x1b]0;title\x07\nand more")
    lines = shown("failed", failure, verbose=verbose)
    assert {"  ValueError: cleared", "  and more"} <= {line.rstrip() for line in lines}
    assert "\x1b" not in "".join(lines)


def test_a_card_of_a_group_shows_all_its_errors() -> None:
    try:
        raise ExceptionGroup("many", [ValueError("no 4 today"), KeyError("x")])
    except ExceptionGroup as exc:
        message = "".join(traceback.format_exception(exc))
    lines = shown("failed", Failure("USER:ExceptionGroup", message))
    at = lines.index("  ExceptionGroup: many (2 sub-exceptions)")
    assert lines[at + 1 : at + 3] == ["    1: ValueError: no 4 today", "    2: KeyError: 'x'"]
    assert "in test_a_card_of_a_group_shows_all_its_errors" in lines[2]


def test_a_verbose_card_shows_the_message_as_it_is() -> None:
    assert "  Traceback (most recent call last):" in "\n".join(shown("failed", Failure("X", CHAINED), verbose=True))


def test_a_card_of_an_abort_is_one_line() -> None:
    assert shown("aborted", Failure("Aborted", "enough")) == ["⊘ workflow flow aborted  calm-otter: enough"]


def test_the_failure_of_a_failure_node_is_told_too() -> None:
    lines = shown("failed", Failure("X", "first", secondary=Failure("Y", "second")))
    assert any("its failure node failed too: second" in line for line in lines)


CODES = [
    ("succeeded", "", 0),
    ("failed", "USER:ValueError", 1),
    ("aborted", "Aborted", 3),
    ("timed_out", "Timeout", 4),
    ("failed", "TimeoutExpired", 4),
    ("failed", "RetriesExhausted|TimeoutExpired", 4),
    ("failed", "RetriesExhausted|USER:TimeoutError", 1),
]


@pytest.mark.parametrize(("phase", "code", "expected"), CODES)
def test_the_exit_code_says_how_it_ended(phase: str, code: str, expected: int) -> None:
    assert exit_code(phase, Failure(code, "")) == expected
