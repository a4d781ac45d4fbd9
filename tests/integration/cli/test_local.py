"""`alula run --local`: the entity called in this process, as debuggers want it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli.programs import Shell


def test_a_local_run_prints_the_same_and_keeps_nothing(shell: Shell) -> None:
    done = shell.run("flow", "--a", "1", "--local")
    assert (done.exit_code, done.stdout) == (0, "5\n")
    assert [line.partition("  ")[0] for line in done.stderr.splitlines()[:4]] == [
        "✓ add",
        "✓ report",
        "✓ add",
        "✓ workflow flow succeeded",
    ]
    assert "no executions" in shell.alula("get", "executions").stderr


def test_files_may_go_elsewhere(shell: Shell) -> None:
    done = shell.run("write", "--text", "hello", "--local", "--raw-output-data-prefix", str(shell.home / "bucket"))
    assert Path(done.stdout.strip()).is_relative_to(shell.home / "bucket")
    done = shell.run("write", "--text", "hello", "--raw-output-data-prefix", "bucket")
    assert Path(done.stdout.strip()).is_relative_to(shell.home / "bucket")


def test_a_gate_is_opened_by_an_answer_or_by_a_line_of_input(shell: Shell) -> None:
    assert shell.run("asks", "--local", "--a", "1", "--answer", "how-many=4").stdout == "5\n"
    assert shell.run("asks", "--local", "--a", "1", stdin="4\n").stdout.endswith("5\n")


def test_a_gate_without_an_answer_says_how_to_give_one(shell: Shell) -> None:
    done = shell.run("asks", "--local", "--a", "1")
    assert done.exit_code == 1
    assert "--answer GATE=VALUE" in done.stderr


def test_a_failed_run_shows_the_users_frames_and_no_others(shell: Shell) -> None:
    done = shell.run("failing", "--local", "--a", "1")
    assert done.exit_code == 1
    assert "✗ workflow failing failed" in done.stderr
    assert "in broken" in done.stderr
    assert "ValueError: no 4 today" in done.stderr
    assert "in task 'shop.fails' (shop.py:" in done.stderr
    assert "attempt 2)" in done.stderr
    assert "walk.py" not in done.stderr
    assert "-v shows them" in done.stderr
    assert "walk.py" in shell.run("failing", "--local", "--a", "1", "-v").stderr


EXITS = [("slow", 4, "took longer than its timeout"), ("leaves", 1, "I am off"), ("interrupted", 3, "aborted")]


@pytest.mark.parametrize(("entity", "code", "said"), EXITS)
def test_exit_codes_say_how_a_run_ended(shell: Shell, entity: str, code: int, said: str) -> None:
    done = shell.run(entity, "--local")
    assert done.exit_code == code
    assert said in done.stderr


@pytest.mark.parametrize("words", [["--name", "x"], ["--detach"], ["--no-wait"]])
def test_what_needs_an_engine_does_not_go_with_it(shell: Shell, words: list[str]) -> None:
    done = shell.run("add", "--a", "1", "--local", *words)
    assert done.exit_code == 2
    assert "--local" in done.stderr
