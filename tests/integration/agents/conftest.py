"""Agents for the tests of this folder."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, alone, needs
from tests.integration.agents.agents import HERE, Agent, Attempts, Journal, flytekit_connectors, node_agent, served


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


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Where the agent in JavaScript lies with its packages; made once, and again when its lock changes."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            needs(program, "apt-get install nodejs npm")
    source, home = HERE / "node_agent", ROOT / ".envs" / "node-agent"
    digest = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()
    with alone(home):
        _install(source, home, digest)
        shutil.copy(source / "agent.js", home)
    return home


def _install(source: Path, home: Path, digest: str) -> None:
    stamp = home / ".lock-sha256"
    if stamp.exists() and stamp.read_text() == digest:
        return
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(source / name, home)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if done.returncode:
        needs("packages of Node", f"npm could not install them ({done.stderr.strip().splitlines()[-1:]})")
    stamp.write_text(digest)


@pytest.fixture
def node(node_modules: Path, tmp_path: Path) -> Iterator[Agent]:
    """An agent in JavaScript."""
    with node_agent(node_modules, tmp_path) as made:
        yield made
