"""The plugin `docker` on a scripted engine and a real one, with everything that can go wrong at each of its calls."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import timedelta

import pytest

from alula import kwtypes
from alula.backends.docker import Docker
from alula.backends.docker.settings import DockerSettings, Pull
from alula.sdk.container import ContainerTask
from alula.testing.kit import Case, Grade, Harness, Remote, verify
from tests.servers import docker as servers
from tests.servers.fixtures import docker as docker
from tests.servers.scripted_engine import Script, ScriptedEngine
from tests.unit.backends.lending import template_of

JOB = ContainerTask(
    name="job",
    image=servers.BUSYBOX,
    command=["sh", "-c", "until [ -e /finish ]; do [ -e /fail ] && exit 7; sleep 0.05; done; echo 4 > /var/outputs/y"],
    inputs=kwtypes(x=int),
    outputs=kwtypes(y=int),
    input_data_dir="/var/inputs",
    output_data_dir="/var/outputs",
)


class ScriptedHarness(Harness):
    seconds = 12

    def remote(self) -> Script:
        return Script(leaves={"/var/outputs/y": "4"}, images=[servers.BUSYBOX])

    def plugin(self, remote: Script) -> Docker:
        return Docker(DockerSettings(url="script://engine", containers=0), connect=lambda url: ScriptedEngine(remote))

    def cases(self) -> Sequence[Case]:
        return [Case(template=template_of(JOB), inputs={"x": 2}, outputs={"y": 4})]


class Containers(Remote):
    """The containers of one run, on an engine that has those of others, too."""

    def __init__(self, engine: servers.Docker) -> None:
        self.engine = engine
        self.before = set(self._all("--all"))

    def _all(self, *options: str) -> list[str]:
        return self.engine.run("ps", "--format={{.Names}}", *options).split()

    def live(self) -> Sequence[str]:
        return [name for name in self._all() if name not in self.before]

    def finish(self, name: str) -> None:
        self._touch(name, "/finish")

    def fail(self, name: str) -> None:
        self._touch(name, "/fail")

    def _touch(self, name: str, path: str) -> None:
        subprocess.run(
            ["docker", "exec", name, "touch", path], env=self.engine.environ(), capture_output=True, check=False
        )

    def close(self) -> None:
        left = [name for name in self._all("--all") if name not in self.before]
        if left:
            self.engine.run("rm", "--force", *left)


class DockerHarness(ScriptedHarness):
    pace = 300
    seconds = 25
    aborts_within = timedelta(seconds=10)

    def __init__(self, engine: servers.Docker) -> None:
        self.engine = engine

    def remote(self) -> Containers:  # type: ignore[override]
        return Containers(self.engine)

    def plugin(self, remote: object) -> Docker:
        stop = timedelta(seconds=1)
        return Docker(
            DockerSettings(url=self.engine.url, containers=0, network="none", pull=Pull.NEVER, stop_grace=stop)
        )


def test_on_a_scripted_engine_no_fault_leaves_a_container_or_starts_one_twice() -> None:
    report = verify(ScriptedHarness(), pairs=60, seconds=12)
    print(report.text())
    assert report.grade is Grade.A, report.text()


@pytest.mark.timeout(300)
def test_on_a_real_engine_no_fault_leaves_a_container_or_starts_one_twice(docker: servers.Docker) -> None:
    report = verify(DockerHarness(docker))
    print(report.text())
    assert report.grade is Grade.A, report.text()
    assert docker.containers() == []
