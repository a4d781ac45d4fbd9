"""The command lines of task templates, flytekit's own and Alula's, run by both: the same is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import container_tasks
import pytest
import reference_workflows
from comparable import comparable
from container_tasks import CASES
from google.protobuf.json_format import MessageToDict
from normalise import normalise

from alula._kits import bridge
from alula.idl import ContainerError, DynamicJobSpec, ErrorDocument, ExecutionError, LiteralMap
from alula.sdk.image import ImageConfig
from alula.sdk.local import current_run
from alula.sdk.serialize import SerializationSettings, serialize
from alula.types import Converter, default, maps

HERE = Path(__file__).parent
DIFFERS = {
    "fails_with_retries": "who asks for retries gets them for every exception, not for one class of flytekit's alone",
    "gives_text": "a wrong value is the fault of the task that returns it, not of the platform",
    "gives_none": "the same",
    "leaves": "leaving the interpreter is an error like others, and leaves an error document",
}
"""Why Alula leaves something else behind, by case."""


@dataclass(frozen=True)
class Left:
    """What a container leaves, without what two runs may do differently."""

    files: frozenset[str]
    outputs: Any = None
    error: tuple[str, str] | None = None
    """Kind and origin."""
    futures: Any = None


PLATFORM = {
    "FLYTE_INTERNAL_EXECUTION_ID": "execution",
    "FLYTE_INTERNAL_EXECUTION_PROJECT": "proj",
    "FLYTE_INTERNAL_EXECUTION_DOMAIN": "dev",
    "FLYTE_INTERNAL_TASK_PROJECT": "proj",
    "FLYTE_INTERNAL_TASK_DOMAIN": "dev",
    "FLYTE_INTERNAL_TASK_NAME": "task",
    "FLYTE_INTERNAL_TASK_VERSION": "v1",
}
"""What the platform says in every container."""
MAP_TYPES: dict[str, Any] = {"value": list[int], "factor": int, "offset": int}
MAP_VALUES = {"value": [1, 2, 3], "factor": 10, "offset": 5}
by_flytekit_and_alula = pytest.mark.parametrize("writer", ["flytekit", "alula"])


@pytest.fixture(scope="module")
def theirs(flytekit_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Left]:
    """What flytekit leaves; each command is run once."""
    known: dict[str, Left] = {}

    def left(case: str, inputs: bytes, container: Any, **environment: str) -> Left:
        if case not in known:
            program, *words = container["args"]
            command = [str(flytekit_python.parent / program), *words]
            known[case] = run(command, inputs, tmp_path_factory.mktemp("theirs"), container, "flytekit", **environment)
        return known[case]

    return left


@pytest.mark.parametrize("case", [*CASES, "absent"])
@by_flytekit_and_alula
def test_the_same_is_left_behind(case: str, writer: str, theirs: Callable[..., Left], tmp_path: Path) -> None:
    task = getattr(container_tasks, "named" if case == "absent" else case)
    values = CASES["named" if case == "absent" else case]
    given = literals(values, {name: task.interface.inputs[name].converter for name in values})
    containers = {"flytekit": golden_container(task.name), "alula": own_container(task, task.name)}
    if case == "absent":
        for container in containers.values():
            container["args"] = ["absent" if word == "named" else word for word in container["args"]]
    ours = run_with_alula(containers[writer], given, tmp_path)
    if case in DIFFERS:
        assert ours != theirs(case, given, containers["flytekit"]), f"no longer true: {DIFFERS[case]}"
    else:
        assert ours == theirs(case, given, containers["flytekit"])


@pytest.mark.parametrize("index", ["0", "2"])
@by_flytekit_and_alula
def test_the_same_is_left_behind_for_one_item_of_a_map(
    index: str, writer: str, theirs: Callable[..., Left], tmp_path: Path
) -> None:
    given = literals(MAP_VALUES, {name: default.converter(t) for name, t in MAP_TYPES.items()})
    item = {"BATCH_JOB_ARRAY_INDEX_VAR_NAME": "INDEX_OF_ITEM", "INDEX_OF_ITEM": index}
    name = next(task for task in golden("mapped")["tasks"] if ".map_scale_" in task)
    containers = {"flytekit": golden_container(name), "alula": own_container(reference_workflows.mapped, ".map_scale_")}
    ours = run_with_alula(containers[writer], given, tmp_path, **item)
    assert ours == theirs(f"map-{index}", given, containers["flytekit"], **item)
    assert ours.outputs is not None


def golden(name: str) -> Any:
    return json.loads((HERE / "golden" / f"{name}.json").read_text())


def golden_container(task: str) -> Any:
    return golden(f"tasks/{task}")["template"]["container"]


def own_container(entity: Any, part_of_name: str) -> Any:
    """The container of the one task with such a name, as Alula registers it."""
    image = ImageConfig.auto("example.org/default:1")
    settings = SerializationSettings("proj", "dev", "v1", image, {"STAGE": "test"})
    found = [spec for name, spec in serialize(entity, settings).tasks.items() if part_of_name in name]
    assert len(found) == 1
    return MessageToDict(found[0].template.container, preserving_proto_field_name=True)


def run_with_alula(container: Any, inputs: bytes, home: Path, **environment: str) -> Left:
    """Run a command line with Alula's programs; one of flytekit's is handed to `alula-execute` as it is."""
    program, *words = container["args"]
    programs = Path(sys.executable).parent
    command = (
        [programs / program, *words] if program.startswith("alula") else [programs / "alula-execute", program, *words]
    )
    return run(list(map(str, command)), inputs, home / "ours", container, "alula", **environment)


def literals(values: dict[str, Any], converters: dict[str, Converter]) -> bytes:
    """The content of `inputs.pb`."""
    return bridge.run(maps.to_literals(values, converters, current_run().place)).SerializeToString()


def run(words: list[str], inputs: bytes, home: Path, container: Any, world: str, **environment: str) -> Left:
    """Run a command in a directory of its own, as a platform would, and read what it leaves."""
    out = home / "out"
    out.mkdir(parents=True)
    (home / "inputs.pb").write_bytes(inputs)
    filled = {
        "{{.input}}": str(home / "inputs.pb"),
        "{{.outputPrefix}}": str(out),
        "{{.rawOutputDataPrefix}}": str(home / "raw"),
    }
    env = {**os.environ, **{one["key"]: one["value"] for one in container.get("env", ())}, **environment}
    env |= PLATFORM | {"ALULA_ORACLE_WORLD": world, "PYTHONPATH": str(HERE)}
    subprocess.run([filled.get(w, w) for w in words], cwd=home, env=env, capture_output=True, check=False)
    return left_in(out)


def left_in(out: Path) -> Left:
    found = {path.name: path.read_bytes() for path in out.iterdir()}
    made: dict[str, Any] = {}
    if "outputs.pb" in found:
        outputs = LiteralMap.FromString(found["outputs.pb"]).literals
        made["outputs"] = {name: comparable(literal) for name, literal in outputs.items()}
    if "error.pb" in found:
        error = ErrorDocument.FromString(found["error.pb"]).error
        made["error"] = (ContainerError.Kind.Name(error.kind), ExecutionError.ErrorKind.Name(error.origin))
    if "futures.pb" in found:
        spec = DynamicJobSpec.FromString(found["futures.pb"])
        made["futures"] = normalise(MessageToDict(spec, preserving_proto_field_name=True))
    return Left(frozenset(found), **made)
