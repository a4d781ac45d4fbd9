"""What integration tests of several rooms share."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.servers.fixtures import control_plane as control_plane
from tests.servers.fixtures import docker as docker
from tests.servers.fixtures import mariadb as mariadb
from tests.servers.fixtures import postgres as postgres
from tests.servers.fixtures import postgres_url as postgres_url


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """The address of an S3 server without buckets, on a free port of the loopback interface."""
    with s3_server() as address:
        yield address


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of an S3 server, with IAM and STS, that runs inside the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "MOTO_ALLOW_NONEXISTENT_REGION": "true"},
    )
    try:
        _wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise RuntimeError(f"the S3 server did not come up; exit code {server.poll()}")
