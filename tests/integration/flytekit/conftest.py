"""The real flytekit as a judge: it runs in an interpreter of its own, and answers through files.

The modules that both worlds load are imported by their bare names (`reference_workflows`), so that the names of their
tasks are the same in both; that is why this directory goes on the path.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from judge import Flytekit


@pytest.fixture(scope="session")
def flytekit(flytekit_python: Path) -> Flytekit:
    return Flytekit(flytekit_python)


@pytest.fixture(scope="session")
def fresh_specs(flytekit: Flytekit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of specs that flytekit compiles now; the committed ones are in `golden`."""
    return flytekit.answer("specs", tmp_path_factory.mktemp("specs"))


@pytest.fixture(scope="session")
def theirs(flytekit: Flytekit, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By row of the value table: flytekit's literal type, literal, the value that it reads back, or its refusal."""
    return flytekit.answers("write", tmp_path_factory.mktemp("flytekit"))


@pytest.fixture(scope="session")
def theirs_before(flytekit: Flytekit, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same, with structured data as flytekit wrote it before it had msgpack."""
    return flytekit.answers("write", tmp_path_factory.mktemp("before"), FLYTE_USE_OLD_DC_FORMAT="true")
