"""Podman's service in the place of Docker's engine: what it does in other ways, through the same doors."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from alula import ContainerTask, Resources, kwtypes
from alula.containers.engine.docker import DockerEngine
from alula.containers.engine.records import Spec
from alula.containers.files.near import LABEL as OF_CALLS
from alula.containers.images.building import images
from alula.containers.images.context import Context
from alula.containers.images.recipe import Recipe
from alula.data.stores import Objects
from alula.errors import ImageError, TaskFailure
from tests.conftest import needs
from tests.integration.containers import test_docker as tasks
from tests.integration.containers.test_docker import BUSYBOX, SECRET, client, events, failure_of, ours, started
from tests.servers.podman import NoPodman, Podman, podman_service


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    try:
        with podman_service() as service:
            service.busybox()
            yield service
    except NoPodman as exc:
        needs("Podman", str(exc))


async def test_a_container_gets_what_settings_and_task_say_and_its_end_is_noticed_at_once(
    podman: Podman, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "note").write_text("from outside")
    heard: list[str] = []
    async with DockerEngine(podman.url) as engine:

        async def listen() -> None:
            async for event in engine.events(tasks.LABEL):
                heard.append(event.action if event else "")

        listening = asyncio.create_task(listen())
        async with client(podman, tmp_path, user="1234:1234", mounts=[f"{tmp_path}/here:/mnt/here"]) as alula:
            found = await (await alula.run(tasks.told)).outputs()
            limited = await (await alula.run(tasks.limited)).outputs()
        listening.cancel()
    assert {name: str(value).strip() for name, value in found.items()} == {
        "uid": "1234", "secret": SECRET, "word": "hello", "note": "from outside", "networks": "1", "attempt": "0",
    }  # fmt: skip
    assert (limited["memory"], limited["cpu"].split()[0]) == (96 << 20, "50000")
    assert {"", "create", "start", "die", "remove"} <= set(heard)
    assert (ours(podman), podman.volumes()) == ([], [])


async def test_every_end_has_its_own_code(podman: Podman, tmp_path: Path) -> None:
    async with client(podman, tmp_path) as alula:
        code, message = await failure_of(await alula.run(tasks.broken))
        assert (code, message.endswith("it is late")) == ("USER:Exited", True)
        code, message = await failure_of(await alula.run(tasks.unknown))
        assert (code, "no such file" in message) == ("CannotRun", True), message
        code, message = await failure_of(await alula.run(tasks.greedy))
        assert code == "NoDevice"
        code, message = await failure_of(await alula.run(tasks.absent))
        assert code == "ImageMissing"
        run = await alula.run(tasks.patient, wait=False)
        await started(podman)
        await run.abort("enough")
        assert (await run.wait()).phase == "aborted"
        [attempt] = await run.attempts("n0")
        assert (await Objects().read(attempt.log)).decode() == "begun\n"
    assert ours(podman) == []


async def test_the_end_of_a_log_has_lines_that_were_printed_in_pieces(podman: Podman) -> None:
    script = "echo zero; printf one; usleep 100000; printf two; usleep 100000; echo; printf three; usleep 100000"
    async with DockerEngine(podman.url) as engine:
        await engine.create(Spec("pieces", BUSYBOX, entrypoint=("sh", "-c", script)))
        try:
            await engine.start("pieces")
            await engine.wait("pieces")
            assert await engine.tail("pieces", 20) == "zero\nonetwo\nthree"
            assert await engine.tail("pieces", 2) == "onetwo\nthree"
        finally:
            await engine.remove("pieces")
        assert await engine.tail("pieces", 2) == ""


async def test_a_service_killed_under_a_task_leaves_nothing_and_the_task_succeeds(
    podman: Podman, tmp_path: Path
) -> None:
    def again(name: str) -> None:
        podman.stop(signal.SIGKILL)
        podman.start()

    with events(podman, "start", again) as met:
        async with client(podman, tmp_path) as alula:
            assert (await (await alula.run(tasks.twice, x=4)).outputs())["y"] == 8
    assert met
    assert ours(podman) == []


def test_a_call_runs_there_and_leaves_nothing(podman: Podman, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", podman.url)
    monkeypatch.setenv("DOCKER_CONFIG", str(podman.home))
    script = "echo 4 > /out/y; echo so; exit $0"

    def called(code: int) -> ContainerTask:
        return ContainerTask(
            name="called", image=BUSYBOX, command=["sh", "-c", script, str(code)],
            outputs=kwtypes(y=int), output_data_dir="/out", limits=Resources(mem="64Mi"),
        )  # fmt: skip

    assert called(0)() == 4
    with pytest.raises(TaskFailure, match=r"(?s)exit code 3.*so"):
        called(3)()
    assert podman.containers(f"label={OF_CALLS}") == []


async def test_an_image_is_built_there_and_a_failure_names_its_step(podman: Podman, tmp_path: Path) -> None:
    async with images(podman.url) as there:
        context = Context(Recipe(base=BUSYBOX, commands=("echo hello > /made",)))
        await there.build(context, "made:1")
        assert await there.content_of("made:1") == context.digest()
        with pytest.raises(ImageError, match=r"(?s)could not be built at Step \d/\d: it ended with exit code 3.*two"):
            await there.build(Context(Recipe(base=BUSYBOX, commands=("echo two; exit 3",))), "never:1")
    assert podman.run("run", "--rm", "--network=none", "made:1", "cat", "/made") == "hello\n"
