"""Tasks in containers of a real engine, through the real engine of ours: limits, ends, identities, images, outages."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alula import AsyncClient, Resources, Secret, kwtypes
from alula.client.asynchronous import AsyncRun
from alula.config import Config, SecretsConfig
from alula.data.stores import Objects
from alula.sdk.container import ContainerTask
from tests.conftest import needs
from tests.servers.docker import BUSYBOX, Docker
from tests.servers.registry import PASSWORD, USER, NoRegistry, Registry, image_registry

SECRET = "c4n4ry-s3cret"
IN, OUT = "/var/inputs", "/var/outputs"
LABEL = "alula.dev/store"


def shell(name: str, script: str, image: str = BUSYBOX, **options: Any) -> ContainerTask:
    return ContainerTask(name=f"docker.{name}", image=image, command=["sh", "-c", script], **options)


told = shell(
    "told",
    f"""cd {OUT}; id -u > uid; cat $FLYTE_SECRETS_DEFAULT_DIR/db/pw > secret; echo $GREETING > word
    cat /mnt/here/note > note; ip addr | grep -c ^[0-9] > networks; echo $FLYTE_ATTEMPT_NUMBER > attempt""",
    outputs=kwtypes(uid=str, secret=str, word=str, note=str, networks=int, attempt=int),
    output_data_dir=OUT,
    environment={"GREETING": "hello"},
    secret_requests=[Secret(group="db", key="pw", mount_requirement=Secret.MountType.FILE)],
)
limited = shell(
    "limited",
    f"""cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null > {OUT}/memory
    cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null > {OUT}/pids
    cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null > {OUT}/cpu; true""",
    outputs=kwtypes(memory=int, pids=int, cpu=str),
    output_data_dir=OUT,
    limits=Resources(mem="96Mi", cpu="500m"),
)
hungry = shell("hungry", "head -c 300000000 /dev/zero | tail", limits=Resources(mem="32Mi"))
broken = shell("broken", "echo it is $1 late; exit 3")
patient = shell("patient", "echo begun; while true; do sleep 0.1; done")
quick = shell("quick", f"echo 5 > {OUT}/y", outputs=kwtypes(y=int), output_data_dir=OUT)
twice = shell(
    "twice",
    f"echo $(( $(cat {IN}/x) * 2 )) > {OUT}/y",
    inputs=kwtypes(x=int),
    outputs=kwtypes(y=int),
    input_data_dir=IN,
    output_data_dir=OUT,
)
survivor = shell(
    "survivor",
    f"[ $FLYTE_ATTEMPT_NUMBER -gt 0 ] || sleep 60; echo $FLYTE_ATTEMPT_NUMBER > {OUT}/y",
    outputs=kwtypes(y=int),
    output_data_dir=OUT,
)
obedient = shell(
    "obedient",
    f"""echo $FLYTE_ATTEMPT_NUMBER > {OUT}/y; trap 'exit 0' TERM
    [ $FLYTE_ATTEMPT_NUMBER -gt 0 ] || {{ sleep 60 & wait; }}""",
    outputs=kwtypes(y=int),
    output_data_dir=OUT,
)
absent = shell("absent", "true", image="alula-there-is-none:1")
greedy = ContainerTask(name="docker.greedy", image=BUSYBOX, command=["true"], limits=Resources(gpu="1"))
unknown = ContainerTask(name="docker.unknown", image=BUSYBOX, command=["no-such-program"])


@asynccontextmanager
async def client(docker: Docker | None, home: Path, **settings: object) -> AsyncIterator[AsyncClient]:
    """Engines of the same home share a store."""
    given = {"url": docker.url if docker else "", "network": "none", "stop_grace": 1.0, "pull": "never", **settings}
    (home / "secrets" / "db").mkdir(parents=True, exist_ok=True)
    (home / "secrets" / "db" / "pw").write_text(SECRET)
    (home / "secrets" / "registry").write_text(f"{USER}:{PASSWORD}")
    config = Config(home=home, data=str(home / "data"), secrets=SecretsConfig(home / "secrets"))
    async with AsyncClient(config=replace(config, backends={"docker": given})) as made:
        yield made
        async with asyncio.timeout(30):  # what was to be cleaned up while the engine was away is tried again
            await (await made.engine()).until_idle()


async def failure_of(run: AsyncRun) -> tuple[str, str]:
    """The code and the message of its last attempt."""
    *_, attempt = await run.attempts("n0")
    assert run.phase == "failed"
    assert attempt.failure is not None
    return attempt.failure.code, attempt.failure.message


async def started(docker: Docker, *names: str) -> list[str]:
    """Our containers, once one runs."""
    async with asyncio.timeout(30):
        while not (found := docker.run("ps", f"--filter=label={LABEL}", "--format={{.Names}}").split()):
            await asyncio.sleep(0.05)
    return found


def ours(docker: Docker) -> list[str]:
    return docker.containers(f"label={LABEL}")


async def test_a_container_gets_what_settings_and_task_say_and_leaves_no_trace(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "note").write_text("from outside")
    inspected: list[str] = []
    volumes = docker.volumes()
    with events(docker, "start", lambda name: inspected.append(docker.run("inspect", name))):
        async with client(docker, tmp_path, user="1234:1234", mounts=[f"{tmp_path}/here:/mnt/here"]) as alula:
            run = await alula.run(told)
            found = await run.outputs()
    assert {name: str(value).strip() for name, value in found.items()} == {
        "uid": "1234", "secret": SECRET, "word": "hello", "note": "from outside", "networks": "1", "attempt": "0",
    }  # fmt: skip
    assert inspected
    assert SECRET not in inspected[0]
    assert ours(docker) == []
    assert docker.volumes() == volumes
    assert docker.networks() == []


async def test_memory_cpu_and_processes_are_limited(docker: Docker, tmp_path: Path) -> None:
    async with client(docker, tmp_path, pids=77) as alula:
        found = await (await alula.run(limited)).outputs()
    assert found["memory"] == 96 << 20
    assert found["pids"] == 77
    assert found["cpu"].split()[0] == "50000"


async def test_every_end_has_its_own_code_and_whoever_caused_it_pays(docker: Docker, tmp_path: Path) -> None:
    async with client(docker, tmp_path) as alula:
        code, message = await failure_of(await alula.run(broken))
        assert code == "USER:Exited"
        assert "exit code 3" in message
        assert message.endswith("it is late")
        code, message = await failure_of(await alula.run(hungry))
        assert code == "OOMKilled"
        assert "memory limit" in message
        code, message = await failure_of(await alula.run(unknown))
        assert code == "CannotRun"
        code, message = await failure_of(await alula.run(greedy))
        assert code == "NoDevice"
        code, message = await failure_of(await alula.run(absent))
        assert code == "ImageMissing"
        assert "alula-there-is-none:1" in message
    assert ours(docker) == []


async def test_one_that_somebody_kills_is_tried_again_at_no_cost(docker: Docker, tmp_path: Path) -> None:
    async with client(docker, tmp_path) as alula:
        run = await alula.run(survivor, wait=False)
        [name] = await started(docker)
        docker.run("kill", name)
        assert (await (await run.wait()).outputs())["y"] == 1
        first, _ = await run.attempts("n0")
        assert first.failure is not None
        assert (first.failure.code, first.failure.kind) == ("Killed", "system")


async def test_one_that_ends_well_because_it_was_told_to_has_not_succeeded(docker: Docker, tmp_path: Path) -> None:
    async with client(docker, tmp_path) as alula:
        run = await alula.run(obedient, wait=False)
        [name] = await started(docker)
        docker.run("stop", name)
        assert (await (await run.wait()).outputs())["y"] == 1
        first, _ = await run.attempts("n0")
        assert first.failure is not None
        assert (first.failure.code, first.failure.kind) == ("Killed", "system")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_restart_of_the_engine_is_told_apart_and_costs_the_user_nothing(
    docker: Docker, tmp_path: Path, how: signal.Signals
) -> None:
    async with client(docker, tmp_path) as alula:
        run = await alula.run(survivor, wait=False)
        await started(docker)
        await asyncio.to_thread(docker.stop, how)
        await asyncio.to_thread(docker.start)
        assert (await (await run.wait()).outputs())["y"] == 1
        first, _ = await run.attempts("n0")
        assert first.failure is not None
        assert (first.failure.code, first.failure.kind) == ("EngineRestarted", "system")
    assert ours(docker) == []


@pytest.mark.parametrize("action", ["create", "extract-to-dir", "start", "die", "archive-path", "destroy"])
async def test_an_engine_killed_at_any_step_leaves_nothing_and_the_task_succeeds(
    docker: Docker, tmp_path: Path, action: str
) -> None:
    def again(name: str) -> None:
        docker.stop(signal.SIGKILL)
        docker.start()

    volumes = docker.volumes()
    with events(docker, action, again) as met:
        async with client(docker, tmp_path) as alula:
            assert (await (await alula.run(twice, x=4)).outputs())["y"] == 8
    assert met, f"there was no {action}"
    assert ours(docker) == []
    assert docker.volumes() == volumes


async def test_abort_stops_and_removes_the_container_and_keeps_its_log(docker: Docker, tmp_path: Path) -> None:
    async with client(docker, tmp_path) as alula:
        run = await alula.run(patient, wait=False)
        await started(docker)
        await run.abort("enough")
        assert (await run.wait()).phase == "aborted"
        [attempt] = await run.attempts("n0")
        assert (await Objects().read(attempt.log)).decode() == "begun\n"
    assert ours(docker) == []


async def test_what_leaks_is_listed_by_its_label_and_removed_on_demand(docker: Docker, tmp_path: Path) -> None:
    async with client(docker, tmp_path) as alula:
        tag = await alula.house.store.tag()
        name = f"a{tag}{'0' * 32}"
        docker.run("run", "-d", f"--label={LABEL}={tag}", f"--name={name}", "--network=none", BUSYBOX, "sleep", "600")
        docker.run("create", f"--label={LABEL}=other", "--name=a0000other", "--network=none", BUSYBOX, "true")
        found = await alula.leaks()
        assert [(leak.plugin, leak.name) for leak in found.leaks] == [("docker", name)]
        assert (await alula.leaks(reclaim=True)).leaks[0].reclaimed
    assert ours(docker) == ["a0000other"]
    docker.run("rm", "a0000other")


async def test_without_an_engine_one_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(variable, raising=False)
    async with client(None, tmp_path) as alula:
        code, message = await failure_of(await alula.run(quick))
    assert code == "NoContainerEngine"
    assert "there is no container engine on this machine" in message
    assert "alula doctor" in message


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    try:
        with image_registry() as found:
            yield found
    except NoRegistry as exc:
        needs("a registry of images", str(exc))


async def test_images_are_pulled_with_the_credentials_of_the_settings(
    docker: Docker, registry: Registry, tmp_path: Path
) -> None:
    image = f"{registry.name}/tools/busybox:1"
    docker.run("tag", BUSYBOX, image)
    docker.environ()
    registry.login(docker.home / "client")
    docker.run("push", image)
    (docker.home / "client" / "config.json").unlink()
    docker.run("rmi", image)
    pulled = ContainerTask(
        name="docker.pulled", image=image, command=["sh", "-c", f"echo 1 > {OUT}/y"],
        outputs=kwtypes(y=int), output_data_dir=OUT,
    )  # fmt: skip
    globals()["pulled"] = pulled
    async with client(docker, tmp_path / "none", pull="missing") as alula:
        code, message = await failure_of(await alula.run(pulled))
        assert code == "ImagePullDenied"
        assert "registries" in message
    named = {registry.name: "registry"}
    async with client(docker, tmp_path / "some", pull="missing", registries=named) as alula:
        assert (await (await alula.run(pulled)).outputs())["y"] == 1
    async with client(docker, tmp_path / "anew", pull="always", registries=named) as alula:
        assert (await (await alula.run(pulled)).outputs())["y"] == 1
        unheard = replace_image(pulled, f"{registry.name}/tools/nothing:1")
        globals()["unheard"] = unheard
        code, _ = await failure_of(await alula.run(unheard))
        assert code == "ImageNotFound"
    assert base64.b64encode(PASSWORD.encode()).decode() not in docker.run("inspect", image)
    docker.run("rmi", image)


def replace_image(task: ContainerTask, image: str) -> ContainerTask:
    return ContainerTask(name="docker.unheard", image=image, command=task.command)


@contextmanager
def events(docker: Docker, wanted: str, then: Any) -> Iterator[list[str]]:
    """Inside the block the first event of that kind, of a container of ours, is followed by `then(name)`."""
    command = ["docker", "events", "--filter=type=container", "--format={{json .}}"]
    told = subprocess.Popen(command, env=docker.environ(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    met: list[str] = []

    def listen() -> None:
        assert told.stdout is not None
        for line in told.stdout:
            event = json.loads(line)
            name = event["Actor"]["Attributes"]["name"]
            if event["Action"] == wanted and LABEL in event["Actor"]["Attributes"] and not met:
                met.append(name)
                then(name)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield met
    finally:
        if met or wanted == "destroy":  # the last of all: it may still be on its way
            listener.join(0.5)
        told.kill()
        told.wait()
        listener.join()
