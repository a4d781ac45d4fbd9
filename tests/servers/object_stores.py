"""Servers of object stores, each with one bucket or container, on a free port of the loopback interface.

Azurite (Azure) and s3rver (S3) are packages of Node, installed once below `.envs/`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.conftest import ROOT, alone

SOURCE = Path(__file__).with_name("node_stores")
_START_SECONDS = 60.0
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""What Azurite's documentation gives to everybody."""


class NoNodeStores(Exception):
    """What the machine lacks for them."""


def programs() -> Path:
    """The directory of the servers' programs. Raises NoNodeStores."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NoNodeStores("apt-get install nodejs npm")
    home = ROOT / ".envs" / "node-stores"
    digest = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()
    stamp = home / ".lock-sha256"
    with alone(home):
        if not stamp.exists() or stamp.read_text() != digest:
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(SOURCE, home)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NoNodeStores(f"npm could not install them ({done.stderr.strip().splitlines()[-1:]})")
            stamp.write_text(digest)
    return home / "node_modules" / ".bin"


@contextmanager
def azurite() -> Iterator[Mapping[str, str]]:
    """Settings of a running Azurite with the containers `box` and `other`, as `[storage.az]` has them."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as data:
        command = [programs() / "azurite-blob", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
        with _running([*command, "--blobPort", str(port), "--location", data], port):
            for name in ("box", "other"):
                _make_container(port, name)
            yield {
                "endpoint": f"http://127.0.0.1:{port}/{ACCOUNT}",
                "account_name": ACCOUNT,
                "account_key": ACCOUNT_KEY,
            }


@contextmanager
def s3rver() -> Iterator[Mapping[str, str]]:
    """Settings of a running s3rver with the bucket `box`, as `[storage.s3]` has them."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as data:
        command = [programs() / "s3rver", "--silent", "--no-vhost-buckets", "--configure-bucket", "box"]
        with _running([*command, "-a", "127.0.0.1", "-p", str(port), "-d", data], port):
            address = f"http://127.0.0.1:{port}"
            yield {"endpoint": address, "access_key_id": "S3RVER", "secret_access_key": "S3RVER"}


def _make_container(port: int, name: str) -> None:
    now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = f"x-ms-date:{now}\nx-ms-version:2022-11-02"
    text = "PUT" + "\n" * 12 + f"{headers}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    signature = base64.b64encode(hmac.digest(base64.b64decode(ACCOUNT_KEY), text.encode(), "sha256")).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/{ACCOUNT}/{name}?restype=container",
        data=b"",
        method="PUT",
        headers={
            **dict(line.split(":", 1) for line in headers.splitlines()),
            "Authorization": f"SharedKey {ACCOUNT}:{signature}",
            "Content-Type": "",
        },
    )
    with urllib.request.urlopen(request, timeout=30):
        pass


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(command: Sequence[str | Path], port: int) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end, pause = time.monotonic() + _START_SECONDS, threading.Event()
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
                break
            pause.wait(0.05)
        else:
            raise RuntimeError(f"{command[0]} did not come up; exit code {process.poll()}")
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
