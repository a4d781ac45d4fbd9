"""Container tasks called in this process, by a real container engine."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from alula import ContainerTask, Resources, Secret, kwtypes, task, workflow
from alula.containers.files.near import LABEL
from alula.errors import RemoteError, TaskFailure
from tests.servers.docker import BUSYBOX, Docker


@pytest.fixture(autouse=True)
def engine(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Docker]:
    """The engine that calls find; nothing of theirs is left there."""
    monkeypatch.setenv("DOCKER_HOST", docker.url)
    monkeypatch.setenv("DOCKER_CONFIG", str(docker.home))
    yield docker
    assert docker.containers(f"label={LABEL}") == []
    assert docker.volumes() == []


def shell(script: str, **more: object) -> ContainerTask:
    given = {"inputs": kwtypes(x=int), "outputs": kwtypes(y=int), "image": BUSYBOX, **more}
    return ContainerTask(
        name="calls.shell",
        command=["sh", "-c", script],
        input_data_dir="/var/inputs",
        output_data_dir="/var/outputs",
        **given,  # type: ignore[arg-type]
    )


double = shell("echo $(($(cat /var/inputs/x) * 2)) > /var/outputs/y; echo doubled")


@task
def plus_one(x: int) -> int:
    return x + 1


@workflow
def mixed(x: int) -> int:
    return double(x=plus_one(x=x))  # type: ignore[no-any-return]


def test_a_call_gives_the_output_and_shows_what_the_container_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert double(x=4) == 8
    assert capsys.readouterr().err == "doubled\n"
    assert mixed(x=4) == 10


def test_a_call_shows_nothing_if_it_is_not_to(capsys: pytest.CaptureFixture[str]) -> None:
    shell("echo loud; echo 1 > /var/outputs/y", local_logs=False)(x=1)
    assert capsys.readouterr().err == ""


def test_an_exit_code_is_an_error_with_the_end_of_the_log() -> None:
    with pytest.raises(TaskFailure, match=r"exit code 3; its log ends with:\nfirst\nlast") as caught:
        shell("echo first; echo last; exit 3")(x=1)
    assert caught.value.code == "USER:Exited"


def test_an_output_that_is_missing_names_where_it_should_be() -> None:
    with pytest.raises(TaskFailure, match="did not leave its outputs in /var/outputs: output 'y': there is no file y"):
        shell("true")(x=1)


def test_retries_and_timeouts_count_here_too(engine: Docker) -> None:
    with pytest.raises(TaskFailure, match=r"took longer than its timeout of 0\.5 s"):
        shell("sleep 30", timeout=timedelta(seconds=0.5))(x=1)
    assert engine.containers() == []
    with pytest.raises(TaskFailure, match="no luck"):
        shell("printf 'no luck' > /var/outputs/_ERROR", retries=1)(x=1)


@contextmanager
def slow_to_create(engine: Docker, at: Path, seconds: float) -> Iterator[tuple[str, threading.Event]]:
    """A socket that passes all on to an engine, and creations only after a while; the event says that one is done."""
    created = threading.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(engine.url.removeprefix("unix://"))
        creates = False

        async def asked() -> None:
            nonlocal creates
            while piece := await reader.read(1 << 16):
                creates = b"/containers/create" in piece
                await asyncio.sleep(seconds if creates else 0)
                back.write(piece)

        async def said() -> None:
            while piece := await there.read(1 << 16):
                writer.write(piece)
                if creates:
                    created.set()

        await asyncio.gather(asked(), said(), return_exceptions=True)
        back.close()
        writer.close()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(asyncio.start_unix_server(serve, at), loop).result()
        yield f"unix://{at}", created
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_container_that_is_made_too_late_is_removed_all_the_same(
    engine: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow_to_create(engine, tmp_path / "s", 1.5) as (url, created):
        monkeypatch.setenv("DOCKER_HOST", url)
        with pytest.raises(TaskFailure, match="took longer than its timeout"):
            shell("sleep 30", timeout=timedelta(seconds=0.5))(x=1)
        assert created.wait(10)
    assert engine.containers() == []


def test_what_a_killed_call_leaves_is_removed_by_the_next_one(engine: Docker, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from alula import ContainerTask\n"
        f"ContainerTask(name='calls.killed', image={BUSYBOX!r}, command=['sleep', '600'])()\n"
    )
    with subprocess.Popen([sys.executable, program], env={**os.environ, **engine.environ()}) as calling:
        end = time.monotonic() + 30
        while not engine.run("ps", "--quiet", f"--filter=label={LABEL}").strip() and time.monotonic() < end:
            time.sleep(0.05)
        calling.kill()
    assert len(engine.containers(f"label={LABEL}")) == 1
    assert double(x=4) == 8


def test_variables_secrets_and_limits_reach_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hush")
    found = shell(
        'printf "%s %s %s" "$GREETING" "$_FSEC_DB_PASSWORD" "$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes '
        '2>/dev/null || cat /sys/fs/cgroup/memory.max)" > /var/outputs/y',
        outputs=kwtypes(y=str),
        environment={"GREETING": "n={{.inputs.x}}"},
        secret_requests=[Secret(group="db", key="password")],
        limits=Resources(mem="64Mi"),
    )(x=7)
    assert found == f"n=7 hush {64 << 20}"


def test_an_image_that_nobody_has_is_said_with_its_name() -> None:
    with pytest.raises(RemoteError, match="localhost:1/none:1"):
        shell("true", image="localhost:1/none:1")(x=1)
