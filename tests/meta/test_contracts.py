"""Every import contract catches a planted violation, and covers each room that exists.

A toy `alula` with every room of the architecture stands in for the real one, so that the fences of rooms to come are
tested too. Only the names carry over: the contracts are those of pyproject.toml, read from there.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text()
CONTRACTS = tomllib.loads(PYPROJECT)["tool"]["importlinter"]["contracts"]
SOURCE = ROOT / "src" / "alula"

MODULES = """
errors config serve _kits idl idl.plugins data data.objects compiler types types.transformer types.registry types.maps
types.one types.two plugin sdk store tasks tasks.one tasks.two runtime backends backends.one backends.two backends.k8s
backends.k8s.one backends.k8s.two agent client engine engine.machine engine.nodes engine.invariants engine.why
engine.adapt admin console testing hosting hosting.k8s
compat cli observability services sections containers containers.engine
""".split()

PLANTS = {
    "floors": ("idl", "import alula.sdk"),
    "server-never-runs-user-code": ("engine", "import alula.types.one"),
    "authoring-is-light": ("sdk", "import grpc"),
    "backends-are-guests": ("backends.one", "import alula.store"),
    "backends-are-strangers": ("backends.one", "import alula.backends.two"),
    "operators-are-strangers": ("backends.k8s.one", "import alula.backends.k8s.two"),
    "types-are-strangers": ("types.one", "import alula.types.two"),
    "tasks-are-strangers": ("tasks.one", "import alula.tasks.two"),
    "machine-is-pure": ("engine.machine", "import asyncio"),
    "one-door-to-flyteidl": ("types.one", "import flyteidl.core.types_pb2"),
}


def undecorated(pyproject: str) -> str:
    """The contracts as they will read when every room has come."""
    return re.sub(r'\((\w+)\)(?=[ "])', r"\1", pyproject).replace('.**"', '"')


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    parents = {name.rpartition(".")[0] for name in MODULES}
    for name in ["", *MODULES]:
        place = tmp_path / "src" / "alula" / name.replace(".", "/")
        file = place / "__init__.py" if name in parents else place.with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    plant(tmp_path, "idl", "import flyteidl.core.types_pb2")
    plant(tmp_path, "types.registry", "import alula.types.one, alula.types.transformer")
    (tmp_path / "pyproject.toml").write_text(undecorated(PYPROJECT))
    return tmp_path


def plant(toy: Path, module: str, line: str) -> None:
    place = toy / "src" / "alula" / module.replace(".", "/")
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    file.write_text(file.read_text() + line + "\n")


def lint(toy: Path, *only: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()"]
    picked = [word for contract in only for word in ("--contract", contract)]
    env = {"PYTHONPATH": str(toy / "src"), "PATH": "", "COLUMNS": "200"}
    options = ["--no-logo", "--no-cache", *picked]
    return subprocess.run(command + options, cwd=toy, env=env, capture_output=True, text=True, check=False)


def test_every_contract_holds_where_nothing_is_planted(toy: Path) -> None:
    done = lint(toy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(PLANTS)} kept, 0 broken" in done.stdout


@pytest.mark.parametrize("contract", PLANTS)
def test_a_planted_violation_is_reported(toy: Path, contract: str) -> None:
    module, line = PLANTS[contract]
    plant(toy, module, line)
    done = lint(toy, contract)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 broken" in done.stdout
    assert f"alula.{module}" in done.stdout


def test_a_room_without_a_floor_is_reported(toy: Path) -> None:
    (toy / "src" / "alula" / "attic.py").touch()
    done = lint(toy, "floors")
    assert done.returncode == 1
    assert "attic" in done.stdout


def test_every_contract_has_a_plant() -> None:
    assert [contract["id"] for contract in CONTRACTS] == list(PLANTS)


def test_a_room_that_has_come_is_named_without_decoration() -> None:
    decorated = set(re.findall(r'"alula\.([\w.]+)\.\*\*"', PYPROJECT)) | set(re.findall(r"\((\w+)\)", floors()))
    come = {name for name in decorated if exists(name)}
    assert not come, f"take the parentheses or `.**` off {sorted(come)} in [tool.importlinter]: these exist now"


def floors() -> str:
    return "\n".join(next(contract["layers"] for contract in CONTRACTS if contract["id"] == "floors"))


def exists(name: str) -> bool:
    place = SOURCE / name.replace(".", "/")
    return (place / "__init__.py").exists() or place.with_suffix(".py").exists()
