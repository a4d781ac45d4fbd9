"""Executions from the command line, in processes of their own: names, crashes, the background, and the verbs."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.cli.programs import Shell, console_script

PROGRAM = '''
import os, signal, sys, threading, time
from datetime import timedelta
from alula import Cache, approve, map_task, task, wait_for_input, workflow

HERE = os.path.dirname(__file__)

@task
def first(x: int) -> int:
    with open(os.path.join(HERE, "ran"), "a") as file:
        file.write("first\\n")
    print("first runs")
    return x + 1

@task
def waits(x: int) -> int:
    """Until somebody makes the file `go`."""
    print("waits begins", flush=True)
    while not os.path.exists(os.path.join(HERE, "go")):
        time.sleep(0.01)
    return x + 1

@task
def mended(x: int) -> int:
    raise ValueError(f"{x} is broken")

@task
def stubborn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("stubborn begins", flush=True)
    while not os.path.exists(os.path.join(HERE, "go")):
        time.sleep(0.01)

@workflow
def chain(x: int) -> int:
    return waits(x=first(x=x))

@workflow
def breaks(x: int) -> int:
    return mended(x=first(x=x))

@workflow
def late(x: int) -> int:
    return waits(x=mended(x=first(x=x)))

@workflow
def gated(x: int) -> int:
    more = wait_for_input("how-many", timeout=timedelta(hours=1), expected_type=int)
    return first(x=approve(first(x=more), "ship-it", timeout=timedelta(hours=1)))

@task
def odd(x: int) -> int:
    if x % 2 == 0:
        raise ValueError(f"{x} is even")
    return x

@workflow
def mapped(xs: list[int]) -> list[int | None]:
    return map_task(odd, min_success_ratio=0.5)(x=xs)
'''


@pytest.fixture
def program(shell: Shell) -> Iterator[Shell]:
    shell.add("shop_flows.py", PROGRAM)
    yield shell
    shell.add("go", "")  # whatever still waits ends


def start(shell: Shell, *words: str) -> subprocess.Popen[str]:
    """The console script, running."""
    env = {**os.environ, "ALULA_HOME": str(shell.home / "alula-home"), "COLUMNS": "120"}
    return subprocess.Popen(
        [console_script(), *words], cwd=shell.home, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def until(process: subprocess.Popen[str], text: str) -> str:
    """What is said up to a line with some text."""
    assert process.stderr is not None
    said = []
    while line := process.stderr.readline():
        said.append(line)
        if text in line:
            return "".join(said)
    raise AssertionError(f"{text!r} was not said, but: {''.join(said)}")


def ran(shell: Shell) -> int:
    """How often the task `first` has run."""
    path = shell.home / "ran"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_the_same_name_goes_on_after_a_kill_and_does_nothing_twice(program: Shell) -> None:
    words = ["run", "--name", "nightly", "shop_flows.py", "chain", "--x", "1"]
    one = start(program, *words)
    until(one, "waits begins")
    one.send_signal(signal.SIGKILL)
    one.communicate()
    program.add("go", "")
    done = program.process(*words)
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
    assert "execution nightly goes on: 1 done already" in done.stderr
    assert ran(program) == 1
    again = program.process(*words)
    assert (again.returncode, again.stdout) == (0, "3\n")
    assert "nightly is over" in again.stderr
    assert ran(program) == 1


def test_a_name_stands_for_its_inputs_and_its_code(program: Shell) -> None:
    program.add("go", "")
    words = ["run", "--name", "nightly", "shop_flows.py", "chain", "--x"]
    assert program.process(*words, "1").returncode == 0
    other = program.process(*words, "2")
    assert other.returncode == 2
    assert "inputs" in other.stderr
    assert "x" in other.stderr
    program.add("shop_flows.py", PROGRAM.replace("x + 1", "x + 2"))
    changed = program.process(*words, "1")
    assert changed.returncode == 2
    assert "shop_flows.py changed since" in changed.stderr
    assert "alula recover nightly" in changed.stderr
    for command in (["run", "--name", "", "shop_flows.py", "chain", "--x", "1"], ["rerun", "nightly", "--name", ""]):
        nameless = program.process(*command)  # as when a script's variable is not set
        assert nameless.returncode == 2
        assert "is empty" in nameless.stderr


def test_a_process_in_the_background_drives_it_while_others_watch(program: Shell) -> None:
    words = ["shop_flows.py", "chain", "--x", "1"]
    detached = program.process("run", "--detach", "--name", "nightly", *words)
    assert (detached.returncode, detached.stdout) == (0, "nightly\n"), detached.stderr
    assert str(program.home / "alula-home" / "logs" / "nightly.log") in detached.stderr
    watcher = start(program, "run", "--name", "nightly", *words)
    until(watcher, "another process drives nightly")
    program.add("go", "")
    stdout, stderr = watcher.communicate(timeout=60)
    assert (watcher.returncode, stdout) == (0, "3\n"), stderr
    assert "✓ waits" in stderr


@pytest.mark.parametrize("said", ["execution nightly goes on", "another process drives nightly"])
def test_who_only_watches_leaves_with_ctrl_c_from_the_first_line_on(program: Shell, said: str) -> None:
    words = ["shop_flows.py", "chain", "--x", "1"]
    assert program.process("run", "--detach", "--name", "nightly", *words).returncode == 0
    watcher = start(program, "run", "--name", "nightly", *words)
    until(watcher, said)
    watcher.send_signal(signal.SIGINT)
    _, stderr = watcher.communicate(timeout=60)
    assert watcher.returncode == 3
    assert "nightly goes on with: alula run --name nightly" in stderr
    assert "stopping" not in stderr
    program.add("go", "")
    done = program.process("run", "--name", "nightly", *words)
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


def test_who_drives_it_stops_it_with_ctrl_c_from_the_first_line_on(program: Shell) -> None:
    driver = start(program, "run", "--name", "nightly", "shop_flows.py", "chain", "--x", "1")
    until(driver, "execution nightly")
    driver.send_signal(signal.SIGINT)
    _, stderr = driver.communicate(timeout=60)
    assert driver.returncode == 3
    assert "workflow chain aborted  nightly: interrupted with Ctrl-C" in stderr
    assert program.process("get", "executions", "-o", "name", "--phase", "aborted").stdout == "nightly\n"


def test_a_second_ctrl_c_leaves_what_is_being_stopped_to_whoever_takes_it_next(program: Shell) -> None:
    program.add("alula.toml", '[workers]\nstop_grace = "3s"\n')
    words = ["run", "--name", "nightly", "shop_flows.py", "stubborn"]
    driver = start(program, *words)
    until(driver, "stubborn begins")
    driver.send_signal(signal.SIGINT)
    until(driver, "press Ctrl-C again to leave")
    driver.send_signal(signal.SIGINT)
    _, stderr = driver.communicate(timeout=60)
    assert driver.returncode == 3
    assert "nightly is stopped by whoever takes it next: alula abort nightly" in stderr
    program.add("go", "")
    again = program.process(*words)
    assert again.returncode == 3, again.stderr
    assert "nightly: interrupted with Ctrl-C" in again.stderr


def test_recovery_takes_over_what_succeeded_and_runs_the_code_as_it_is_now(program: Shell) -> None:
    failed = program.process("run", "--name", "nightly", "shop_flows.py", "breaks", "--x", "1")
    assert failed.returncode == 1
    assert "ValueError: 2 is broken" in failed.stderr
    program.add("shop_flows.py", PROGRAM.replace('raise ValueError(f"{x} is broken")', "return x * 10"))
    done = program.process("recover", "nightly", "--name", "again")
    assert (done.returncode, done.stdout) == (0, "20\n"), done.stderr
    assert "✓ first  recovered" in done.stderr
    assert ran(program) == 1
    third = program.process("rerun", "again", "--node", "n0")
    assert (third.returncode, third.stdout) == (0, "20\n"), third.stderr
    assert ran(program) == 2


def test_what_recovery_began_goes_on_by_either_command(program: Shell) -> None:
    words = ["shop_flows.py", "late", "--x", "1"]
    assert program.process("run", "--name", "nightly", *words).returncode == 1
    program.add("shop_flows.py", PROGRAM.replace('raise ValueError(f"{x} is broken")', "return x * 10"))
    recovering = start(program, "recover", "nightly", "--name", "again")
    until(recovering, "waits begins")
    recovering.send_signal(signal.SIGTERM)
    _, stderr = recovering.communicate(timeout=60)
    assert "again goes on with: alula recover nightly --name again" in stderr
    running = start(program, "run", "--name", "again", *words)
    until(running, "waits begins")
    running.send_signal(signal.SIGKILL)
    running.communicate()
    program.add("go", "")
    done = program.process("recover", "nightly", "--name", "again")
    assert (done.returncode, done.stdout) == (0, "21\n"), done.stderr
    over = program.process("run", "--name", "again", *words)
    assert (over.returncode, over.stdout) == (0, "21\n"), over.stderr
    assert ran(program) == 1


def test_recovery_refuses_code_whose_nodes_are_others(program: Shell) -> None:
    program.process("run", "--name", "nightly", "shop_flows.py", "breaks", "--x", "1")
    program.add("shop_flows.py", PROGRAM.replace("mended(x=first(x=x))", "mended(x=first(x=first(x=x)))"))
    done = program.process("recover", "nightly")
    assert done.returncode == 2
    assert "changed too much" in done.stderr
    (program.home / "shop_flows.py").unlink()
    gone = program.process("recover", "nightly")
    assert gone.returncode == 2
    assert "is gone" in gone.stderr


def test_gates_are_answered_by_commands_and_tell_which(program: Shell) -> None:
    process = start(program, "run", "--name", "nightly", "shop_flows.py", "gated", "--x", "1")
    until(process, "alula signal nightly how-many VALUE")
    wrong = program.process("signal", "nightly", "how-many", "few")
    assert wrong.returncode == 2
    assert "'few' is no integer" in wrong.stderr
    assert program.process("signal", "nightly", "howmany", "3").returncode == 2
    why = program.process("why", "nightly")
    assert "alula signal nightly how-many" in why.stdout
    assert program.process("signal", "nightly", "how-many", "3").returncode == 0
    until(process, "alula approve nightly ship-it")
    assert program.process("approve", "nightly", "ship-it").returncode == 0
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (0, "5\n"), stderr


def test_abort_stops_what_another_process_drives(program: Shell) -> None:
    process = start(program, "run", "--name", "nightly", "shop_flows.py", "chain", "--x", "1")
    until(process, "waits begins")
    assert program.process("abort", "nightly", "--reason", "too slow").returncode == 0
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "too slow" in stderr
    assert "is aborted already" in program.process("abort", "nightly").stderr


def test_abort_stops_what_nobody_drives(program: Shell) -> None:
    made = program.process("run", "--no-wait", "--name", "nightly", "shop_flows.py", "chain", "--x", "1")
    assert made.stdout == "nightly\n"
    assert "nobody drives it" in program.process("get", "executions").stdout
    assert program.process("abort", "nightly").returncode == 0
    assert program.process("get", "executions", "--phase", "aborted", "-o", "name").stdout == "nightly\n"


def test_a_served_store_is_driven_by_its_engine(program: Shell) -> None:
    server = start(program, "serve")
    until(server, "Ctrl-C stops it")
    made = program.process("run", "--no-wait", "--name", "nightly", "shop_flows.py", "chain", "--x", "1")
    assert made.stdout == "nightly\n"
    program.add("go", "")
    done = program.process("run", "--name", "nightly", "shop_flows.py", "chain", "--x", "1")
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
    assert json.loads(program.process("doctor", "-o", "json").stdout)["store"]["engines"]
    server.send_signal(signal.SIGTERM)
    _, stderr = server.communicate(timeout=60)
    assert server.returncode == 0, stderr


def test_what_there_is_can_be_got_as_tables_and_by_programs(program: Shell) -> None:
    program.process("run", "--name", "nightly", "shop_flows.py", "mapped", "--xs", "[1, 2, 3]")
    [row] = json.loads(program.process("get", "executions", "-o", "json").stdout)
    assert (row["name"], row["phase"]) == ("nightly", "succeeded")
    assert program.process("get", "executions", "-o", "name").stdout == "nightly\n"
    nodes = program.process("get", "nodes", "nightly").stdout
    assert "map_task(odd)" in nodes
    assert "ValueError: 2 is even" in nodes
    assert "3/3" in nodes
    assert json.loads(program.process("get", "outputs", "nightly", "-o", "json").stdout) == {"o0": [1, None, 3]}
    assert json.loads(program.process("get", "inputs", "nightly", "n0[0]", "-o", "json").stdout)
    assert program.process("get", "executions", "--phase", "gone").returncode == 2
    unknown = program.process("get", "nodes", "nightl")
    assert unknown.returncode == 2
    assert "did you mean nightly" in unknown.stderr


def test_a_background_without_a_place_for_its_log_is_told(program: Shell) -> None:
    (program.home / "alula-home").mkdir(exist_ok=True)
    (program.home / "alula-home" / "logs").touch()
    done = program.process("run", "--detach", "--name", "nightly", "shop_flows.py", "first", "--x", "1")
    assert done.returncode == 2
    assert "has no place: File exists" in done.stderr
    assert "Traceback" not in done.stderr
    assert program.process("run", "--name", "nightly", "shop_flows.py", "first", "--x", "1").returncode == 0


def test_logs_are_kept_for_each_node(program: Shell) -> None:
    program.process("run", "--name", "nightly", "shop_flows.py", "breaks", "--x", "1")
    assert program.process("logs", "nightly", "n0").stdout == "first runs\n"
    assert program.process("logs", "nightly").stdout == "n0 first │ first runs\n"
    assert "has printed nothing" in program.process("logs", "nightly", "n1").stderr
    assert program.process("logs", "nightly", "n9").returncode == 2


def test_old_executions_go_with_their_files(program: Shell) -> None:
    program.process("run", "--name", "nightly", "shop_flows.py", "breaks", "--x", "1")
    assert program.process("gc").returncode == 2
    dry = program.process("gc", "--keep", "0", "--dry-run")
    assert dry.stdout == "nightly\n"
    assert "would remove 1 execution" in dry.stderr
    done = program.process("gc", "--older-than", "0s", "--cache", "0s")
    assert done.returncode == 0, done.stderr
    assert program.process("get", "executions", "-o", "name").stdout == ""


def test_a_store_that_cannot_be_used_is_told_in_one_card(program: Shell) -> None:
    home = program.home / "alula-home"
    home.mkdir(exist_ok=True)
    (home / "alula.db").write_text("this is no database" * 100)
    for words in (["get", "executions"], ["run", "shop_flows.py", "first", "--x", "1"], ["doctor"]):
        done = program.process(*words)
        assert done.returncode == 5, done.stderr
        assert "Traceback" not in done.stderr
        assert "is damaged" in done.stderr + done.stdout


@pytest.mark.parametrize("damage", ["drop table nodes", "update closures set closure = x'ffff'"])
def test_an_execution_that_cannot_be_read_is_told_and_not_waited_for(program: Shell, damage: str) -> None:
    words = ["run", "--name", "nightly", "shop_flows.py", "first", "--x", "1"]
    assert program.process(*words, "--no-wait").returncode == 0
    with closing(sqlite3.connect(program.home / "alula-home" / "alula.db")) as store, store:
        store.execute(damage)
    done = program.process(*words)
    assert done.returncode == 5, done.stderr
    assert "StoreDamaged" in done.stderr
    assert "fix:" in done.stderr


def test_settings_that_are_wrong_are_told_all_at_once(program: Shell) -> None:
    program.add("alula.toml", '[store]\ndurability = "half"\n[engin]\nx = 1\n')
    done = program.process("run", "shop_flows.py", "first", "--x", "1")
    assert done.returncode == 2
    assert "'half' is none of full, relaxed" in done.stderr
    assert "did you mean 'engine'?" in done.stderr


def test_an_environment_travels_with_the_execution(program: Shell) -> None:
    made = program.process(
        "run", "--no-wait", "--name", "nightly", "--env", "SHOP_VARIABLE=far", program.file, "variable"
    )
    assert made.returncode == 0, made.stderr
    done = program.process("run", "--name", "nightly", program.file, "variable")
    assert done.stdout == "far\n", done.stderr


def test_a_home_that_is_a_file_is_a_fault_of_the_place(program: Shell) -> None:
    program.add("file", "")
    done = program.process("get", "executions", ALULA_HOME=str(Path(program.home / "file")))
    assert done.returncode == 5
    assert "cannot be made" in done.stderr


def test_a_place_for_files_that_cannot_be_written_is_said_before_anything_runs(program: Shell) -> None:
    program.add("taken", "")
    program.add("alula.toml", f'data = "{program.home / "taken" / "data"}"\n')
    done = program.process("run", "shop_flows.py", "chain", "--x", "1")
    assert done.returncode == 2
    assert "the files of executions have no place: Not a directory" in done.stderr
    assert "ALULA__DATA" in done.stderr
    assert ran(program) == 0
