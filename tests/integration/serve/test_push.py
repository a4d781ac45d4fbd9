"""A remote that calls back is heard at once, whichever of two engines it calls."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

HERE = Path(__file__).parent

PROGRAM = """\
from collections.abc import Mapping
from alula import workflow
from alula.sdk.instance import InstanceTask

class CloudTask(InstanceTask):
    task_type = "cloud"
    runs_user_code = False
    def execute(self, **inputs): ...
    def fill(self, template, env, image): ...

job = CloudTask("job")

@workflow
def wf() -> None:
    job()
"""


@dataclass
class Service:
    """Jobs by name, their callbacks, and when it was asked about them."""

    port: int = 0
    jobs: dict[str, str] = field(default_factory=dict)
    callbacks: list[str] = field(default_factory=list)
    begun: float = 0.0
    asked: threading.Condition = field(default_factory=threading.Condition)
    times: list[float] = field(default_factory=list)
    deleted: threading.Event = field(default_factory=threading.Event)

    def asked_after(self, moment: float, within: float) -> float:
        """When it was next asked."""
        with self.asked:
            assert self.asked.wait_for(lambda: any(one > moment for one in self.times), within), "it was not asked"
            return next(one for one in self.times if one > moment)


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, body: bytes = b"") -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_PUT(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.jobs[self.path[1:]] = "running"
            made.callbacks.append(said["callback"])
            made.begun = time.monotonic()
            self.answer()

        def do_GET(self) -> None:
            with made.asked:
                made.times.append(time.monotonic())
                made.asked.notify_all()
            self.answer(json.dumps(made.jobs).encode())

        def do_DELETE(self) -> None:
            self.answer()
            made.deleted.set()

        def log_message(self, *args: object) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = http.server_port
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield made
    http.shutdown()
    http.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environ(home: Path, service: Service, port: int) -> dict[str, str]:
    """Of a process that has the plugin installed."""
    packages = home / "packages"
    info = packages / "cloud-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cloud\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[alula.backends]\ncloud = cloud:Cloud\n")
    (packages / "cloud.py").write_text((HERE / "cloud.py").read_text())
    return {
        **os.environ,
        "PYTHONPATH": str(packages),
        "ALULA_HOME": str(home / "alula"),
        "ALULA__CALLBACKS__LISTEN": f"127.0.0.1:{port}",
        "CLOUD": f"http://127.0.0.1:{service.port}",
        "NO_COLOR": "1",
    }


@contextmanager
def serving(home: Path, service: Service, port: int) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "alula.cli.main", "serve"],
        cwd=home,
        env=environ(home, service, port),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        assert "drives" in process.stderr.readline()
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def post(url: str, body: bytes = b"") -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST"), timeout=5) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as exc:
        return exc.code


def test_the_end_of_a_job_is_noticed_within_a_second_whoever_is_called(service: Service, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(PROGRAM)
    ports = [free_port(), free_port()]
    with serving(tmp_path, service, ports[0]), serving(tmp_path, service, ports[1]):
        command = [sys.executable, "-m", "alula.cli.main", "run", "--no-wait", "flow.py", "wf"]
        subprocess.run(command, cwd=tmp_path, env=environ(tmp_path, service, ports[0]), check=True)
        service.asked_after(0, 30)
        [url] = service.callbacks
        base, _, token = url.rpartition("/")
        assert base in [f"http://127.0.0.1:{port}/callbacks" for port in ports]
        # The older the job, the more rarely it is asked for by itself: every 1.5 seconds by now, up to 30 later on.
        last = service.asked_after(service.begun + 15, 60)
        for port in ports:
            called = time.monotonic()
            assert post(f"http://127.0.0.1:{port}/callbacks/{token}", b'{"job": "goes on"}') == 204
            assert service.asked_after(called, 1) - called < 1
        assert post(f"{base}/{token[:-5]}") == 404
        last = service.asked_after(time.monotonic(), 30)
        service.jobs = dict.fromkeys(service.jobs, "done")
        assert post(url) == 204
        assert service.asked_after(last, 1) - last < 1
        assert service.deleted.wait(1), "the end was not noticed"
        assert post(url) == 204  # later, and again: harmless


def test_a_run_takes_calls_too_if_it_is_told_where(service: Service, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(PROGRAM)
    port = free_port()
    command = [sys.executable, "-m", "alula.cli.main", "run", "flow.py", "wf"]
    env = environ(tmp_path, service, port)
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
    service.asked_after(0, 30)
    service.jobs = dict.fromkeys(service.jobs, "done")
    assert post(service.callbacks[0]) == 204
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
