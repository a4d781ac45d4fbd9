"""Podman's service, which speaks Docker's API: made for the test run, with its own data, and thrown away after it.

Its containers are children of nobody who could die with the service, so they outlive it in every case.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.docker import Docker

_APT = "apt-get install podman catatonit runc docker-cli busybox-static"
# What Podman asks of the kernel by default is more than one without much room gives; and no network is made.
_SETTINGS = """
[containers]
netns = "none"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""


class NoPodman(Exception):
    """There is no Podman on this machine, or it may not be started."""


class Podman(Docker):
    """A service of Podman's, for the clients of Docker."""

    def command(self) -> Sequence[str]:
        (self.home / "containers.conf").write_text(_SETTINGS)
        return [*self._podman(), "system", "service", "--time=0", self.url]

    def server_environ(self) -> dict[str, str]:
        return {**super().server_environ(), "CONTAINERS_CONF": str(self.home / "containers.conf")}

    def end(self) -> None:
        super().end()
        subprocess.run(
            [*self._podman(), "rm", "--all", "--force", "--time=0"],
            env=self.server_environ(), capture_output=True, check=False,
        )  # fmt: skip

    def _podman(self) -> Sequence[str]:
        places = [f"--{name}={self.home}/{name}" for name in ("root", "runroot", "tmpdir")]
        return ["podman", *places, "--storage-driver=vfs"]


@contextmanager
def podman_service() -> Iterator[Podman]:
    """A service that runs inside the block.

    Raises:
        NoPodman: This machine has none, or it does not start here.
    """
    missing = [name for name in ("podman", "conmon", "runc", "docker", "busybox") if shutil.which(name) is None]
    if missing:
        raise NoPodman(f"{_APT} (no {', '.join(missing)})")
    if os.geteuid() != 0:
        raise NoPodman("without root it needs ranges of users, and cgroups that were handed to it")
    with tempfile.TemporaryDirectory(prefix="alula-podman-", ignore_cleanup_errors=True) as made:
        service = Podman(Path(made))
        service.start()
        try:
            yield service
        finally:
            service.end()
