"""The seam to what runs entities."""

from __future__ import annotations

from pathlib import Path

import pytest

from alula import Deck, File, LaunchPlan, current_context, task, workflow
from alula.cli.execution import Run, Settings, run_entity
from alula.errors import CallError
from alula.idl import LiteralMap, literals


@task
def add(a: int, b: int = 40) -> int:
    return a + b


@task(enable_deck=True)
def reports(a: int) -> int:
    Deck("mine", f"<i>report of {a}</i>")
    if a == 3:
        raise ValueError("three")
    return a


@task
def whose() -> str:
    context = current_context()
    return f"{context.execution_id.name} {context.raw_output_prefix}"


@task
def streams() -> File:
    made = File.new_remote_file("x.txt")
    with made.open("w") as out:
        out.write("hello")
    return made


@workflow
def twice(a: int) -> int:
    return add(a=reports(a=reports(a=a)))


@workflow
def broken(a: int) -> int:
    return add(a="x")  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("ALULA_HOME", str(tmp_path / "home"))
    return Run.new()


def ints(**values: int) -> LiteralMap:
    return LiteralMap(literals={name: literals.integer(value) for name, value in values.items()})


def test_what_is_left_out_takes_its_default(run: Run) -> None:
    outcome = run_entity(add, ints(a=2), run)
    assert outcome.outputs == ints(o0=42)
    assert outcome.seconds >= 0


def test_a_run_of_plain_values_leaves_no_files(run: Run, tmp_path: Path) -> None:
    run_entity(add, ints(a=2), run)
    assert not (tmp_path / "home").exists()


def test_every_report_is_kept_also_of_one_task_that_runs_twice(run: Run) -> None:
    run_entity(twice, ints(a=1), run)
    names = sorted(path.name.rpartition("test_execution.")[2] for path in run.reports.iterdir())
    assert names == ["reports.html", "reports~2.html"]
    assert all("report of 1" in path.read_text() for path in run.reports.iterdir())


def test_the_report_of_a_task_that_fails_is_kept_too(run: Run) -> None:
    with pytest.raises(ValueError, match="three"):
        run_entity(twice, ints(a=3), run)
    assert len(list(run.reports.iterdir())) == 1


def test_tasks_see_the_run_that_they_belong_to(run: Run, tmp_path: Path) -> None:
    outcome = run_entity(whose, LiteralMap(), run)
    text = outcome.outputs.literals["o0"].scalar.primitive.string_value
    assert text == f"{run.id} {tmp_path}/home/runs/{run.id}/raw"


def test_new_files_go_below_the_run(run: Run) -> None:
    outcome = run_entity(streams, LiteralMap(), run)
    uri = outcome.outputs.literals["o0"].scalar.blob.uri
    assert uri.startswith(run.prefix)
    assert Path(uri).read_text() == "hello"


def test_files_may_go_elsewhere_each_run_apart(run: Run, tmp_path: Path) -> None:
    first, second = (Run.new(f"{tmp_path}/bucket/") for _ in range(2))
    assert first.prefix == f"{tmp_path}/bucket/{first.id}"
    assert first.prefix != second.prefix


def test_what_happens_is_observed(run: Run) -> None:
    seen: list[tuple[str, str]] = []
    run_entity(twice, ints(a=1), run, Settings(observe=lambda event, title, _: seen.append((event, title))))
    assert seen == [(event, name) for name in ("reports", "reports", "add") for event in ("started", "succeeded")]


def test_a_workflow_that_does_not_compile_does_not_begin(run: Run) -> None:
    seen: list[str] = []
    for entity in (broken, LaunchPlan.get_or_create(broken)):
        with pytest.raises(CallError, match="expected int"):
            run_entity(entity, ints(a=1), run, Settings(observe=lambda *event: seen.append(event[0])))
    assert seen == []
