"""An engine with images that were made of what is installed here, and commands that reach no other one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.servers.docker import Docker
from tests.servers.fixtures import docker as docker
from tests.servers.images import alula_image, python_image, tables_image

_SECONDS = 240


@pytest.fixture(scope="session")
def engine(docker: Docker) -> Docker:
    """An engine with the images `PYTHON` and `ALULA`."""
    python_image(docker)
    alula_image(docker)
    return docker


@pytest.fixture(scope="session")
def tables(engine: Docker) -> str:
    """The image `TABLES`."""
    return tables_image(engine)


@dataclass(slots=True)
class Said:
    """What a command has said."""

    code: int
    out: str
    err: str


@dataclass(slots=True)
class Place:
    """A directory with programs, settings and data of its own."""

    root: Path
    engine: Docker
    more: dict[str, str] = field(default_factory=dict)
    """Variables of all commands."""

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def alula(self, *words: str) -> Said:
        """Run a command of Alula's."""
        command = [sys.executable, "-m", "alula.cli.main", *words]
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("ALULA", "FLYTE"))}
        environ |= {**self.engine.environ(), "ALULA_HOME": str(self.root / "home"), "NO_COLOR": "1", **self.more}
        done = subprocess.run(
            command, cwd=self.root, env=environ, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def run(self, *words: str) -> Said:
        """`alula run`, which must succeed."""
        said = self.alula("run", *words)
        assert said.code == 0, said
        return said

    def fails(self, words: Sequence[str], *texts: str) -> Said:
        """A command that must fail, and say all of these."""
        said = self.alula(*words)
        assert said.code, said
        shown = " ".join((said.out + said.err).split())
        missing = [text for text in texts if text not in shown]
        assert not missing, f"{missing} not in {shown}"
        return said


@pytest.fixture
def place(tmp_path: Path, engine: Docker) -> Place:
    """Python tasks run in containers here."""
    made = Place(tmp_path, engine)
    made.write(
        "alula.toml", '[backends.routes]\npython-task = "docker"\n[backends.docker]\nnetwork = "none"\npull = "never"\n'
    )
    return made


@pytest.fixture
def here(engine: Docker, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Has builders of this process use the engine of the tests."""
    for name, value in engine.environ().items():
        if name.startswith("DOCKER_"):
            monkeypatch.setenv(name, value)
    return lambda: None
