"""What real flytekit registers, and an engine that runs it in workers which have the same flytekit."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.flytekit_tasks.theirs import Engine, Specs, engine, specs_of

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="session")
def code_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of this folder, as flytekit packs them."""
    path = tmp_path_factory.mktemp("bundles") / "fast0123.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("jobs.py", "helping"):
            archive.add(PROGRAMS / name, name, filter=lambda one: None if "__pycache__" in one.name else one)
    return path


@pytest.fixture(scope="session")
def specs(flytekit_python: Path, code_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Specs:
    """All that flytekit would register of them, with that bundle."""
    out = tmp_path_factory.mktemp("specs")
    script = Path(__file__).with_name("register.py")
    words = [str(flytekit_python), str(script), "jobs", str(code_bundle), "v1", str(out)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return specs_of(out)


@pytest.fixture(scope="session")
def warm(flytekit_python: Path, specs: Specs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """With warm workers."""
    with engine(tmp_path_factory.mktemp("warm"), flytekit_python, specs) as made:
        yield made


@pytest.fixture(scope="session")
def fresh(flytekit_python: Path, specs: Specs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """With a process for each attempt."""
    with engine(tmp_path_factory.mktemp("fresh"), flytekit_python, specs, fresh=True) as made:
        yield made
