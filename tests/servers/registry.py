"""A registry of container images on the loopback interface, for those who know the password."""

from __future__ import annotations

import base64
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER, PASSWORD = "alula", "secret"
_HASH = "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
"""Of the password, by bcrypt."""
_CONFIG = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {home}/data}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: alula, path: {home}/htpasswd}}}}
"""
_START_SECONDS = 20
_PR_SET_PDEATHSIG = 1


class NoRegistry(Exception):
    """There is none on this machine, or it does not start."""


@dataclass(frozen=True, slots=True)
class Registry:
    """A running registry."""

    name: str
    """`127.0.0.1:5000`"""

    def login(self, directory: Path) -> Path:
        """A `config.json` as `docker login` writes it, in a directory."""
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        path = directory / "config.json"
        path.write_text(json.dumps({"auths": {self.name: {"auth": auth}}}))
        return path

    def tags(self, repository: str) -> list[str]:
        """The tags that it has."""
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        url = f"http://{self.name}/v2/{repository}/tags/list"
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": f"Basic {auth}"})) as answer:
            found: list[str] = json.load(answer)["tags"]
            return found


@contextmanager
def image_registry() -> Iterator[Registry]:
    """A registry that runs inside the block. Raises NoRegistry."""
    program = shutil.which("docker-registry")
    if program is None:
        raise NoRegistry("apt-get install docker-registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="alula-registry-") as made:
        home = Path(made)
        (home / "htpasswd").write_text(f"{USER}:{_HASH}\n")
        (home / "config.yml").write_text(_CONFIG.format(home=home, port=port))
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, "serve", str(home / "config.yml")],
                stdout=log,
                stderr=log,
                env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
                preexec_fn=_die_with_parent,
            )
        try:
            _wait(process, port, home / "log")
            yield Registry(f"127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=1)
        except urllib.error.HTTPError:
            return  # it asks who we are
        except OSError:
            time.sleep(0.05)
    raise NoRegistry(f"it did not start: {log.read_text()[-1000:]}")


def _die_with_parent() -> None:
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
