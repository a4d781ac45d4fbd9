"""The real console scripts in real processes, from `inputs.pb` to what they leave."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alula.data.bundle import pack
from alula.idl import ContainerError, ExecutionError, literals
from tests.integration.runtime.programs import PROGRAM, Container, by_name, integers


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


def test_a_task_runs_and_its_default_counts(container: Container) -> None:
    done = container.run("alula-execute", *container.places(integers(a=2)), *by_name("add"))
    assert done.returncode == 0, done.stderr
    assert container.outputs() == integers(o0=42)
    assert done.stdout == done.stderr == ""


def test_a_users_error_is_written_down_and_the_exit_code_is_0(container: Container) -> None:
    done = container.run("alula-execute", *container.places(integers(a=0)), *by_name("fails"))
    error = container.error().error
    assert done.returncode == 0
    assert (error.kind, error.origin) == (ContainerError.NON_RECOVERABLE, ExecutionError.USER)
    assert error.code == "USER:ZeroDivisionError"
    assert abs(error.timestamp.ToDatetime(tzinfo=UTC) - datetime.now(UTC)) < timedelta(minutes=5)
    assert "return 1 // a" in error.message
    assert "alula/sdk" not in error.message
    assert error.message in done.stderr


@pytest.mark.parametrize("variable", ["ALULA_FAIL_ON_ERROR", "FLYTE_FAIL_ON_ERROR"])
def test_the_exit_code_is_1_where_the_platform_asks_for_it(container: Container, variable: str) -> None:
    done = container.run("alula-execute", *container.places(integers(a=0)), *by_name("fails"), **{variable: "true"})
    assert done.returncode == 1
    assert container.left == {"error.pb"}


def test_code_that_cannot_be_loaded_is_the_users_fault(container: Container) -> None:
    container.run("alula-execute", *container.places({}), *by_name("add", "elsewhere"))
    error = container.error().error
    assert (error.kind, error.origin) == (ContainerError.NON_RECOVERABLE, ExecutionError.USER)
    assert "elsewhere" in error.message


def test_a_command_line_that_cannot_be_read_is_exit_code_2(container: Container) -> None:
    done = container.run("alula-execute", "--inputs", "{{.input}}")
    assert done.returncode == 2
    assert "--output-prefix" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_place_that_cannot_be_written_is_exit_code_1(container: Container) -> None:
    words = ["--inputs", "in.pb", "--output-prefix", "web+nothing://out", *by_name("add")]
    done = container.run("alula-execute", *words)
    assert done.returncode == 1
    assert "web+nothing" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_descriptors_may_be_closed(container: Container, closed: str) -> None:
    done = container.run("alula-execute", *container.places({}), *by_name("standard"), closed=f"</dev/null {closed}")
    assert done.returncode == 0, done.stderr
    assert container.outputs() == {"o0": literals.string("''")}
    failed = container.run("alula-execute", *container.places(integers(a=0)), *by_name("fails"), closed=closed)
    assert failed.returncode == 0
    assert "ZeroDivisionError" in container.error().error.message


@pytest.mark.parametrize("index", [0, 2])
def test_one_item_of_a_map_runs(container: Container, index: int) -> None:
    items = literals.collection([literals.integer(v) for v in (10, 20, 30)])
    words = ["--resolver", "alula.sdk.resolver.mapped", "--", "vars", "factor", "resolver"]
    inner = ["alula.sdk.resolver.default", "task-module", "program", "task-name", "scale"]
    done = container.run(
        "alula-map-execute",
        *container.places({"x": items, **integers(factor=2)}),
        *words,
        *inner,
        BATCH_JOB_ARRAY_INDEX_VAR_NAME="FLYTE_K8S_ARRAY_INDEX",
        FLYTE_K8S_ARRAY_INDEX=str(index),
    )
    assert done.returncode == 0, done.stderr
    assert container.outputs() == integers(o0=(index + 1) * 20)


def test_a_bundle_is_unpacked_and_run_in_one_process(container: Container, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "bundled.py").write_text(PROGRAM + "\n@task\ndef pid() -> int:\n    return os.getppid()\n")
    bundle = pack(source, tmp_path / "bundles")
    there = tmp_path / "there"
    done = container.run(
        "alula-fast-execute",
        *["--additional-distribution", str(bundle.path), "--dest-dir", str(there), "--"],
        *["alula-execute", *container.places({}), *by_name("pid", "bundled")],
    )
    assert done.returncode == 0, done.stderr
    assert container.outputs() == integers(o0=os.getpid())  # the parent of the script, not a process in between
    assert (there / "bundled.py").exists()
    assert not (container.home / "bundled.py").exists()


def test_a_dialect_makes_another_sdk_importable_before_its_resolver_is_looked_for(container: Container) -> None:
    container.add("otherkit_dialect", DIALECT)
    distribution = container.home / "otherkit_dialect-1.0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: otherkit-dialect\nVersion: 1.0\n")
    (distribution / "entry_points.txt").write_text("[alula.dialects]\notherkit = otherkit_dialect:install\n")
    container.add("theirs", "from otherkit import task\n@task\ndef double(a: int) -> int:\n    return a * 2\n")
    words = ["--resolver", "otherkit.core.default_task_resolver", "--", "task-module", "theirs", "task-name", "double"]
    done = container.run("alula-execute", *container.places(integers(a=21)), *words, PYTHONPATH=str(container.home))
    assert done.returncode == 0, done.stderr
    assert container.outputs() == integers(o0=42)


def test_an_object_of_a_dialect_may_stand_for_a_task(container: Container) -> None:
    stand_in = "class Theirs:\n    __alula_entity__ = add\ntheirs = Theirs()\nnothing_at_all = object()\n"
    container.add("standing", "from program import add\nfrom alula.sdk import resolver\n" + stand_in)
    container.add("theirs", "class R:\n    def load_task(self, words):\n        import standing\n" + " " * 8 + GET)
    words = ["--resolver", "theirs.r", "--"]
    done = container.run("alula-execute", *container.places(integers(a=2)), *words, "theirs")
    assert done.returncode == 0, done.stderr
    assert container.outputs() == integers(o0=42)
    container.run("alula-execute", *container.places(integers(a=2)), *words, "nothing_at_all")
    assert "that is no task" in container.error().error.message


GET = "return getattr(standing, words[0])\nr = R()\n"
DIALECT = """
import sys
import types

def install():
    from alula import task
    from alula.sdk import resolver
    top, core = types.ModuleType("otherkit"), types.ModuleType("otherkit.core")
    top.__path__, top.task, core.default_task_resolver = [], task, resolver.default
    sys.modules.update({"otherkit": top, "otherkit.core": core})
"""
