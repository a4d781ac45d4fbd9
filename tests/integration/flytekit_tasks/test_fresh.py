"""What flytekit registered, each attempt as a process that is started as its container would be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.flytekit_tasks.theirs import Engine, ends_everything

pytestmark = pytest.mark.timeout(120)


def test_dynamic_tasks_and_maps_give_what_they_give_in_warm_workers(fresh: Engine) -> None:
    maybe = fresh.run("maybe", n=3, wait=False)
    mapped = fresh.run("mapped", xs=[1, 2], factors=[10], shift=1, wait=False)
    assert maybe.outputs == {"o0": 6}
    assert mapped.outputs == {"o0": [11, 1021], "o1": 1032}


def test_a_task_finds_what_its_container_would_have(fresh: Engine) -> None:
    found = fresh.outputs("surroundings")["o0"]
    assert (found["colour"], found["imported"], found["attempt"]) == ("blue", "blue", "0")
    assert found["data"] == "some data"
    assert set(found["left"].split(",")) == {"helping", "jobs.py"}


def test_an_error_is_taken_from_its_file_though_the_exit_code_is_0(fresh: Engine) -> None:
    assert "ValueError: no bread" in fresh.error("fails", text="bread")


def test_a_process_that_dies_leaves_its_checkpoint(fresh: Engine, tmp_path: Path) -> None:
    assert fresh.outputs("dies_once", home=str(tmp_path)) == {"o0": len(b"saved")}


def test_an_exit_without_a_word_is_the_tasks_own_fault(fresh: Engine) -> None:
    run = fresh.run("leaves", code=3)
    assert "exit code 3" in str(run.error)
    assert len(run.attempts()) == 1


def test_an_abort_ends_all_that_a_task_started(fresh: Engine, tmp_path: Path) -> None:
    ends_everything(fresh, tmp_path)
