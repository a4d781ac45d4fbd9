from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from alula.cli.plugin_verify import verify

MODULE = """
from alula.testing.kit.clouds import CloudPlugin, SyncHarness as Good, CloudHarness


class Careless(CloudPlugin):
    async def delete(self, key):
        return None


class Bad(CloudHarness):
    def plugin(self, remote):
        return Careless(remote)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "acme_verified.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "acme_verified"


def test_a_plugin_that_keeps_its_promises_ends_with_0(module: str) -> None:
    done = CliRunner().invoke(verify, [f"{module}:Good", "--pairs", "5"])
    assert done.exit_code == 0
    assert "doubler (SyncPlugin): grade A" in done.output
    assert "fault points in" in done.output


def test_one_that_breaks_a_promise_ends_with_1_and_shows_the_run(module: str) -> None:
    done = CliRunner().invoke(verify, [module])
    assert done.exit_code == 1
    assert "grade F" in done.output
    assert "counterexample" in done.output
    assert "delete JobKey" in done.output


def test_machines_get_the_same(module: str) -> None:
    done = CliRunner().invoke(verify, [module, "-o", "json"])
    (report,) = json.loads(done.output)
    assert (report["grade"], report["harness"]) == ("F", "Bad")
    assert report["counterexample"]["story"]


def test_a_package_without_a_harness_is_told_how_to_write_one() -> None:
    done = CliRunner().invoke(verify, ["acme_no_such_package"])
    assert done.exit_code == 1
    assert "write a subclass of alula.testing.Harness" in done.output


def test_a_harness_that_is_not_there_is_said_so(module: str) -> None:
    done = CliRunner().invoke(verify, [module, "--only", "Nobody"])
    assert done.exit_code == 1
    assert "has no harness 'Nobody'" in done.output
