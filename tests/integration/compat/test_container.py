"""Containers that are started with the command lines that flytekit writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from alula.idl import ContainerError, DynamicJobSpec, ErrorDocument, LiteralMap, TaskTemplate, literals

MODULE = """\
from functools import partial
from typing import Any, List

from flytekit import dynamic, kwtypes, map_task, task
from flytekit.core.python_customized_container_task import PythonCustomizedContainerTask
from flytekit.core.shim_task import ShimTaskExecutor
from flytekit.exceptions.user import FlyteRecoverableException
from flytekit.extend import IgnoreOutputs, Interface, TaskResolverMixin


@task
def add(a: int, b: int = 2) -> int:
    return a + b


@task
def fails(a: int) -> int:
    if a:
        raise ValueError(f"not {a}")
    return a


@task
def again(a: int) -> int:
    if a:
        raise FlyteRecoverableException("later")
    return a


@task
def silent(a: int) -> int:
    if a:
        raise IgnoreOutputs()
    return a


@dynamic
def spread(a: int) -> List[int]:
    return [add(a=i) for i in range(a)]


mapped = map_task(partial(add, b=5))


class ByPosition(TaskResolverMixin):
    location = "tasks.by_position"

    def loader_args(self, settings, t):
        return ["0"]

    def load_task(self, loader_args):
        return [add][int(loader_args[0])]


by_position = ByPosition()


class Executor(ShimTaskExecutor):
    def execute_from_model(self, tt, **kwargs) -> Any:
        return kwargs["a"] * int(tt.custom["factor"])


class Scaled(PythonCustomizedContainerTask):
    def __init__(self, name):
        super().__init__(
            name=name,
            task_config=None,
            container_image="example.org/scale:1",
            executor_type=Executor,
            interface=Interface(kwtypes(a=int), kwtypes(o0=int)),
        )

    def get_custom(self, settings):
        return {"factor": 3}


scaled = Scaled("scaled")
"""

BY_NAME = ["--resolver", "flytekit.core.python_auto_container.default_task_resolver", "--", "task-module", "tasks"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "tasks.py").write_text(MODULE)
    inputs = LiteralMap(literals={"a": literals.integer(4)})
    (tmp_path / "inputs.pb").write_bytes(inputs.SerializeToString())
    return tmp_path


def execute(home: Path, *words: str, program: str = "pyflyte-execute", **environment: str) -> Path:
    """Run one attempt as a platform does, and give the directory of what it left."""
    begin = "from alula.runtime.entrypoint import main, main_for_maps; "
    call = "main_for_maps()" if "map" in program else "main()"
    places = ["--inputs", "inputs.pb", "--output-prefix", "out", "--raw-output-data-prefix", "raw"]
    done = subprocess.run(
        [sys.executable, "-c", begin + call, *places, *words],
        cwd=home,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return home / "out"


def outputs(at: Path) -> LiteralMap:
    return LiteralMap.FromString((at / "outputs.pb").read_bytes())


def error(at: Path) -> ContainerError:
    return ErrorDocument.FromString((at / "error.pb").read_bytes()).error


def test_a_task_is_found_by_flytekits_default_resolver(home: Path) -> None:
    left = execute(home, *BY_NAME, "task-name", "add")
    assert outputs(left).literals["o0"].scalar.primitive.integer == 6


def test_an_ordinary_error_is_the_users_and_final(home: Path) -> None:
    found = error(execute(home, *BY_NAME, "task-name", "fails"))
    assert (found.code, found.kind) == ("USER:ValueError", ContainerError.NON_RECOVERABLE)
    assert "not 4" in found.message


def test_a_recoverable_error_is_recoverable(home: Path) -> None:
    found = error(execute(home, *BY_NAME, "task-name", "again"))
    assert (found.code, found.kind) == ("USER:Recoverable", ContainerError.RECOVERABLE)


def test_ignored_outputs_leave_nothing(home: Path) -> None:
    left = execute(home, *BY_NAME, "task-name", "silent")
    assert not (left / "outputs.pb").exists()
    assert not (left / "error.pb").exists()


def test_a_dynamic_task_leaves_its_nodes_with_flytekits_resolver(home: Path) -> None:
    left = execute(home, *BY_NAME, "task-name", "spread")
    spec = DynamicJobSpec.FromString((left / "futures.pb").read_bytes())
    assert [node.id for node in spec.nodes] == ["dn0", "dn1", "dn2", "dn3"]
    assert list(spec.tasks[0].container.args)[-6:] == [*BY_NAME[1:], "task-name", "add"]


def test_a_mapped_task_runs_its_item(home: Path) -> None:
    many = literals.collection([literals.integer(n) for n in (1, 7)])
    given = LiteralMap(literals={"a": many, "b": literals.integer(5)})
    (home / "inputs.pb").write_bytes(given.SerializeToString())
    words = ["--resolver", "flytekit.core.array_node_map_task.ArrayNodeMapTaskResolver", "--", "vars", "b", "resolver"]
    words += [BY_NAME[1], *BY_NAME[3:], "task-name", "add"]
    index = {"BATCH_JOB_ARRAY_INDEX_VAR_NAME": "INDEX", "INDEX": "1"}
    left = execute(home, *words, program="pyflyte-map-execute", **index)
    assert outputs(left).literals["o0"].scalar.primitive.integer == 12


def test_a_resolver_of_the_program_is_used(home: Path) -> None:
    left = execute(home, "--resolver", "tasks.by_position", "--", "0")
    assert outputs(left).literals["o0"].scalar.primitive.integer == 6


def test_a_task_out_of_its_template_is_run_by_its_executor(home: Path) -> None:
    making = (
        "import alula.compat; alula.compat.install(); import tasks\n"
        "open('task.pb', 'wb').write(tasks.scaled.task_template.to_flyte_idl().SerializeToString())"
    )
    subprocess.run([sys.executable, "-c", making], cwd=home, check=True)
    template = TaskTemplate.FromString((home / "task.pb").read_bytes())
    resolver, executor = template.container.args[-4], template.container.args[-1]
    left = execute(home, "--resolver", resolver, "--", str(home / "task.pb"), executor)
    assert outputs(left).literals["o0"].scalar.primitive.integer == 12
