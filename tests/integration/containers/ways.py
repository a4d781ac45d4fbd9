"""Ways to run a container task: as a process, called here, by the engine with Docker or with pods."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.k8s.cluster import Kubelet, change_key
from tests.servers.docker import Docker
from tests.servers.kube.kinds import Manifest
from tests.servers.kube.server import KubeServer, kube_server

PROGRAMS = Path(__file__).parent / "programs"
IMAGE = "alula-mirror:1"
_COPILOT = [sys.executable, "-c", "from alula.containers.files.copilot import main; main()"]


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    def outputs(self) -> dict[str, Any]:
        assert self.code == 0, self.out + self.err
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass(frozen=True)
class Way:
    """How `alula` is asked to run a task of the programs."""

    words: tuple[str, ...]
    """Before the file; `alula run` or another command."""
    after: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)

    def run(self, here: Path, entity: str, *words: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "alula.cli.main", *self.words, "flows.py", entity, *self.after, *words],
            cwd=here,
            env={**os.environ, "ALULA_HOME": str(here / "home"), "MIRROR_IMAGE": IMAGE, **self.environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def workbench(folder: Path) -> Path:
    """A directory with the programs, the one in C compiled; nothing of it depends on libraries."""
    for path in PROGRAMS.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    compiled = ["cc", "-O1", "-Wall", "-Werror", "-static", "-o", "mirror", "mirror.c"]
    subprocess.run(compiled, cwd=folder, check=True, timeout=60)
    return folder


def image(docker: Docker, bench: Path) -> str:
    """An image with a shell, Node, and the programs."""
    if not docker.has(IMAGE):
        with tempfile.TemporaryDirectory() as made:
            root = Path(made)
            commands = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
            (root / "bin").mkdir()
            shutil.copy(shutil.which("busybox") or "", root / "bin" / "busybox")
            for name in set(commands) - {"busybox"}:
                (root / "bin" / name).symlink_to("busybox")
            for name in ("tmp", "proc", "sys", "dev", "etc"):
                (root / name).mkdir()
            shutil.copytree(bench, root / "app")
            node = Path(shutil.which("node") or "").resolve()
            for path in [node, *_libraries(node)]:
                to = root / str(path).lstrip("/")
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to)
            (root / "bin" / "node").symlink_to(node)
            docker.make(IMAGE, root, "ENV PATH=/bin")
    return IMAGE


def _libraries(program: Path) -> list[Path]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [Path(found) for found in re.findall(r"(/\S+) \(0x", listed)]


class Node:
    """A kubelet whose containers are processes: paths of volumes stand for directories of the pod."""

    def __init__(self, server: KubeServer, paths: Mapping[str, str]) -> None:
        self._server, self._paths = server, dict(paths)
        self.started: list[str] = []
        """The names of containers that ran, in their order."""
        self.environs: list[dict[str, str]] = []
        """Their variables."""
        Kubelet(server, lambda kubelet, pod: threading.Thread(target=self._live, args=[pod], daemon=True).start())

    def _live(self, pod: Manifest) -> None:
        spec = pod["spec"]
        before, main = spec.get("initContainers", []), spec["containers"]
        ended: dict[str, Manifest] = {}
        with tempfile.TemporaryDirectory() as made:
            for volume in spec.get("volumes", ()):
                Path(made, volume["name"]).mkdir()
            for one in (*before, *main):
                self._tell(pod, "Running" if one in main else "Pending", ended, one["name"])
                ended[one["name"]] = self._run(one, Path(made))
                if ended[one["name"]]["exitCode"]:
                    break
        failed = any(state["exitCode"] for state in ended.values())
        self._tell(pod, "Failed" if failed else "Succeeded", ended)

    def _run(self, container: Manifest, volumes: Path) -> Manifest:
        self.started.append(container["name"])
        paths = {m["mountPath"]: str(volumes / m["name"]) for m in container.get("volumeMounts", ())} | self._paths
        words = [_moved(word, paths) for word in (*container["command"], *container.get("args", ()))]
        environ = {one["name"]: _moved(one["value"], paths) for one in container.get("env", ()) if "value" in one}
        program = [*_COPILOT, *words[1:]] if words[0] == "alula-copilot" else words
        self.environs.append(environ)
        around = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        done = subprocess.run(program, env={**around, **environ}, capture_output=True, check=False, timeout=60)
        message = Path(_moved(container.get("terminationMessagePath", "/none"), paths))
        said = message.read_text() if message.is_file() else ""
        if said:
            message.write_text("")  # what was written is mounted over the file, which stays empty
        reason = "Error" if done.returncode else "Completed"
        return {"exitCode": done.returncode, "reason": reason, "message": said or done.stderr.decode()[-500:]}

    def _tell(self, pod: Manifest, phase: str, ended: Mapping[str, Manifest], running: str = "") -> None:
        def status(one: Manifest) -> Manifest:
            name = one["name"]
            state: Manifest = {"waiting": {"reason": "PodInitializing"}}
            if name in ended:
                state = {"terminated": ended[name]}
            elif name == running:
                state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
            return {"name": name, "image": "x", "imageID": "", "state": state}

        spec = pod["spec"]
        said = {
            "phase": phase,
            "initContainerStatuses": [status(one) for one in spec.get("initContainers", ())],
            "containerStatuses": [status(one) for one in spec["containers"]],
        }
        self._server._later(lambda: self._server.status(*change_key(pod), said))


def _moved(word: str, paths: Mapping[str, str]) -> str:
    for old, new in paths.items():
        word = re.sub(rf"(?<![\w./]){re.escape(old)}(?![\w.-])", new, word)
    return word


@contextmanager
def cluster(bench: Path, **more: str) -> Iterator[tuple[Way, Node]]:
    """`alula run` with pods.

    Args:
        more: Variables, beside those that name the cluster.
    """
    with kube_server() as server:
        server.namespace("alula")
        node = Node(server, {"/app": str(bench)})
        settings = {"URL": server.url, "TOKEN": server.token, "NAMESPACE": "alula", "COPILOT_IMAGE": "alula:1"}
        environ = {f"ALULA__BACKENDS__K8S__{name}": value for name, value in settings.items()}
        yield Way(("run",), environ={**environ, **more}), node
