"""What flytekit registered, run by the durable engine in warm workers that have the real flytekit."""

from __future__ import annotations

from pathlib import Path

import pytest

from alula.client.synchronous import Run
from tests.integration.flytekit_tasks.theirs import Engine, ends_everything

pytestmark = pytest.mark.timeout(120)


def test_a_workflow_of_tasks_gives_what_flytekit_gives(warm: Engine) -> None:
    assert warm.outputs("chain", x=5) == {"total": 30, "text": "SUM=30!"}


def test_frames_files_and_directories_pass_from_task_to_task(warm: Engine) -> None:
    assert warm.outputs("data", rows=5, text="written") == {"o0": 10, "o1": "written", "o2": 5}


def test_files_of_nodes_within_others_are_where_flytekit_says(warm: Engine) -> None:
    assert warm.outputs("nested_files", count=3) == {"o0": [0, 1, 2], "o1": [0, 2]}


def test_records_pass_from_task_to_task(warm: Engine) -> None:
    made = warm.outputs("points", p={"x": 1, "label": "here"})["o0"]
    assert (made.x, made.label) == (14, "HERE") if not isinstance(made, dict) else made == {"x": 14, "label": "HERE"}


def test_dynamic_tasks_make_nodes_each_time_anew(warm: Engine) -> None:
    assert warm.outputs("grown", n=4) == {"o0": [0, 2, 4, 6], "o1": 8, "o2": 1}
    assert warm.outputs("grown", n=3) == {"o0": [0, 2, 4], "o1": 6, "o2": 1}


def test_a_map_takes_its_items_and_binds_the_rest(warm: Engine) -> None:
    scaled = [1 * 30 + 5, 2 * 30 + 5 + 1000, 3 * 30 + 5 + 2000]
    assert warm.outputs("mapped", xs=[1, 2, 3], factors=[10, 20], shift=5) == {"o0": scaled, "o1": sum(scaled)}


def test_a_map_that_may_fail_in_part_leaves_gaps(warm: Engine) -> None:
    assert warm.outputs("partly", xs=[2, 3, 4]) == {"o0": [2, None, 4]}


def test_what_user_code_raises_is_the_users_and_is_not_tried_again(warm: Engine) -> None:
    run = warm.run("fails", text="bread")
    assert "ValueError: no bread" in str(run.error)
    [attempt] = run.attempts()
    assert attempt.failure is not None
    assert attempt.failure.code.startswith("USER:")


@pytest.fixture(scope="module")
def tried(warm: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Runs that wait between their attempts, all at a time."""
    home = str(tmp_path_factory.mktemp("tried"))
    return {
        "fails_twice": warm.run("fails_twice", home=home, wait=False),
        "goes_on": warm.run("goes_on", wait=False),
        "dies_once": warm.run("dies_once", home=home, wait=False),
    }


def test_recoverable_errors_are_tried_again(tried: dict[str, Run]) -> None:
    assert tried["fails_twice"].outputs == {"o0": 2}


def test_checkpoints_reach_the_next_attempt(tried: dict[str, Run]) -> None:
    run = tried["goes_on"]
    assert run.outputs == {"o0": 2}
    assert len(run.attempts()) == 3


def test_a_checkpoint_outlives_the_process_that_saved_it(tried: dict[str, Run]) -> None:
    assert tried["dies_once"].outputs == {"o0": len(b"saved")}


def test_a_task_that_calls_sys_exit_fails_at_once_and_by_its_own_fault(warm: Engine) -> None:
    run = warm.run("leaves", code=3)
    [attempt] = run.attempts()
    assert attempt.failure is not None
    assert (attempt.failure.code, "sys.exit(3)" in str(run.error)) == ("USER:Exited", True)


def test_decks_lie_beside_the_outputs(warm: Engine) -> None:
    run = warm.run("with_deck", n=7)
    [deck] = Path(warm.config.data_prefix).rglob(f"*{run.name}*/**/deck.html")
    assert "7 numbers" in deck.read_text()


def test_a_task_finds_what_its_container_would_have(warm: Engine) -> None:
    run = warm.run("surroundings")
    found = run.outputs["o0"]
    assert (found["colour"], found["imported"]) == ("blue", "blue")
    assert found["execution"] == run.name
    assert (found["task"], found["version"], found["attempt"]) == ("jobs.surroundings", "v1", "0")
    assert found["pythonpath"] == ""
    assert found["data"] == "some data"
    assert set(found["left"].split(",")) == {"helping", "jobs.py"}


def test_what_a_task_prints_is_its_log(warm: Engine) -> None:
    run = warm.run("double", x=21)
    assert run.outputs == {"o0": 42}
    assert [line.text for line in run.logs() if line.text] == ["doubling 21"]
    silent = warm.run("nothing")
    assert not list(Path(warm.config.data_prefix).rglob(f"*{silent.name}*/**/log.txt"))


def test_an_abort_ends_all_that_a_task_started(warm: Engine, tmp_path: Path) -> None:
    ends_everything(warm, tmp_path)
    assert (tmp_path / "cleaned").exists(), "the task is told by an exception, and has time to clean up"
