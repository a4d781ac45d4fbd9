"""Agents for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.agents.agents import Agent, Attempts, Journal, flytekit_connectors, served


@pytest.fixture(scope="session")
def connectors(flytekit_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Agent, Journal]]:
    """Real connectors of flytekit, for tests that do not kill them."""
    with flytekit_connectors(flytekit_python, tmp_path_factory.mktemp("connectors")) as made:
        yield made


@pytest.fixture
def filejobs(tmp_path: Path) -> Iterator[Agent]:
    """`alula agent serve` with jobs that are files in `tmp_path / "jobs"`."""
    with served(tmp_path) as made:
        yield made


@pytest.fixture
def attempts(tmp_path: Path) -> Attempts:
    return Attempts(tmp_path / "out")
