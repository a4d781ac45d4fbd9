"""`alula run` of a container task on a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.k8s.cluster import Kubelet
from tests.servers.kube.kinds import Manifest
from tests.servers.kube.server import kube_server

PROGRAM = """
from alula import kwtypes, workflow
from alula.sdk.container import ContainerTask

hello = ContainerTask(
    name="wf.hello", image="localhost/x:1", command=["echo", "{{.inputs.n}}"], inputs=kwtypes(n=int)
)


@workflow
def wf(n: int = 3) -> None:
    hello(n=n)
"""
SETTINGS = """
[backends.k8s]
url = "{url}"
namespace = "alula"
"""


@pytest.mark.timeout(120)
def test_a_container_task_runs_as_a_pod_by_the_command_line(tmp_path: Path) -> None:
    commands: list[list[str]] = []

    def life(kubelet: Kubelet, pod: Manifest) -> None:
        commands.append(pod["spec"]["containers"][0]["command"])
        kubelet.succeed(pod)

    (tmp_path / "wf.py").write_text(PROGRAM)
    with kube_server() as server:
        server.namespace("alula")
        Kubelet(server, life)
        (tmp_path / "alula.toml").write_text(SETTINGS.format(url=server.url))
        done = subprocess.run(
            [sys.executable, "-m", "alula.cli.main", "run", "wf.py", "wf", "--n", "5"],
            cwd=tmp_path,
            env={**os.environ, "ALULA__BACKENDS__K8S__TOKEN": server.token},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert commands == [["echo", "5"]]
        assert server.pods() == [], "the run waits until nothing is left"
