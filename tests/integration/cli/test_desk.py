"""Commands where there is no store: they say so, and make none."""

from __future__ import annotations

import json

import pytest

from tests.integration.cli.programs import Shell

ODD = """
import math
from alula import task
@task
def odd() -> dict:
    return {"bytes": b"\\x01", "none": math.nan}
"""
LOOKING = [
    ["get", "executions"],
    ["get", "nodes", "nightly"],
    ["get", "attempts", "nightly"],
    ["get", "inputs", "nightly"],
    ["get", "outputs", "nightly"],
    ["get", "panels", "nightly", "n0"],
    ["logs", "nightly"],
    ["why", "nightly"],
    ["abort", "nightly"],
    ["approve", "nightly", "gate"],
    ["signal", "nightly", "gate", "1"],
    ["recover", "nightly"],
    ["rerun", "nightly"],
    ["pool", "list"],
    ["pool", "show", "pg"],
    ["plugin", "limit"],
    ["leaks"],
    ["gc", "--keep", "1"],
    ["cache", "clear"],
]


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_who_only_looks_makes_no_store_where_a_mistyped_url_points(shell: Shell, words: list[str]) -> None:
    for url in ("typo/alula.db", f"sqlite:///{shell.home}/typo/alula.db"):
        done = shell.alula(*words, "--store", url)
        assert done.exit_code == 2
        assert "there is no store at typo/alula.db" in done.stderr
        assert "where: --store" in done.stderr
        assert "fix:" in done.stderr
        assert not (shell.home / "typo").exists()


def test_a_store_that_settings_name_and_nobody_made_is_told_with_the_setting(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALULA__STORE__URL", "typo.db")
    done = shell.alula("get", "executions")
    assert done.exit_code == 2
    assert "where: store.url" in done.stderr
    assert not (shell.home / "typo.db").exists()
    assert shell.run("add", "--a", "1", "--name", "first").exit_code == 0  # what runs makes it
    assert shell.alula("get", "executions", "-o", "name").stdout == "first\n"


def test_a_newcomer_is_told_that_there_is_nothing_yet(shell: Shell) -> None:
    done = shell.alula("get", "executions")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no executions yet: alula run FILE ENTITY" in done.stderr
    assert json.loads(shell.alula("get", "executions", "-o", "json").stdout) == []
    for words in LOOKING:
        done = shell.alula(*words)
        assert done.exit_code in (0, 2), (words, done.stderr)
        if words[1:2] == ["nightly"]:
            assert "no execution 'nightly'" in done.stderr
    facts = json.loads(shell.alula("doctor", "-o", "json").stdout)
    assert (facts["store"]["there"], facts["store"]["trouble"]) == (False, "")
    assert "not there yet" in shell.alula("doctor").stdout
    assert not (shell.home / "alula-home" / "alula.db").exists()


def test_what_is_said_of_a_pool_makes_the_store_that_keeps_it(shell: Shell) -> None:
    assert shell.alula("pool", "set", "pg", "3", "--store", "new.db").exit_code == 0
    assert "pg" in shell.alula("pool", "list", "--store", "new.db").stdout
    assert shell.alula("plugin", "limit", "sql", "concurrent", "8", "--store", "newer.db").exit_code == 0
    assert "concurrent" in shell.alula("plugin", "limit", "--store", "newer.db").stdout


def test_what_json_has_no_form_for_is_printed_as_text(shell: Shell) -> None:
    shell.add("shop_odd.py", ODD)
    assert shell.alula("run", "--name", "nightly", "shop_odd.py", "odd").exit_code == 0
    for words in (["get", "outputs", "nightly"], ["run", "-q", "--name", "nightly", "shop_odd.py", "odd"]):
        said = shell.alula(*words, "-o", "json")
        found = json.loads(said.stdout, parse_constant=pytest.fail)
        assert found.get("o0", found) == {"bytes": "01", "none": "NaN"}
