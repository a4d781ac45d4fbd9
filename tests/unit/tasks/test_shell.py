"""`ShellTask`, run by a real shell."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alula import Directory, File, OutputLocation, ShellTask, kwtypes, map_task, task, workflow
from alula.errors import SignatureError, TaskFailure, TaskTimeout
from alula.sdk.serialize import serialize
from alula.tasks.shell import compile_script

OUT = "{ctx.working_directory}/out"


def echo(script: str, **types: Any) -> ShellTask:
    """A task whose output is what the script writes."""
    return ShellTask(
        name="test.echo", script=script, inputs=kwtypes(**types), output_locs=[OutputLocation("o", str, OUT)]
    )


count_lines = ShellTask(
    name="test.count",
    script="wc -l < {inputs.source} > {outputs.lines}",
    inputs=kwtypes(source=File),
    output_locs=[OutputLocation("lines", int, "{ctx.working_directory}/lines")],
)


@task
def twice(n: int) -> int:
    return 2 * n


@workflow
def pipeline(source: File) -> int:
    return twice(n=count_lines(source=source))


def test_it_is_a_step_of_a_workflow(tmp_path: Path) -> None:
    path = tmp_path / "two words.txt"
    path.write_text("a\nb\n")
    assert pipeline(source=File(str(path))) == 4


def test_files_and_directories_come_out(tmp_path: Path) -> None:
    make = ShellTask(
        name="test.make",
        script="mkdir {outputs.folder}; echo hi > {outputs.folder}/x; echo {inputs.word} > {outputs.one}",
        inputs=kwtypes(word=str),
        output_locs=[
            OutputLocation("folder", Directory, str(tmp_path / "{inputs.word}")),
            OutputLocation("one", File, "{ctx.working_directory}/one"),
        ],
    )
    folder, one = make(word="it's")
    assert Path(folder, "x").read_text() == "hi\n"
    assert Path(one).read_text() == "it's\n"
    assert (tmp_path / "it's").is_dir()


@pytest.mark.parametrize(
    ("t", "value", "text"),
    [
        (bool, True, "true"),
        (float, 0.5, "0.5"),
        (datetime, datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00+00:00"),
        (list[int], [1, 2], "[1, 2]"),
    ],
)
def test_values_of_every_type_reach_the_script(t: Any, value: object, text: str) -> None:
    assert echo("printf %s {inputs.x} > {outputs.o}", x=t)(x=value) == text


@pytest.mark.parametrize(
    ("t", "value"), [(int, 3), (bool, False), (timedelta, timedelta(minutes=2)), (list[str], ["a", "b c"])]
)
def test_outputs_that_are_no_files_are_read_from_theirs(t: Any, value: object) -> None:
    give_back = ShellTask(
        name="test.give_back",
        script="echo {inputs.x} > {outputs.o}",
        inputs=kwtypes(x=t),
        output_locs=[OutputLocation("o", t, OUT)],
    )
    assert give_back(x=value) == value


PLACES = [
    "printf %s {inputs.x} > {outputs.o}",
    'printf %s "{inputs.x}" > "{outputs.o}"',
    "printf %s '{inputs.x}' > '{outputs.o}'",
    'X={inputs.x}; printf %s "$X" > {outputs.o}',
    'printf %s "$(printf %s {inputs.x})" > {outputs.o}',
    'printf %s "$(printf %s "{inputs.x}")" > {outputs.o}',
    "# it's a comment\nprintf %s {inputs.x} > {outputs.o}",
    "if true; then printf %s {inputs.x}; fi > {outputs.o}",
    "cat > {outputs.o} <<END\n{inputs.x}\nEND\n",
]
HOSTILE = [
    "plain",
    "two words",
    "$(touch evil)",
    "`touch evil`",
    "'; touch evil; '",
    '"; touch evil; "',
    "*",
    "a;b",
    "\\",
    "$HOME",
]


@pytest.mark.parametrize("script", PLACES[:-1])
@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_one_word_and_never_code(
    script: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert echo(script, x=str)(x=value) == value
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("script", PLACES)
@settings(max_examples=10)
@given(value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20))
def test_a_value_is_never_part_of_the_script(script: str, value: str) -> None:
    made, variables = compile_script(script, {"inputs": {"x": f"<{value}>"}, "outputs": {"o": "/out"}, "ctx": None})
    assert f"<{value}>" not in made
    assert variables == {"inputs_x": f"<{value}>", "outputs_o": "/out"}


def test_braces_of_the_shell_are_left_alone() -> None:
    script = "f() { awk '{print $1}'; }; HERE=${HOME:-x}; printf 'a b' | f | tr -d '\\n' > {outputs.o}"
    assert echo(script)() == "a"


def test_arithmetic_works() -> None:
    assert echo("printf %s $(( {inputs.x} * 2 )) > {outputs.o}", x=int)(x=21) == "42"


def test_the_environment_of_the_task_is_set_for_the_script() -> None:
    told = ShellTask(
        name="test.env",
        script='printf %s "$GREETING" > {outputs.o}',
        output_locs=[OutputLocation("o", str, OUT)],
        environment={"GREETING": "hello there"},
    )
    assert told() == "hello there"


def test_a_script_file_is_read_when_the_task_runs(tmp_path: Path) -> None:
    path = tmp_path / "script.sh"
    path.write_text("exit 1")
    told = ShellTask(name="test.file", script_file=path, output_locs=[OutputLocation("o", str, OUT)])
    path.write_text("printf later > {outputs.o}")
    assert told() == "later"


def test_debug_prints_the_script(capfd: pytest.CaptureFixture[str]) -> None:
    ShellTask(name="test.debug", script="echo {inputs.x}", inputs=kwtypes(x=str), debug=True)(x="shown")
    said = capfd.readouterr().out
    assert 'test.debug:\necho "${inputs_x}"\n' in said
    assert said.endswith("shown\n")


def test_another_exit_code_is_a_failure_with_the_end_of_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    fails = ShellTask(name="test.fails", script="for i in $(seq 30); do echo line $i >&2; done; exit 3")
    with pytest.raises(TaskFailure, match=r"'test.fails' ended with exit code 3") as caught:
        fails()
    assert "line 30" in str(caught.value)
    assert "line 10\n" not in str(caught.value)
    assert "line 1\n" in capfd.readouterr().err


def test_a_failing_script_costs_one_of_the_retries(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    flaky = ShellTask(
        name="test.flaky",
        script="echo x >> {inputs.marks}; test $(wc -l < {inputs.marks}) -ge 3",
        inputs=kwtypes(marks=str),
        retries=2,
    )
    flaky(marks=str(marks))
    assert marks.read_text() == "x\nx\nx\n"


def test_a_killed_script_names_the_signal() -> None:
    with pytest.raises(TaskFailure, match="ended with signal SIGKILL"):
        ShellTask(name="test.killed", script="kill -9 $$")()


def test_a_timeout_ends_the_script_and_all_it_started(tmp_path: Path) -> None:
    slow = ShellTask(
        name="test.slow",
        script="sleep 60 & echo $! > {inputs.pid}; wait",
        inputs=kwtypes(pid=str),
        timeout=timedelta(seconds=0.3),
    )
    began = time.monotonic()
    with pytest.raises(TaskTimeout, match="took longer than its timeout"):
        slow(pid=str(tmp_path / "pid"))
    assert time.monotonic() - began < 10
    child = int((tmp_path / "pid").read_text())
    while _alive(child):  # it has been killed and has let its files go: it is on its way out
        assert time.monotonic() - began < 10
        os.sched_yield()


def _alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] not in "ZX"


def test_an_output_that_is_not_there_is_told_with_its_place() -> None:
    with pytest.raises(TaskFailure, match=r"left nothing at .*/out, where its output 'o' should be"):
        echo("true")()


def test_a_shell_that_is_not_there_is_told() -> None:
    with pytest.raises(TaskFailure, match="cannot be started"):
        ShellTask(name="test.no_shell", script="true", shell="/no/such/shell")()


def test_it_can_be_mapped() -> None:
    double = ShellTask(
        name="test.double",
        script="expr {inputs.n} \\* 2 > {outputs.o}",
        inputs=kwtypes(n=int),
        output_locs=[OutputLocation("o", int, OUT)],
    )
    assert map_task(double, concurrency=2)(n=[1, 2, 3]) == [2, 4, 6]


def test_it_is_registered_with_the_users_code() -> None:
    template = serialize(count_lines).tasks["test.count"].template
    assert template.type == "python-task"
    assert list(template.container.args[-4:]) == ["task-module", __name__, "task-name", "count_lines"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"script": None}, "takes script= or script_file="),
        ({"script_file": "x.sh"}, "takes script= or script_file="),
        ({"script": None, "script_file": "/no/such/file"}, "/no/such/file, which does not exist"),
        ({"script": "echo {inputs.b} {outputs.c}"}, r"uses \{inputs.b\}, and has no such input; uses \{outputs.c\}"),
        ({"output_locs": [OutputLocation("o", File, "{inputs.b}")]}, r"uses \{inputs.b\}, and has no such input"),
    ],
)
def test_what_could_not_work_is_refused_when_it_is_declared(change: dict[str, Any], why: str) -> None:
    with pytest.raises(SignatureError, match=why):
        ShellTask("t", **{"script": "echo {inputs.a}", "inputs": kwtypes(a=int), **change})
