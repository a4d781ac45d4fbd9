"""A cloud that is a process of its own: it keeps its jobs in a file, whoever dies; and a plugin and a workflow for it.

`python -m tests.chaos.cloud FILE` serves it on a free port of the loopback, which it prints.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, NoReturn
from urllib.parse import parse_qs, quote, urlparse

from alula import workflow
from alula.errors import PluginError, RemoteError, RemoteNotFound
from alula.idl import LiteralMap, TaskTemplate, literals
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo
from alula.plugin.phase import Phase, PhaseInfo
from alula.plugin.webapi import Limits, WebApiPlugin
from alula.sdk.instance import InstanceTask

_TAKES = 0.3
"""Seconds that a job takes."""
ROOT = Path(__file__).resolve().parents[2]


# --- the cloud ------------------------------------------------------------------------------------------------------


class Jobs:
    """The jobs of the cloud. Every change is in the file before it is acknowledged."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        self.jobs: dict[str, dict[str, Any]] = json.loads(file.read_text()) if file.exists() else {}

    def create(self, name: str, x: int, hangs: bool) -> str:
        with self._lock:
            id = str(len(self.jobs) + 1)
            self.jobs[id] = {"id": id, "name": name, "x": x, "hangs": hangs, "made": time.time(), "deleted": False}
            self._keep()
            return id

    def delete(self, id: str) -> None:
        with self._lock:
            self.jobs[id]["deleted"] = True
            self._keep()

    def there(self, fits: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        with self._lock:
            found = [job for job in self.jobs.values() if fits(job) and not job["deleted"]]
            return [{**job, "state": _state(job)} for job in found]

    def _keep(self) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps(self.jobs))
        draft.rename(self._file)


def _state(job: Mapping[str, Any]) -> str:
    return "running" if job["hangs"] or time.time() < job["made"] + _TAKES else "done"


def serve(file: Path) -> None:
    jobs = Jobs(file)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = parse_qs(urlparse(self.path).query)
            names, ids = asked.get("name", []), asked.get("id", [])
            self._answer(jobs.there(lambda job: job["name"] in names or job["id"] in ids))

        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(jobs.create(said["name"], said["x"], said["hangs"]))

        def do_DELETE(self) -> None:
            jobs.delete(self.path.rpartition("/")[2])
            self._answer("gone")

        def _answer(self, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Whoever asked was killed meanwhile."""

    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


@dataclass
class Cloud:
    """The cloud as tests see it: through its file."""

    file: Path
    url: str

    def _jobs(self) -> list[dict[str, Any]]:
        return list(json.loads(self.file.read_text()).values()) if self.file.exists() else []

    def left(self) -> list[str]:
        """Names of jobs that nobody has deleted."""
        return [job["name"] for job in self._jobs() if not job["deleted"]]

    def live(self) -> list[str]:
        """Names of jobs that run."""
        return [job["name"] for job in self._jobs() if not job["deleted"] and _state(job) == "running"]

    def doubled(self) -> list[str]:
        """Names that more than one job was made under."""
        return [name for name, count in Counter(job["name"] for job in self._jobs()).items() if count > 1]

    def made(self) -> int:
        return len(self._jobs())


@contextmanager
def clouds(home: Path):  # type: ignore[no-untyped-def]
    """A cloud that runs inside the block, and what makes its plugin known to processes: a `Cloud` and variables."""
    file = home / "jobs.json"
    command = [sys.executable, "-m", "tests.chaos.cloud", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert process.stdout is not None
    url = f"127.0.0.1:{process.stdout.readline().strip()}"
    info = home / "site" / "chaos_cloud-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chaos-cloud\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[alula.backends]\nchaos_cloud = tests.chaos.cloud:ChaosCloud\n")
    variables = {"PYTHONPATH": f"{info.parent}:{ROOT}", "ALULA__BACKENDS__CHAOS_CLOUD__URL": url}
    try:
        yield Cloud(file, url), variables
    finally:
        process.kill()
        process.wait()


# --- the plugin -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Key:
    id: str


@dataclass(frozen=True, slots=True)
class Settings:
    url: str = ""


class ChaosCloud(WebApiPlugin[Key, Mapping[str, Any]]):
    """A second creation makes a second job: whoever lost an answer must look for it."""

    info = PluginInfo("chaos_cloud", frozenset({"chaos_cloud"}), settings=Settings)
    key_type = Key
    limits = Limits(writes_per_second=1_000, reads_per_second=1_000, settle=timedelta(seconds=0.3), pools={"cloud": 8})

    def __init__(self, settings: Settings) -> None:
        self._host, _, self._port = settings.url.partition(":")

    def pool(self, task: TaskContext) -> str | None:
        return "cloud"

    async def create(self, task: TaskContext) -> Key:
        inputs = (await task.inputs()).literals
        hangs = "hangs" in task.template.custom
        x = inputs["x"].scalar.primitive.integer
        return Key(await self._ask("POST", "/jobs", {"name": task.name, "x": x, "hangs": hangs}))

    async def find(self, task: TaskContext) -> Key | None:
        found = await self._ask("GET", f"/jobs?name={quote(task.name)}")
        return Key(found[0]["id"]) if found else None

    async def get(self, keys: Sequence[Key]) -> Sequence[Mapping[str, Any] | RemoteNotFound]:
        found = await self._ask("GET", "/jobs?" + "&".join(f"id={key.id}" for key in keys))
        by_id = {job["id"]: job for job in found}
        return [by_id.get(key.id) or RemoteNotFound(f"there is no job {key.id}") for key in keys]

    async def delete(self, key: Key) -> None:
        await self._ask("DELETE", f"/jobs/{key.id}")

    def phase(self, task: TaskContext, remote: Mapping[str, Any]) -> PhaseInfo:
        return PhaseInfo.succeeded() if remote["state"] == "done" else PhaseInfo(Phase.RUNNING)

    async def outputs(self, task: TaskContext, key: Key, remote: Mapping[str, Any]) -> LiteralMap | None:
        return literals.literal_map({"y": literals.integer(2 * remote["x"])})

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = json.dumps(body).encode() if body is not None else b""
        reader, writer = await asyncio.open_connection(self._host, int(self._port))
        try:
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: cloud\r\nContent-Length: {len(data)}\r\n\r\n".encode())
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            if b" 200 " not in head.splitlines()[0]:
                raise RemoteError(f"the cloud answered {head.splitlines()[0].decode()}")
            return json.loads(await reader.readexactly(length))
        finally:
            writer.close()


# --- the workflow ---------------------------------------------------------------------------------------------------


class CloudTask(InstanceTask):
    """Doubles a number, in the cloud."""

    task_type: ClassVar[str] = "chaos_cloud"
    runs_user_code: ClassVar[bool] = False

    def __init__(self, name: str, *, hangs: bool = False) -> None:
        self.hangs = hangs
        super().__init__(name, {"x": int}, {"y": int})

    def fill(self, template: TaskTemplate, env: Mapping[str, str], image: Callable[[Any], str]) -> None:
        if self.hangs:
            template.custom.update({"hangs": True})

    def execute(self, **inputs: Any) -> NoReturn:
        raise PluginError("only the cloud can do that")


double = CloudTask("chaos.double")
never = CloudTask("chaos.never", hangs=True)


@workflow
def main(x: int) -> int:
    return double(x=double(x=x))


@workflow
def hanging(x: int) -> int:
    return never(x=x)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
