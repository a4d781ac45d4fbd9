"""The plugin on a scripted engine: what it asks of the engine, and what it makes of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from alula import Resources, Secret, kwtypes
from alula._kits.records import replace
from alula.backends.docker import Docker
from alula.backends.docker.settings import DockerSettings, Pull
from alula.containers.engine.records import Container, Spec, Status
from alula.errors import ConfigError, NotReady, Rejected, RemoteError
from alula.hosting.task import Task
from alula.idl import TaskNodeOverrides, literals
from alula.plugin.phase import Phase
from alula.sdk.container import ContainerTask
from tests.servers.scripted_engine import Made, Script, ScriptedEngine
from tests.unit.backends.lending import lent, template_of

JOB = ContainerTask(
    name="job",
    image="tool:1",
    command=["tool", "{{.inputs.x}}"],
    arguments=["--all"],
    inputs=kwtypes(x=int),
    outputs=kwtypes(y=int),
    input_data_dir="/in",
    output_data_dir="/out",
    environment={"COLOR": "red"},
    requests=Resources(cpu="250m", mem="1Gi"),
    limits=Resources(mem="2Gi", gpu="1"),
    secret_requests=[Secret(group="db", key="pw", mount_requirement=Secret.MountType.FILE)],
)

PLAIN = ContainerTask(name="plain", image="tool:1", command=["tool"])


def attempt(tmp_path: Path, entity: ContainerTask = JOB) -> Task:
    inputs = {"x": literals.integer(4)} if entity is JOB else {}
    secrets = {"ALULA_SECRET_DB_PW": "s3cret"}
    return lent(template_of(entity), inputs, prefix=str(tmp_path / "attempt"), secrets=secrets)


@asynccontextmanager
async def plugin(script: Script, *, patience: float = 5.0, **settings: Any) -> AsyncIterator[Docker]:
    given = DockerSettings(**{"url": "script://engine", **settings})
    made = Docker(given, connect=lambda url: ScriptedEngine(script), patience_seconds=patience)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def test_a_task_becomes_a_container_with_all_that_it_asks_for(tmp_path: Path) -> None:
    script = Script(images=["tool:1"])
    async with plugin(script, environment={"COLOR": "blue", "SHAPE": "round"}, network="none", cpus=1.5) as docker:
        task = attempt(tmp_path)
        key = await docker.create(task)
    made = script.containers[key.name]
    spec = made.spec
    assert (spec.entrypoint, spec.args, spec.network) == (("tool", "4"), ("--all",), "none")
    assert (spec.environ["COLOR"], spec.environ["SHAPE"]) == ("red", "round")
    assert (spec.memory_bytes, spec.memory_request_bytes, spec.gpus) == (2 << 30, 1 << 30, 1)
    assert (spec.cpus, spec.cpu_request, spec.pids) == (1.5, 0.25, 4096)
    assert spec.labels.items() >= task.labels.items()
    assert made.files["/in/x"] == b"4"
    assert made.files["/etc/flyte/secrets/db/pw"] == b"s3cret"
    assert "s3cret" not in str(spec)
    assert made.container.status is Status.RUNNING


async def test_the_outputs_are_taken_out_and_nothing_stays(tmp_path: Path) -> None:
    script = Script(leaves={"/out/y": "8"}, images=["tool:1"])
    script.log = {(name := attempt(tmp_path).name): b"printed\n"}
    async with plugin(script) as docker:
        task = attempt(tmp_path)
        key = await docker.create(task)
        script.finish(name)
        [view] = await docker.get([key])
        assert not isinstance(view, RemoteError)
        assert docker.phase(task, view).phase is Phase.SUCCEEDED
        outputs = await docker.outputs(task, key, view)
        assert outputs is not None
        assert outputs.literals["y"].scalar.primitive.integer == 8
        await docker.delete(key)
    assert not script.containers
    assert (tmp_path / "attempt" / "log.txt").read_bytes() == b"printed\n"


async def test_one_that_was_made_and_never_started_counts_as_never_made(tmp_path: Path) -> None:
    script = Script(images=["tool:1"])
    task = attempt(tmp_path)
    half = Made(Spec(task.name, "tool:1"), Container("1", task.name, Status.CREATED))
    async with plugin(script) as docker:
        script.containers[task.name] = half
        assert await docker.find(task) is None
        assert not script.containers
        script.containers[task.name] = half
        await docker.create(task)
        assert script.containers[task.name] is not half
        assert await docker.find(task) is not None


async def test_one_that_runs_already_is_taken_up_and_not_started_twice(tmp_path: Path) -> None:
    script = Script(images=["tool:1"])
    async with plugin(script) as docker:
        first = await docker.create(attempt(tmp_path))
        made = script.containers[first.name]
        assert await docker.create(attempt(tmp_path)) == first
        assert script.containers[first.name] is made


async def test_a_restart_of_the_engine_is_seen_by_its_session(tmp_path: Path) -> None:
    script = Script(images=["tool:1"])
    async with plugin(script) as docker:
        task = attempt(tmp_path)
        key = await docker.create(task)
    script.restart()
    async with plugin(script) as docker:  # which has heard nothing of it
        [view] = await docker.get([key])
        assert not isinstance(view, RemoteError)
        info = docker.phase(task, view)
        assert info.failure is not None
        assert info.failure.code == "EngineRestarted"


async def test_nothing_is_concluded_while_an_engine_goes_down(tmp_path: Path) -> None:
    script = Script(images=["tool:1"])
    async with plugin(script) as docker:
        key = await docker.create(attempt(tmp_path))
        script.going_down = True
        script.end(key.name, 143)
        [view] = await docker.get([key])
        assert isinstance(view, RemoteError)


async def test_an_image_is_pulled_once_for_all_and_those_who_wait_are_told(tmp_path: Path) -> None:
    script = Script(registry=["tool:1"])
    script.slow_pull = asyncio.Event()
    async with plugin(script, patience=0.01) as docker:
        task = attempt(tmp_path, PLAIN)
        for _ in range(2):
            with pytest.raises(NotReady, match="tool:1 is being pulled"):
                await docker.create(task)
        script.slow_pull.set()
        await asyncio.sleep(0)
        while not script.images:
            await asyncio.sleep(0)
        await docker.create(task)
    assert script.pulls == ["tool:1"]


@pytest.mark.parametrize(
    ("pull", "images", "registry", "code", "pulls"),
    [
        (Pull.NEVER, (), ("tool:1",), "ImageMissing", 0),
        (Pull.MISSING, (), (), "ImageNotFound", 1),
        (Pull.MISSING, ("tool:1",), (), "", 0),
        (Pull.ALWAYS, ("tool:1",), ("tool:1",), "", 1),
    ],
)
async def test_the_policy_says_when_images_are_pulled(
    tmp_path: Path, pull: Pull, images: tuple[str, ...], registry: tuple[str, ...], code: str, pulls: int
) -> None:
    script = Script(images=images, registry=registry)
    async with plugin(script, pull=pull) as docker:
        if code:
            with pytest.raises(Rejected) as caught:
                await docker.create(attempt(tmp_path))
            assert caught.value.code == code
        else:
            await docker.create(attempt(tmp_path))
    assert len(script.pulls) == pulls


async def test_a_node_may_name_another_image(tmp_path: Path) -> None:
    script = Script(images=["other:2"])
    async with plugin(script) as docker:
        task = attempt(tmp_path)
        task.job = replace(task.job, overrides=TaskNodeOverrides(container_image="other:2"))
        await docker.create(task)
        assert script.containers[task.name].spec.image == "other:2"


async def test_a_mount_that_is_none_is_refused(tmp_path: Path) -> None:
    async with plugin(Script(images=["tool:1"]), mounts=("here",)) as docker:
        with pytest.raises(ConfigError, match="'here' is no mount"):
            await docker.create(attempt(tmp_path))


async def test_many_are_listed_at_once(tmp_path: Path) -> None:
    script = Script(images=["tool:1"])
    async with plugin(script) as docker:
        key = await docker.create(attempt(tmp_path))
        keys = [replace(key, name=f"gone{at}") for at in range(20)]
        *gone, there = await docker.get([*keys, key])
        assert all(isinstance(one, RemoteError) for one in gone)
        assert not isinstance(there, RemoteError)
        assert [one.name for one in await docker.owned()] == [key.name]
