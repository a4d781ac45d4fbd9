"""A real Docker engine, made for the test run and thrown away after it. Usable outside of pytest, too:

with docker_engine() as engine:
    subprocess.run(["docker", "run", "--rm", engine.busybox(), "true"], env=engine.environ())

It has its own data, socket and state, no network of its own (`none` and `host` work), and no registry: images come out
of archives. Containers that are left at its end are removed.
"""

from __future__ import annotations

import ctypes
import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

_APT = "apt-get install docker.io busybox-static"
_START_SECONDS = 40.0
_CALL_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1
_STARTING = ThreadPoolExecutor(1, thread_name_prefix="docker")
# A kernel without room for the engine's usual wishes still gives these; and no rule of a firewall is touched.
_ULIMITS = ("nofile=1024:1024", "nproc=4096:4096")
BUSYBOX = "alula-busybox:1"
"""An image with nothing but busybox: `sh` and its usual company."""


class NoDocker(Exception):
    """There is no Docker engine on this machine, or it may not be started."""


class Docker:
    """An engine with its own data.

    Args:
        home: An empty directory, with a short path: that of a socket has a hundred characters at most.
        options: More of `dockerd`'s.
    """

    def __init__(self, home: Path, *options: str) -> None:
        self.home, self.socket = home, home / "docker.sock"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def environ(self) -> dict[str, str]:
        """The environment in which clients reach this engine, and no other one."""
        home = self.home / "client"
        home.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        return {**kept, "DOCKER_HOST": self.url, "DOCKER_CONFIG": str(home)}

    def run(self, *argv: str, stdin: bytes | None = None) -> str:
        """What a command of the `docker` program prints, as `run("ps", "--all")`."""
        try:
            done = subprocess.run(
                ["docker", *argv],
                env=self.environ(),
                input=stdin,
                capture_output=True,
                timeout=_CALL_SECONDS,
                check=True,
            )
        except subprocess.CalledProcessError as exc:
            raise AssertionError(f"docker {' '.join(argv)}: {exc.stderr.decode()}") from exc
        return done.stdout.decode()

    def containers(self, *filters: str) -> list[str]:
        """The names of all its containers, whatever their state; with filters as `label=a=b`."""
        wanted = [f"--filter={one}" for one in filters]
        return sorted(self.run("ps", "--all", "--format={{.Names}}", *wanted).split())

    def volumes(self) -> list[str]:
        return sorted(self.run("volume", "ls", "--quiet").split())

    def networks(self) -> list[str]:
        """Those that somebody made."""
        return sorted(self.run("network", "ls", "--quiet", "--filter=type=custom").split())

    def has(self, image: str) -> bool:
        return bool(self.run("images", "--quiet", image).strip())

    def make(self, image: str, root: Path, *changes: str) -> str:
        """An image out of a directory, with lines of a Dockerfile as `ENV PATH=/bin`; its name."""
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as archive:
            archive.add(root, arcname=".")
        return self.load(image, made.getvalue(), *changes)

    def load(self, image: str, archive: bytes, *changes: str) -> str:
        """An image out of an archive of its files; its name."""
        self.run("import", *[f"--change={one}" for one in changes], "-", image, stdin=archive)
        return image

    def busybox(self) -> str:
        """The image `BUSYBOX`, made when it is first asked for."""
        if not self.has(BUSYBOX):
            self.load(BUSYBOX, _busybox(), "ENV PATH=/bin")
        return BUSYBOX

    def start(self) -> None:
        """Start it, and return when it answers."""
        command = self.command()
        for pid in ("docker.pid", "exec/containerd/containerd.pid"):  # of processes that were killed
            (self.home / pid).unlink(missing_ok=True)
        # From a thread that stays: Linux takes the end of the thread for that of the parent.
        self._process = _STARTING.submit(self._spawn, command).result()
        end = time.monotonic() + _START_SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            if self._answers("version"):
                return
            time.sleep(0.02)
        status = self._process.poll()
        self.stop(signal.SIGKILL)
        raise NoDocker(f"{command[0]} did not start ({status}): {(self.home / 'log').read_text()[-1500:]}")

    def command(self) -> Sequence[str]:
        """What starts it."""
        command = ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none"]
        command += [f"--default-ulimit={one}" for one in _ULIMITS]
        command += [f"--data-root={self.home}/data", f"--exec-root={self.home}/exec"]
        return [*command, f"--pidfile={self.home}/docker.pid", f"--host={self.url}", *self._options]

    def server_environ(self) -> dict[str, str]:
        """The environment of the engine itself."""
        return _clean(os.environ)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """An outage: SIGTERM ends its containers in good order, after SIGKILL they run until it starts again."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def clear(self) -> None:
        """Remove all containers and volumes."""
        if names := self.containers():
            self.run("rm", "--force", "--volumes", *names)
        if names := self.volumes():
            self.run("volume", "rm", "--force", *names)

    def end(self) -> None:
        """Stop it for good, with all that runs in it."""
        if self._process is None and (self.home / "data").exists():
            self.start()  # containers outlive an engine that was killed
        self.clear()
        self.stop()
        # One that was killed leaves its data mounted upon itself.
        subprocess.run(["umount", "--lazy", f"{self.home}/data"], capture_output=True, check=False)

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=self.server_environ(),
                preexec_fn=_die_with_parent,
            )

    def _answers(self, *argv: str) -> bool:
        done = subprocess.run(
            ["docker", *argv], env=self.environ(), capture_output=True, timeout=_CALL_SECONDS, check=False
        )
        return done.returncode == 0


@contextmanager
def docker_engine(*options: str) -> Iterator[Docker]:
    """An engine that runs inside the block.

    Raises:
        NoDocker: This machine has none, or it does not start here.
    """
    missing = [name for name in ("dockerd", "docker", "busybox") if shutil.which(name) is None]
    if missing:
        raise NoDocker(f"{_APT} (no {', '.join(missing)})")
    if os.geteuid() != 0:
        raise NoDocker("dockerd must be started by root")
    with tempfile.TemporaryDirectory(prefix="alula-docker-", ignore_cleanup_errors=True) as made:
        engine = Docker(Path(made), *options)
        engine.start()
        try:
            yield engine
        finally:
            engine.end()


def _busybox() -> bytes:
    """The files of an image, as an archive."""
    binary = Path(shutil.which("busybox") or "").resolve()
    listed = subprocess.run([binary, "--list"], capture_output=True, text=True, check=True).stdout.split()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            archive.addfile(folder)
        program = tarfile.TarInfo("bin/busybox")
        data = binary.read_bytes()
        program.size, program.mode = len(data), 0o755
        archive.addfile(program, io.BytesIO(data))
        for name in listed:
            if name != "busybox":
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(link)
        for name, text in (("passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"), ("group", "")):
            file = tarfile.TarInfo(f"etc/{name}")
            file.size = len(text)
            archive.addfile(file, io.BytesIO(text.encode()))
    return made.getvalue()


def _clean(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith("DOCKER_")}


def _die_with_parent() -> None:
    """No engine outlives the tests, also if they are killed."""
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
