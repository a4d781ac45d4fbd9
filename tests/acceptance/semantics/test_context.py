"""What a running task finds around it, and that nothing of it is left behind."""

import os
import threading
from pathlib import Path

import pytest

from alula import Deck, Secret, current_context, dynamic, map_task, task, workflow
from alula.errors import AlulaError

SEEN: list[object] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()


@task
def who() -> str:
    return current_context().task_id.name


@task
def place(x: int) -> str:
    here = Path(current_context().working_directory)
    assert list(here.iterdir()) == []
    (here / "file").write_text(str(x))
    assert current_context().working_directory == str(here)
    return str(here)


@task
def outer() -> list[str]:
    before = current_context().task_id.name
    inner = who()
    return [before, inner, current_context().task_id.name]


@task(enable_deck=True)
def reports(x: int) -> int:
    Deck("mine", f"<p>{x}</p>")
    SEEN.append([deck.name for deck in current_context().decks])
    return x


@task
def run_of() -> str:
    context = current_context()
    SEEN.append((context.execution_id.name, context.execution_date, context.raw_output_prefix))
    return context.execution_id.name


@dynamic
def dyn(n: int) -> list[str]:
    SEEN.append(current_context().task_id.name)
    return [who() for _ in range(n)]


def test_a_task_knows_its_own_name_at_every_depth() -> None:
    assert who().endswith("test_context.who")
    first, inner, again = outer()
    assert first == again
    assert first.endswith(".outer")
    assert inner.endswith(".who")
    assert [name.rpartition(".")[2] for name in dyn(n=2)] == ["who", "who"]
    assert SEEN[0].endswith(".dyn")


def test_the_body_of_a_workflow_is_no_task() -> None:
    @workflow
    def wf() -> str:
        SEEN.append(current_context().task_id.name)
        return who()

    wf()
    assert SEEN == ["local"]


def test_each_task_has_an_empty_directory_of_its_own() -> None:
    @workflow
    def wf() -> tuple[str, str, list[str]]:
        return place(x=1), place(x=2), map_task(place, concurrency=2)(x=[3, 4])

    one, other, more = wf()
    assert len({one, other, *more}) == 4
    assert Path(other, "file").read_text() == "2"
    assert os.getcwd() not in (one, other)


def test_decks_belong_to_one_task() -> None:
    @workflow
    def wf() -> tuple[int, int]:
        return reports(x=1), reports(x=2)

    wf()
    assert SEEN[0] == SEEN[1]
    assert SEEN[0].count("mine") == 1
    assert all(deck.name != "mine" for deck in current_context().decks)


def test_all_tasks_of_a_run_share_its_identity() -> None:
    @workflow
    def wf() -> tuple[str, str]:
        return run_of(), run_of()

    wf()
    assert SEEN[0] == SEEN[1]


def test_threads_of_a_task_do_not_disturb_those_of_another() -> None:
    barrier = threading.Barrier(4)

    @task
    def together(x: int) -> str:
        barrier.wait(10)
        return current_context().working_directory

    assert len(set(map_task(together, concurrency=4)(x=[0, 1, 2, 3]))) == 4


def test_an_unknown_attribute_is_named() -> None:
    @task
    def wrong() -> int:
        return current_context().spark_session

    with pytest.raises(AlulaError, match=r"(?s)spark_session.*wrong.*task_config"):
        wrong()


def test_a_secret_that_is_missing_says_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    @task(secret_requests=[Secret(group="g", key="k")])
    def secretive() -> str:
        return current_context().secrets.get("g", "k")

    with pytest.raises(AlulaError, match=r"(?s)g.*k"):
        secretive()
    monkeypatch.setenv("_FSEC_G_K", "value")
    assert secretive() == "value"


def test_after_errors_at_any_depth_the_context_is_as_before() -> None:
    before = current_context()

    @task
    def fails() -> int:
        raise ValueError("x")

    @task
    def catches() -> str:
        mine = current_context()
        with pytest.raises(ValueError, match="x"):
            fails()
        assert current_context() is mine
        return current_context().task_id.name

    assert catches().endswith(".catches")
    assert current_context() is before


def test_checkpoints_last_from_one_attempt_to_the_next() -> None:
    @task(retries=3)
    def counts() -> int:
        checkpoint = current_context().checkpoint
        n = int(checkpoint.read() or b"0")
        checkpoint.write(str(n + 1).encode())
        if n < 2:
            raise ValueError("again")
        return n

    assert counts() == 2
    assert counts() == 2
