"""`alula serve` as a process, for tests that are clients of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_ADDRESS = re.compile(r"^(gRPC|HTTP) at (\S+)$")
_SECONDS = 30


@dataclass(slots=True)
class ControlPlane:
    """A server that answers."""

    grpc: str
    """`127.0.0.1:PORT`."""
    http: str
    """`http://127.0.0.1:PORT`."""
    home: Path
    """What `--data` was given."""
    process: subprocess.Popen[str] = field(repr=False)

    def flytekit_config(self, directory: Path) -> Path:
        """A file for `pyflyte --config`."""
        path = directory / "flyte.yaml"
        path.write_text(f"admin:\n  endpoint: {self.grpc}\n  insecure: true\n")
        return path


@contextmanager
def control_plane(
    home: Path, *options: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[ControlPlane]:
    """`alula serve` with a store and files below `home`, on free ports; it ends with the block."""
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "alula.cli.main", "serve"]
    command += ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", str(home), *options]
    log = home / "serve.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, text=True, cwd=cwd or home, env={**os.environ, **(environ or {})}
        )
    try:
        where = _announced(log, process)
        yield ControlPlane(where["gRPC"], where["HTTP"], home, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _announced(log: Path, process: subprocess.Popen[str], wanted: Sequence[str] = ("gRPC", "HTTP")) -> dict[str, str]:
    """What the server says of its addresses."""
    for _ in range(_SECONDS * 50):
        found = dict(match.groups() for line in log.read_text().splitlines() if (match := _ADDRESS.match(line)))
        if all(name in found for name in wanted):
            return found
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError(f"alula serve did not come up: {log.read_text()[-4000:]}")
