"""The real flytekit as a judge: it runs in an interpreter of its own, and answers through files.

The modules that both worlds load are imported by their bare names (`reference_workflows`), so that the names of their
tasks are the same in both; that is why this directory goes on the path.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

Ask = Callable[..., None]


@pytest.fixture(scope="session")
def ask_flytekit(flytekit_python: Path) -> Ask:
    """Runs one command of `flytekit_side.py`; its answers are in the directory that it is given last."""

    def ask(*arguments: object) -> None:
        command = [str(flytekit_python), str(HERE / "flytekit_side.py"), *map(str, arguments)]
        plain = {**os.environ, "FLYTE_SDK_RICH_TRACEBACKS": "0", "PYTHONPATH": ""}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
        assert done.returncode == 0, done.stderr[-4000:]

    return ask


@pytest.fixture(scope="session")
def fresh_specs(ask_flytekit: Ask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of specs that flytekit compiles now; the committed ones are in `golden`."""
    out = tmp_path_factory.mktemp("specs")
    ask_flytekit("specs", out)
    return out


@pytest.fixture(scope="session")
def theirs(ask_flytekit: Ask, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By row of the value table: flytekit's literal type, literal, the value that it reads back, or its refusal."""
    out = tmp_path_factory.mktemp("flytekit")
    ask_flytekit("write", out)
    return answers(out)


def answers(directory: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))}
