"""The Python client: sync and async, in memory and on a file, with real workers."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import alula
from alula import AsyncClient, Client, approve, map_task, task, wait_for_input, workflow
from alula.errors import (
    CallError,
    ConfigError,
    ConversionError,
    NameTaken,
    RequestError,
    TaskFailure,
    TaskTimeout,
    Unknown,
)


@task
def double(x: int) -> int:
    print("doubling", x)
    return 2 * x


@task
def fails(x: int) -> int:
    raise ValueError(f"no {x}")


@task(timeout=timedelta(seconds=0.1))
def hangs() -> int:
    threading.Event().wait(60)
    return 1


@task
def names(x: int) -> tuple[int, str]:
    return x, "x" * x


@workflow
def twice(x: int, extra: int = 0) -> int:
    return double(x=double(x=x))


@workflow
def broken(x: int) -> int:
    return fails(x=double(x=x))


@workflow
def asks(x: int) -> int:
    return approve(
        double(x=wait_for_input("n", timeout=timedelta(hours=1), expected_type=int)), "ok", timedelta(hours=1)
    )


every = map_task(double)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(memory=True) as made:
        yield made


def test_outputs_are_values_of_the_declared_types(client: Client) -> None:
    run = client.run(twice, x=3)
    assert (run.phase, run.outputs, run.result(), run.new) == ("succeeded", {"o0": 12}, 12, True)
    assert client.run(names, x=2).result() == (2, "xx")
    assert client.run(every, x=[1, 2]).result() == [2, 4]


def test_the_same_name_with_the_same_inputs_is_the_same_execution(client: Client) -> None:
    first = client.run(twice, name="nightly", x=3)
    again = client.run(twice, name="nightly", x=3)
    assert (first.new, again.new, again.outputs) == (True, False, {"o0": 12})
    with pytest.raises(NameTaken, match="x"):
        client.run(twice, name="nightly", x=4)


def test_inputs_that_do_not_fit_are_told_all_at_once(client: Client) -> None:
    with pytest.raises(CallError, match=r"'y' is no input.*'x' is missing"):
        client.run(twice, y=3)
    with pytest.raises(ConversionError):
        client.run(twice, x="three")
    with pytest.raises(RequestError, match="no name"):
        client.run(twice, name="Not A Name", x=3)


def test_a_failure_is_raised_where_outputs_are_asked_for(client: Client) -> None:
    run = client.run(broken, x=1)
    assert run.phase == "failed"
    with pytest.raises(TaskFailure, match="ValueError: no 2") as caught:
        _ = run.outputs
    assert caught.value.where == "node n1"
    assert f"alula recover {run.name}" in caught.value.fix
    assert [(node.path, node.phase) for node in run.nodes()] == [("", "failed"), ("n0", "succeeded"), ("n1", "failed")]
    assert [(line.path, line.text) for line in run.logs()] == [("n0", "doubling 1")]
    assert [one.path for one in run.attempts("n1")] == ["n1"]


def test_a_task_that_takes_too_long_is_a_timeout(client: Client) -> None:
    assert isinstance(client.run(hangs).error, TaskTimeout)


def test_recovery_and_reruns_are_new_executions(client: Client) -> None:
    run = client.run(broken, x=1)
    again = run.recover(name=f"{run.name}-again")
    assert (again.phase, again.name) == ("failed", f"{run.name}-again")
    assert [node.phase for node in again.nodes()] == ["failed", "recovered", "failed"]
    assert client.run(twice, x=3).rerun("n1").outputs == {"o0": 12}
    with pytest.raises(RequestError, match="nothing to recover"):
        client.run(twice, x=3).recover()


def test_gates_are_answered_by_values(client: Client) -> None:
    run = client.run(asks, x=1, wait=False)
    assert not run.ended
    with pytest.raises(TimeoutError):
        run.wait(0.1)
    assert {one.id for one in run.signals()} == {"n", "ok"}
    assert any("alula signal" in one.text for one in run.why())
    with pytest.raises(Unknown, match="waits for 'm'"):
        run.signal("m", 3)
    with pytest.raises((ConversionError, RequestError)):
        run.signal("n", "three")
    run.signal("n", 3)
    run.approve("ok")
    assert run.wait(30).outputs == {"o0": 6}
    assert client.run(asks, x=1, answers={"n": 4, "ok": True}).outputs == {"o0": 8}


def test_an_abort_ends_what_waits(client: Client) -> None:
    run = client.run(asks, x=1, wait=False)
    assert run.abort("enough").phase == "aborted"
    with pytest.raises(TaskFailure, match="enough"):
        _ = run.outputs


def test_executions_are_found_by_name_and_listed(client: Client) -> None:
    run = client.run(twice, name="found", x=1)
    assert client.get("found").outputs == {"o0": 4}
    assert "found" in [one.name for one in client.list(name="foun")]
    assert [news.record.phase for news in client.watch("found")] == ["succeeded"]
    with pytest.raises(Unknown, match="found"):
        client.get("foud")
    assert "found" in repr(run)


def test_what_was_registered_runs_by_its_name(client: Client) -> None:
    client.run(twice, x=1)
    name = twice.name
    assert client.run(name, x=5).outputs == {"o0": 20}
    with pytest.raises(Unknown, match="of version 'v9'") as caught:
        client.run(name, version="v9", x=5)
    assert name in caught.value.fix
    with pytest.raises(RequestError, match="inputs"):
        client.run(name, z=5)


async def test_the_async_client_says_the_same(tmp_path: Path) -> None:
    async with AsyncClient(str(tmp_path / "alula.db")) as client:
        run = await client.run(twice, x=3)
        assert await run.outputs() == {"o0": 12}
        assert [line.text async for line in run.logs("n0")] == ["doubling 3"]
        waiting = await client.run(asks, x=1, wait=False, name="waiting")
        phases = []
        async for news in client.watch("waiting"):
            phases.append(news.record.phase)
            if len(phases) == 1:
                await waiting.signal("n", 3)
                await waiting.approve("ok")
        assert phases[-1] == "succeeded"
    with pytest.raises(ConfigError, match="not open"):
        _ = client.house


def test_what_a_client_leaves_goes_on_with_the_next(tmp_path: Path) -> None:
    store = str(tmp_path / "alula.db")
    with Client(store) as one:
        run = one.run(asks, name="waiting", x=1, wait=False)
        assert not run.ended
    with Client(store, durability="relaxed") as other:
        left = other.get("waiting")
        left.signal("n", 3)
        left.approve("ok")
        again = other.run(asks, name="waiting", x=1)
        assert (again.new, again.outputs) == (False, {"o0": 6})


def test_a_client_that_was_closed_can_be_used_again(tmp_path: Path) -> None:
    client = Client(str(tmp_path / "runs.db"))
    for nth in range(2):
        with client:
            run = client.run(double, name=f"run-{nth}", x=nth)
            assert run.result() == 2 * nth
    with client:
        assert client.get("run-1").phase == "succeeded"


@pytest.mark.filterwarnings("error")
def test_a_closed_client_and_its_runs_say_so_and_start_nothing(tmp_path: Path) -> None:
    client = Client(str(tmp_path / "runs.db"))
    run = client.run(double, x=1)  # it opens by itself
    follows = run.logs(follow=True)
    client.close()
    client.close()
    before = set(threading.enumerate())
    for use in (
        run.result,
        run.refresh,
        run.nodes,
        run.recover,
        lambda: run.outputs,
        lambda: list(run.logs()),
        lambda: list(follows),
        client.list,
        lambda: client.run(double, x=2),
        lambda: client.get(run.name),
        lambda: list(client.watch(run.name)),
    ):
        with pytest.raises(ConfigError, match="the client is not open"):
            use()
    gc.collect()
    assert set(threading.enumerate()) == before
    assert run.phase == "succeeded"
    with client:
        assert client.get(run.name).result() == 2


def test_nothing_is_left_running(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with Client(str(tmp_path / "alula.db")) as client:
        client.run(twice, x=1)
    left = [one for one in threading.enumerate() if one not in before and one.name != "alula-bridge"]
    assert not left


def test_settings_of_a_client_are_checked() -> None:
    with pytest.raises(ConfigError, match="full, relaxed"):
        Client(durability="half")


SCRIPT = """
import alula

@alula.task
def double(x: int) -> int:
    return 2 * x

@alula.workflow
def twice(x: int) -> int:
    return double(x=double(x=x))

with alula.Client(memory=True) as client:
    print(client.run(twice, x=3).result())
"""


def test_a_script_runs_its_own_tasks_without_running_itself_again(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "12\n"), done.stderr


def test_importing_alula_loads_no_client() -> None:
    code = "import sys, alula; print([m for m in sys.modules if m.startswith(('alula.client', 'asyncio'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert alula.Client is Client
