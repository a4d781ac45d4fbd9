"""Where a container engine listens: what is set, what Docker's own client would use, and the usual sockets."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

CONTEXT = "context://"
"""Before the name of one of Docker's contexts, which has the address and the certificates."""
NONE_HERE = "there is no container engine on this machine"
HINT = "start Docker or Podman, or name an engine: `url` in [backends.docker]; `alula doctor` says what it sees"


def find(url: str = "", environ: Mapping[str, str] | None = None) -> str:
    """The URL of an engine; empty: nothing names one, and there is no socket at any usual place.

    Args:
        url: What settings say.
    """
    environ = os.environ if environ is None else environ
    if url:
        return url
    if environ.get("DOCKER_HOST"):
        return environ["DOCKER_HOST"]
    context = environ.get("DOCKER_CONTEXT") or _current_context(environ)
    if context and context != "default":
        return CONTEXT + context
    return next((f"unix://{path}" for path in usual_sockets(environ) if is_socket(path)), "")


def usual_sockets(environ: Mapping[str, str]) -> list[Path]:
    """Docker's first, Podman's last."""
    home = Path(environ.get("HOME") or Path.home())
    runtime = environ.get("XDG_RUNTIME_DIR")
    found = [Path("/run/docker.sock"), Path("/var/run/docker.sock"), home / ".docker/run/docker.sock"]
    found += [Path(runtime) / "docker.sock"] if runtime else []
    found += [Path(runtime) / "podman/podman.sock"] if runtime else []
    return [*found, Path("/run/podman/podman.sock")]


def is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def config_directory(environ: Mapping[str, str]) -> Path:
    """Where Docker's client keeps its own settings."""
    return Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or Path.home()) / ".docker")


def client_config(environ: Mapping[str, str] | None = None) -> dict[str, object]:
    """The settings of Docker's own client; none if there are none, or they cannot be read."""
    path = config_directory(os.environ if environ is None else environ) / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _current_context(environ: Mapping[str, str]) -> str:
    found = client_config(environ).get("currentContext")
    return found if isinstance(found, str) else ""
