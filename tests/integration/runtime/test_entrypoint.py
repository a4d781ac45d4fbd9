"""What one attempt reads, runs and leaves; in process, which is quicker than a container."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alula.idl import ContainerError, ErrorDocument, ExecutionError, LiteralMap, literals
from alula.runtime.arguments import parse
from alula.runtime.entrypoint import execute, main
from tests.integration.runtime.programs import Container, by_name, integers

AGAIN, NEVER = ContainerError.RECOVERABLE, ContainerError.NON_RECOVERABLE


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("program", None)  # of another test
    yield Container(tmp_path)
    sys.modules.pop("program", None)


def run(container: Container, task: str, *more: str, **inputs: literals.Literal) -> ErrorDocument | None:
    return execute(parse(["alula-execute", *container.places(inputs), *more, *by_name(task)]))


def test_a_dataclass_and_a_text_go_in_and_come_out(container: Container) -> None:
    import msgpack

    packed = literals.binary(msgpack.packb({"x": 1, "y": 2.5}), "msgpack")
    assert run(container, "point", p=packed) is None
    outputs = container.outputs()
    assert msgpack.unpackb(outputs["o0"].scalar.binary.value) == {"x": 2, "y": 2.5}
    assert outputs["o1"] == literals.string("at 1")


def test_a_task_without_outputs_leaves_an_empty_map(container: Container) -> None:
    assert run(container, "nothing") is None
    assert container.outputs() == {}


def test_an_async_task_runs(container: Container) -> None:
    assert run(container, "later", **integers(a=21)) is None
    assert container.outputs() == integers(o0=42)


def test_a_dynamic_task_leaves_what_is_to_be_run(container: Container) -> None:
    assert run(container, "spread", **integers(n=2)) is None
    spec = container.futures()
    assert [node.id for node in spec.nodes] == ["dn0", "dn1"]
    assert [task.id.name for task in spec.tasks] == ["program.add"]
    assert spec.min_successes == 2


def test_a_dynamic_task_without_nodes_leaves_outputs(container: Container) -> None:
    assert run(container, "spread", **integers(n=0)) is None
    assert container.outputs() == {"o0": literals.collection([])}


CASES = [
    ("fails", NEVER, "USER:ZeroDivisionError"),
    ("fails_again", AGAIN, "USER:ZeroDivisionError"),
    ("recoverable", AGAIN, "USER:Recoverable"),
]


@pytest.mark.parametrize(("task", "kind", "code"), CASES)
def test_errors_of_user_code(container: Container, task: str, kind: int, code: str) -> None:
    document = run(container, task, **integers(a=0))
    assert document == container.error()
    assert (document.error.kind, document.error.origin) == (kind, ExecutionError.USER)
    assert document.error.code == code


def test_leaving_the_process_is_an_error_like_any_other(container: Container) -> None:
    document = run(container, "leaves")
    assert document is not None
    assert document.error.code == "USER:SystemExit"


def test_a_value_of_the_wrong_type_names_the_input(container: Container) -> None:
    document = run(container, "add", a=literals.string("two"))
    assert document is not None
    assert document.error.origin == ExecutionError.USER
    assert "'two'" in document.error.message or "string" in document.error.message


def test_an_input_that_is_left_out_names_the_task(container: Container) -> None:
    document = run(container, "add")
    assert document is not None
    assert "'add' gets no value for 'a'" in document.error.message


UNFOUND = [
    (["task-module", "elsewhere", "task-name", "add"], NEVER, "the module elsewhere is not installed"),
    (["task-module", "program", "task-name", "gone"], NEVER, "the module program has no gone"),
    (["task-module", "program", "task-name", "PROGRAM"], NEVER, "has no PROGRAM"),
    (["task-module", "broken", "task-name", "add"], NEVER, "no such value"),
    (["nonsense"], NEVER, "task-module MODULE task-name NAME"),
]


@pytest.mark.parametrize(("words", "kind", "said"), UNFOUND)
def test_a_task_that_cannot_be_found_is_the_users_fault(
    container: Container, words: list[str], kind: int, said: str
) -> None:
    container.add("broken", "raise ValueError('no such value')")
    resolver = ["--resolver", "alula.sdk.resolver.default", "--", *words]
    document = execute(parse(["alula-execute", *container.places({}), *resolver]))
    assert document is not None
    assert (document.error.kind, document.error.origin) == (kind, ExecutionError.USER)
    assert said in document.error.message


def test_inputs_that_are_gone_are_the_systems_fault_and_worth_another_try(container: Container) -> None:
    places = container.places({})
    (container.attempt / "inputs.pb").unlink()
    document = execute(parse(["alula-execute", *places, *by_name("add")]))
    assert document is not None
    assert (document.error.kind, document.error.origin) == (AGAIN, ExecutionError.SYSTEM)
    assert "inputs.pb" in document.error.message


def test_inputs_that_are_no_protobuf_are_the_systems_fault(container: Container) -> None:
    places = container.places({})
    (container.attempt / "inputs.pb").write_bytes(b"\xff\xff\xff")
    document = execute(parse(["alula-execute", *places, *by_name("add")]))
    assert document is not None
    assert (document.error.kind, document.error.origin) == (NEVER, ExecutionError.SYSTEM)
    assert "no LiteralMap" in document.error.message


def test_a_file_is_stored_below_the_raw_prefix_and_read_by_the_next_task(container: Container) -> None:
    assert run(container, "writes", text=literals.string("hello")) is None
    made = container.outputs()["o0"]
    assert made.scalar.blob.uri.startswith(str(container.attempt / "raw"))
    assert run(container, "reads", f=made) is None
    assert container.outputs() == {"o0": literals.string("hello")}


def test_a_report_is_written_beside_the_outputs(container: Container) -> None:
    assert run(container, "reports", **integers(a=1)) is None
    page = (container.attempt / "deck.html").read_text()
    assert "<b>forty-two</b>" in page
    assert "My numbers" in page
    assert "program.reports" in page


def test_a_checkpoint_is_found_by_the_next_attempt(container: Container) -> None:
    first, second = (str(container.home / name) for name in ("first", "second"))
    assert run(container, "counts", "--checkpoint-path", first) is None
    assert container.outputs() == integers(o0=1)
    assert run(container, "counts", "--checkpoint-path", second, "--prev-checkpoint", first) is None
    assert container.outputs() == integers(o0=2)


def test_without_a_place_for_checkpoints_the_error_says_so(container: Container) -> None:
    document = run(container, "counts", "--checkpoint-path", "{{.checkpointOutputPrefix}}")
    assert document is not None
    assert "no place for checkpoints" in document.error.message


def test_the_execution_is_named_by_the_platform(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_INTERNAL_EXECUTION_PROJECT", "flights")
    monkeypatch.setenv("FLYTE_INTERNAL_EXECUTION_ID", "f1e2")
    assert run(container, "where") is None
    assert container.outputs() == {"o0": literals.string("flights/f1e2/program.where")}


def test_of_many_containers_one_leaves_outputs(container: Container) -> None:
    assert run(container, "one_of_many", **integers(rank=0)) is None
    assert container.outputs() == integers(o0=7)
    assert run(container, "one_of_many", **integers(rank=1)) is None
    assert container.left == set()


def test_a_rehearsal_leaves_nothing(container: Container) -> None:
    assert run(container, "fails", "--test", **integers(a=0)) is None
    assert container.left == set()


def test_outputs_of_equal_inputs_are_equal_bytes(container: Container) -> None:
    written = []
    for _ in range(2):
        assert run(container, "add", **integers(a=1, b=2)) is None
        written.append((container.attempt / "outputs.pb").read_bytes())
    assert written[0] == written[1] == LiteralMap(literals=integers(o0=3)).SerializeToString(deterministic=True)


def test_the_command_without_arguments_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "--inputs" in capsys.readouterr().err
