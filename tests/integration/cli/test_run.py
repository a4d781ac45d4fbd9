"""`alula run`: inputs, results, errors and exit codes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.cli.programs import Shell

EVERYTHING = [
    *("--i", "1", "--f", "2", "--s", "hi", "--no-flag", "--color", "red", "--mode", "fast"),
    *("--at", "2024-01-31", "--wait", "10 days", "--xs", "[1, 2]", "--m", '{"a": 1}', "--config", '{"rounds": 3}'),
]
RESULT = {
    "i": 1,
    "f": 2.0,
    "s": "hi",
    "flag": False,
    "color": "RED",
    "mode": "fast",
    "at": "2024-01-31 00:00:00+00:00",
    "wait": 864_000.0,
    "xs": [1, 2],
    "m": {"a": 1.0},
    "rounds": 3,
    "maybe": None,
    "either": "x",
    "dry_run": True,
}

# inputs


def test_the_result_is_on_standard_output_and_the_rest_is_not(shell: Shell) -> None:
    done = shell.run("add", "--a", "1")
    assert (done.exit_code, done.stdout) == (0, "4\n")
    first, last = done.stderr.splitlines()
    assert first.startswith("· execution ")
    assert last == f"✓ task add succeeded  {first.removeprefix('· execution ')}" or " s  " in last


def test_quiet_prints_the_result_only(shell: Shell) -> None:
    done = shell.run("flow", "--a", "1", "-q")
    assert (done.stdout, done.stderr) == ("5\n", "")


def test_every_kind_of_input_has_a_flag(shell: Shell) -> None:
    done = shell.run("all_kinds", *EVERYTHING, "-o", "json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == RESULT


def test_an_input_without_its_flag_is_told_how_inputs_are_given(shell: Shell) -> None:
    done = shell.run("add", "3")
    assert done.exit_code == 2
    assert "'3' is not understood: inputs are flags, such as --a 3" in done.stderr
    bare = shell.run("leaves", "3")
    assert "'3' is not understood: leaves has no inputs" in bare.stderr


def test_a_file_of_inputs_that_is_not_there_is_named(shell: Shell) -> None:
    done = shell.run("add", "--inputs-file", "gone.json")
    assert done.exit_code == 2
    assert "Error: the inputs cannot be read: No such file or directory\n  where: gone.json" in done.stderr


@pytest.mark.parametrize("target", ["shop.py::add", "shop.py:add", "shop:add"])
def test_an_entity_that_is_joined_to_its_file_is_told_apart(shell: Shell, target: str) -> None:
    done = shell.alula("run", target)
    assert done.exit_code == 2
    assert f"alula run {target.partition(':')[0]} add" in done.stderr


def test_flags_with_defaults_may_be_given_too(shell: Shell) -> None:
    done = shell.run("all-kinds", *EVERYTHING, "--maybe", "4", "--either", "5", "--no-dry_run", "-o", "json")
    assert json.loads(done.stdout) == {**RESULT, "maybe": 4, "either": 5, "dry_run": False}


def test_times_may_be_relative(shell: Shell) -> None:
    done = shell.run("all_kinds", *EVERYTHING, "--at", "now - 1d", "-o", "json")
    at = datetime.fromisoformat(json.loads(done.stdout)["at"])
    assert 86_000 < (datetime.now(UTC) - at).total_seconds() < 86_800


def test_no_warning_is_printed_for_booleans(shell: Shell) -> None:
    done = shell.run("all_kinds", *EVERYTHING)
    assert "warning" not in done.stderr.lower()


def test_inputs_come_from_a_file_and_flags_count_first(shell: Shell) -> None:
    shell.add("in.yaml", "a: 10\nb: 20\n")
    assert shell.run("add", "--inputs-file", "in.yaml").stdout == "30\n"
    assert shell.run("add", "--inputs-file", "in.yaml", "--b", "1").stdout == "11\n"


@pytest.mark.parametrize("words", [["-"], ["--inputs-file", "-"]])
def test_inputs_come_from_standard_input(shell: Shell, words: list[str]) -> None:
    assert shell.run("add", *words, stdin='{"a": 10}').stdout == "13\n"


def test_a_missing_input_is_a_usage_error(shell: Shell) -> None:
    done = shell.run("add")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Error: --a is missing (INTEGER)" in done.stderr
    assert "alula run shop.py add --help" in done.stderr


def test_all_wrong_inputs_are_told_at_once(shell: Shell) -> None:
    done = shell.run("all_kinds", "--i", "1.5", "--color", "blue")
    assert done.exit_code == 2
    assert "'1.5' is no integer" in done.stderr
    assert "'blue' is none of red, green" in done.stderr
    assert "--config is missing (Config)" in done.stderr


@pytest.mark.parametrize("words", [["--c", "1"], ["--a", "1", "extra"], ["--inputs-file", "gone.json"]])
def test_what_cannot_be_understood_is_a_usage_error(shell: Shell, words: list[str]) -> None:
    done = shell.run("add", *words)
    assert done.exit_code == 2
    assert "Traceback" not in done.stderr


def test_a_file_is_an_input_by_its_path(shell: Shell) -> None:
    shell.add("hello.txt", "hello")
    assert shell.run("size", "--f", "hello.txt").stdout == "5\n"
    assert shell.run("size", "--f", "gone.txt").exit_code == 2


# help and listing


def test_help_shows_inputs_with_types_docs_and_defaults(shell: Shell) -> None:
    text = shell.run("add", "--help").stdout
    assert "Usage: alula run shop.py add [INPUTS] [OPTIONS]" in text
    assert "Task add: Adds two numbers." in text
    assert "--a INTEGER  The first summand.  [required]" in text
    assert "--b INTEGER  [default: 3]" in text


def test_help_of_a_workflow_says_that_it_is_one(shell: Shell) -> None:
    assert "Workflow flow: Adds twice." in shell.run("flow", "--help").stdout


def test_without_an_entity_the_file_is_listed(shell: Shell) -> None:
    done = shell.run()
    assert done.exit_code == 0
    assert "task         add          (a: int, b: int = 3) -> int" in done.stdout
    assert "launch plan  plan         (a: int = 7) -> int" in done.stdout
    assert "Adds twice." in done.stdout
    assert shell.run("--help").exit_code == 0


def test_without_a_file_the_files_here_are_shown(shell: Shell) -> None:
    done = shell.alula("run", "--help")
    assert "shop.py" in done.stdout


def test_an_entity_that_is_misspelled_is_a_usage_error_with_a_suggestion(shell: Shell) -> None:
    done = shell.run("ad")
    assert done.exit_code == 2
    assert "did you mean add?" in done.stderr


@pytest.mark.parametrize("target", ["gone.py", "gone", "in.txt"])
def test_a_file_that_is_not_there_is_a_usage_error(shell: Shell, target: str) -> None:
    done = shell.alula("run", target, "add")
    assert done.exit_code == 2
    assert target.partition(".")[0] in done.stderr


def test_a_module_runs_like_a_file(shell: Shell) -> None:
    assert shell.alula("run", "shop", "add", "--a", "1").stdout == "4\n"


# entities


CALLS = [
    (["flow", "--a", "1"], "5"),
    (["plan"], "11"),
    (["daily", "--a", "1"], "5"),
    (["spread", "--n", "3"], "[3, 4, 5]"),
    (["decides", "--a", "1"], "4"),
    (["every", "--a", "[1, 2]", "--b", "[0, 1]"], "[1, 3]"),
    (["shop.add", "--a", "1"], "4"),
]


@pytest.mark.parametrize(("words", "printed"), CALLS)
def test_every_kind_of_entity_runs(shell: Shell, words: list[str], printed: str) -> None:
    done = shell.run(*words)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip() == printed


def test_a_line_is_printed_for_each_node(shell: Shell) -> None:
    lines = shell.run("flow", "--a", "1").stderr.splitlines()
    assert [line.partition("  ")[0] for line in lines[1:5]] == [
        "✓ add",
        "✓ report",
        "✓ add",
        "✓ workflow flow succeeded",
    ]


def test_a_file_that_is_returned_stays(shell: Shell) -> None:
    path = Path(shell.run("write", "--text", "hello").stdout.strip())
    assert path.is_relative_to(shell.home / "alula-home" / "data")
    assert path.read_text() == "hello"


def test_files_may_go_elsewhere(shell: Shell) -> None:
    shell.add("alula.toml", 'data = "bucket"\n')
    done = shell.run("write", "--text", "hello")
    assert Path(done.stdout.strip()).is_relative_to(shell.home / "bucket")


def test_the_path_of_a_report_is_printed_and_leads_to_it(shell: Shell) -> None:
    lines = shell.run("flow", "--a", "1").stderr.splitlines()
    (path,) = [line.removeprefix("  report: ") for line in lines if line.startswith("  report: ")]
    assert "<b>report of 4</b>" in Path(path).read_text()


# options


def test_results_may_be_json_or_yaml(shell: Shell) -> None:
    assert json.loads(shell.run("spread", "--n", "2", "-o", "json").stdout) == [3, 4]
    assert shell.run("spread", "--n", "2", "--output", "yaml").stdout == "- 3\n- 4\n"


def test_options_may_stand_before_the_file_too(shell: Shell) -> None:
    done = shell.alula("run", "-q", "-o", "json", "--env", "SHOP_VARIABLE=first", "shop.py", "variable")
    assert (done.stdout, done.stderr) == ('"first"\n', "")


def test_variables_are_set_for_the_task(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_VARIABLE", "before")
    assert shell.run("variable", "--env", "SHOP_VARIABLE=a=b").stdout == "a=b\n"
    assert shell.run("variable", "--env", "nonsense").exit_code == 2


def test_an_input_may_have_the_name_of_an_option(shell: Shell) -> None:
    shell.add(
        "other.py",
        "from alula import task\n@task\ndef t(output: int, env: str = 'e') -> str:\n    return env * output\n",
    )
    assert shell.alula("run", "-o", "json", "other.py", "t", "--output", "2", "--env", "ab").stdout == '"abab"\n'


def test_the_cache_is_used_skipped_and_overwritten(shell: Shell) -> None:
    def ran(*words: str) -> bool:
        done = shell.run("caches", "--a", "1", *words)
        assert done.exit_code == 0, done.stderr
        return "costly runs" in done.stderr

    assert ran()
    assert not ran()
    assert "✓ costly  cached" in shell.run("caches", "--a", "1").stderr
    assert ran("--no-cache")
    assert ran("--overwrite-cache")
    assert not ran()
    assert shell.alula("cache", "clear").exit_code == 0
    assert ran()


def test_a_gate_is_opened_by_an_answer_given_beforehand(shell: Shell) -> None:
    assert shell.run("asks", "--a", "1", "--answer", "how-many=4").stdout == "5\n"


@pytest.mark.parametrize("answer", ["how-many=few", "howmany=3", "how-many"])
def test_an_answer_that_does_not_fit_is_a_usage_error(shell: Shell, answer: str) -> None:
    assert shell.run("asks", "--a", "1", "--answer", answer).exit_code == 2


def test_inputs_may_have_names_that_look_like_flags(shell: Shell) -> None:
    task = "from alula import task\n@task\n"
    shell.add(
        "other.py", f"{task}def t(help: int, x: bool, no_x: bool = True) -> str:\n    return f'{{help}} {{x}} {{no_x}}'"
    )
    done = shell.alula("run", "other.py", "t", "--help", "2", "--x", "false", "--no-no-x")
    assert done.stdout == "2 False False\n"
    assert "✓ task t succeeded" in done.stderr
    assert "--help INTEGER" in shell.alula("run", "other.py", "t", "-h").stdout


# errors


def test_a_failed_run_shows_the_users_frames_and_no_others(shell: Shell) -> None:
    done = shell.run("failing", "--a", "1")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "✗ workflow failing failed in node n1" in done.stderr
    assert "shop.py:" in done.stderr
    assert "in broken" in done.stderr
    assert "raise ValueError(" in done.stderr
    assert "ValueError: no 4 today" in done.stderr
    assert "2 attempts failed" in done.stderr
    assert "↻ fails  attempt 1 of 2 failed: ValueError: no 4 today" in done.stderr
    assert "worker.py" not in done.stderr
    name = done.stderr.splitlines()[0].removeprefix("· execution ")
    assert f"alula logs {name} n1" in done.stderr
    assert f"alula recover {name}" in done.stderr


@pytest.mark.parametrize("how", [[], ["--local"]])
def test_files_go_where_the_command_line_says(shell: Shell, how: list[str]) -> None:
    where = shell.home / "mine"
    done = shell.alula("run", *how, "--raw-output-data-prefix", str(where), shell.file, "write", "--text", "abc")
    assert done.exit_code == 0, done.stderr
    [made] = where.rglob("made.txt")
    assert made.read_text() == "abc"


def test_files_cannot_go_where_no_store_is(shell: Shell) -> None:
    done = shell.alula("run", "--raw-output-data-prefix", "ftp://mine", shell.file, "write", "--text", "abc")
    assert (done.exit_code, "'ftp://mine' is no place for files" in done.stderr) == (2, True)


@pytest.mark.parametrize("place", ["before", "after"])
def test_verbose_shows_the_whole_message(shell: Shell, place: str) -> None:
    words = ["run", *(["-v"] if place == "before" else []), "shop.py", "failing", "--a", "1"]
    done = shell.alula(*words, *(["-v"] if place == "after" else []))
    assert "Traceback (most recent call last)" in done.stderr


def test_a_workflow_that_does_not_compile_says_where_and_how_to_fix_it(shell: Shell) -> None:
    done = shell.run("stray", "--a", "1")
    assert done.exit_code == 1
    assert "input 'a' of 'add': expected int, got str: 'x'" in done.stderr
    assert "where: shop.py:" in done.stderr
    assert "fix:   pass a value of type int" in done.stderr
    assert "functools" not in done.stderr


EXITS = [("slow", 4, "did not end in time"), ("leaves", 1, "I am off"), ("interrupted", 1, "KeyboardInterrupt")]


@pytest.mark.parametrize(("entity", "code", "said"), EXITS)
def test_exit_codes_say_how_a_run_ended(shell: Shell, entity: str, code: int, said: str) -> None:
    done = shell.run(entity)
    assert done.exit_code == code
    assert said in done.stderr


BROKEN = [
    ("import other_gone_module\n", "install what provides the module 'other_gone_module'"),
    ("def f(:\n", "SyntaxError"),
    ("x = 1\n1 / 0\n", "ZeroDivisionError"),
    ("from alula import task\n@task\ndef t(a) -> int:\n    return 1\n", "parameter 'a' has no type hint"),
]


@pytest.mark.parametrize(("text", "said"), BROKEN)
def test_a_file_that_cannot_be_loaded_shows_where(shell: Shell, text: str, said: str) -> None:
    shell.add("other.py", text)
    done = shell.alula("run", "other.py", "t")
    assert done.exit_code == 1
    assert "loading other.py failed" in done.stderr
    assert said in done.stderr
    assert "other.py" in done.stderr
    assert "site-packages" not in done.stderr
