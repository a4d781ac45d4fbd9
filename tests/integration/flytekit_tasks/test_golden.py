"""Specs that flytekit compiled without a code bundle, run through the engine: they give what they give in flytekit."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from alula.admin.entities import Specs
from alula.idl.admin import TaskSpec, WorkflowSpec
from tests.integration.flytekit_tasks.theirs import Engine, engine

pytestmark = pytest.mark.timeout(120)

CODE = Path(__file__).resolve().parent.parent / "flytekit"
GOLDEN = CODE / "golden"
WORLD = "ALULA_ORACLE_WORLD"
CASES: dict[str, dict[str, Any]] = {
    "linear": {"a": 3, "text": "loud"},
    "mapped": {"n": 4, "factor": 10},
    "branches": {"a": 11, "b": 2, "text": "x"},
    "attributes": {"name": "square"},
    "named_outputs": {"n": 4},
    "collections": {"a": 1, "b": 2},
    "map_two": {"n": 3},
    "map_bound_collections": {"n": 3},
    "elif_chain": {"a": 1, "b": 2.0, "t": "y", "f": True},
}
_ASK = """
import json, sys
from dataclasses import asdict
from importlib import import_module
sys.path.insert(0, sys.argv[1])
found = {}
for name, inputs in json.loads(sys.argv[2]).items():
    module, _, entity = name.partition(".")
    made = getattr(import_module(module), entity)(**inputs)
    found[name] = made._asdict() if hasattr(made, "_asdict") else {"o0": made}
print(json.dumps(found, default=asdict))
"""


def spec(path: Path) -> dict[str, Any]:
    """A golden file, for the project and domain of these tests."""
    text = path.read_text().replace('"proj"', '"p"').replace('"dev"', '"d"')
    found: dict[str, Any] = json.loads(text)
    return found


def specs_of_golden() -> Specs:
    wanted = [spec(GOLDEN / f"{name}.json") for name in CASES]
    tasks = []
    for name in sorted({task for one in wanted for task in one["tasks"]}):
        made = ParseDict(spec(GOLDEN / "tasks" / f"{name}.json"), TaskSpec())
        made.template.container.env.add(key=WORLD, value="flytekit")  # what the modules look at when they are imported
        tasks.append(made)
    workflows = {name: ParseDict(found, WorkflowSpec()) for one in wanted for name, found in one["workflows"].items()}
    return Specs.of(tasks, workflows.values())


@pytest.fixture(scope="module")
def golden(flytekit_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    home = tmp_path_factory.mktemp("golden")
    with engine(home, flytekit_python, specs_of_golden(), paths=(str(CODE),)) as made:
        yield made


@pytest.fixture(scope="module")
def names() -> dict[str, str]:
    """By case, what the entity is called."""
    return {name: spec(GOLDEN / f"{name}.json")["name"] for name in CASES}


@pytest.fixture(scope="module")
def expected(flytekit_python: Path, names: dict[str, str]) -> dict[str, Any]:
    """What flytekit gives when it runs them in its own process."""
    asked = json.dumps({names[case]: inputs for case, inputs in CASES.items()})
    words = [str(flytekit_python), "-c", _ASK, str(CODE), asked]
    done = subprocess.run(words, env={**os.environ, WORLD: "flytekit"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("case", CASES)
def test_it_gives_what_it_gives_in_flytekit(
    case: str, golden: Engine, names: dict[str, str], expected: dict[str, Any]
) -> None:
    run = golden.client.run(names[case], version="v1", inputs=CASES[case])
    assert run.phase == "succeeded", run.error
    assert json.loads(json.dumps(run.outputs, default=vars)) == expected[names[case]]
