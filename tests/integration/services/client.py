"""The real flytekit, asked in an interpreter of its own: a program of a test runs there, and answers in JSON."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from pathlib import Path
from typing import Any

from tests.servers.control_plane import ControlPlane

_BEFORE = """
import json, sys
from pathlib import Path
from flytekit.configuration import Config, PlatformConfig, SerializationSettings
from flytekit.remote import FlyteRemote

def remote(project="{project}", endpoint="{endpoint}", **more):
    platform = PlatformConfig(endpoint=endpoint, insecure=True, **more)
    return FlyteRemote(Config(platform=platform), default_project=project, default_domain="development")

def answer(**said):
    Path(sys.argv[1]).write_text(json.dumps(said, default=str))
"""


def in_flytekit(python: Path, server: ControlPlane, place: Path, program: str, *, project: str) -> dict[str, Any]:
    """What a program gave to `answer`; `remote()` is a client of the server. `place` is where it runs."""
    script, said = place / "asked.py", place / "answer.json"
    script.write_text(_BEFORE.format(endpoint=server.grpc, project=project) + textwrap.dedent(program))
    done = subprocess.run(
        [str(python), str(script), str(said)],
        cwd=place,
        env={**os.environ, "FLYTE_SDK_RICH_TRACEBACKS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"flytekit ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
    found: dict[str, Any] = json.loads(said.read_text())
    return found
