"""Attempts as people count them: from 1, wherever a command shows or takes a number."""

from __future__ import annotations

import json

from alula.config import load
from tests.integration.cli.programs import Shell
from tests.integration.cli.test_pools import quarantine

FLOW = """
from alula import map_task, task, workflow

@task(retries=1)
def unsteady(a: int) -> int:
    print(f"try with {a}")
    raise ValueError("no")

@task
def double(a: int) -> int:
    print(f"doubling {a}")
    return 2 * a

@workflow
def mapped(xs: list[int]) -> list[int]:
    return map_task(double)(a=xs)

@workflow
def flow(a: int) -> int:
    return unsteady(a=a)
"""


def test_attempts_are_counted_from_1(shell: Shell) -> None:
    shell.add("shop_flow.py", FLOW)
    failed = shell.alula("run", "--name", "nightly", "shop_flow.py", "flow", "--a", "7")
    assert failed.exit_code == 1
    shown = shell.alula("get", "attempts", "nightly").stdout.splitlines()
    assert [line.split()[:2] for line in shown] == [["PATH", "ATTEMPT"], ["n0", "1"], ["n0", "2"]]
    assert shell.alula("get", "attempts", "nightly", "-o", "name").stdout.splitlines() == ["n0#1", "n0#2"]
    for_programs = json.loads(shell.alula("get", "attempts", "nightly", "-o", "json").stdout)
    assert [row["number"] for row in for_programs] == [0, 1]  # as flyteidl counts
    for number in ("1", "2"):
        assert "try with 7" in shell.alula("logs", "nightly", "n0", "--attempt", number).stdout
        assert shell.alula("get", "panels", "nightly", "n0", "--attempt", number).exit_code == 0
    assert shell.alula("get", "panels", "nightly", "n0", "--attempt", "0").exit_code == 2


def test_an_attempt_that_is_not_there_is_told_with_those_that_are(shell: Shell) -> None:
    shell.add("shop_flow.py", FLOW)
    shell.alula("run", "--name", "nightly", "shop_flow.py", "flow", "--a", "7")
    for words in (["logs", "nightly", "n0"], ["logs", "nightly", "n0", "-f"], ["get", "panels", "nightly", "n0"]):
        done = shell.alula(*words, "--attempt", "9")
        assert done.exit_code == 2
        assert "n0 of nightly has no attempt 9" in done.stderr
        assert "the attempts are 1 to 2" in done.stderr
    done = shell.alula("logs", "nightly", "--attempt", "9")
    assert done.exit_code == 2
    assert "nightly has no attempt 9" in done.stderr


def test_a_line_of_an_element_is_labelled_with_its_map(shell: Shell) -> None:
    shell.add("shop_flow.py", FLOW)
    shell.alula("run", "--name", "nightly", "shop_flow.py", "mapped", "--xs", "[1, 2]")
    said = shell.alula("logs", "nightly").stdout.splitlines()
    assert sorted(said) == ["n0[0] map_task(double) │ doubling 1", "n0[1] map_task(double) │ doubling 2"]
    assert "n0[1] map_task(double): " in shell.alula("why", "nightly", "n0[1]").stdout
    assert shell.alula("logs", "nightly", "n0[1]").stdout == "doubling 2\n"


def test_an_element_beyond_the_end_of_a_map_is_not_there(shell: Shell) -> None:
    shell.add("shop_flow.py", FLOW)
    shell.alula("run", "--name", "nightly", "shop_flow.py", "mapped", "--xs", "[1, 2]")
    for command in (
        ["why"],
        ["logs"],
        *(["get", what] for what in ("nodes", "attempts", "inputs", "outputs", "panels")),
    ):
        assert shell.alula(*command, "nightly", "n0[1]").exit_code == 0
        done = shell.alula(*command, "nightly", "n0[2]")
        assert done.exit_code == 2, command
        assert "execution nightly has no node 'n0[2]'" in done.stderr
    done = shell.alula("rerun", "nightly", "--node", "n0[2]")
    assert done.exit_code == 2
    assert "execution nightly has no node n0[2]" in done.stderr


def test_what_leaks_is_named_by_the_same_number(shell: Shell) -> None:
    quarantine(load().store_url)
    assert "n0#1" in shell.alula("leaks").stdout
