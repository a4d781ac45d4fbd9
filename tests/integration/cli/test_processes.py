"""The console script in processes of its own: what it loads, how it ends, commands of others, completion."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.programs import Shell, console_script

HEAVY = {"grpc", "pandas", "numpy", "pyarrow", "polars", "torch", "pydantic", "sqlalchemy", "starlette", "obstore"}


def loaded(shell: Shell, *words: str) -> set[str]:
    """The top-level packages and the modules of Alula that a command loads."""
    code = f"import sys, runpy\nsys.argv = {['alula', *words]!r}\n" + (
        "try:\n    runpy.run_module('alula.cli.main', run_name='imported')['main']()\n"
        "except SystemExit: pass\n"
        "import json; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=shell.home, capture_output=True, text=True, check=True, timeout=60
    )
    modules = json.loads(done.stderr.splitlines()[-1])
    return {name.partition(".")[0] for name in modules} | {name for name in modules if name.startswith("alula.")}


def test_help_loads_neither_messages_nor_the_authoring_side(shell: Shell) -> None:
    found = loaded(shell, "--help")
    assert not found & (HEAVY | {"flyteidl", "google", "yaml", "asyncio", "alula.sdk", "alula.idl", "alula.cli.run"})


def test_a_run_of_a_task_loads_nothing_heavy(shell: Shell) -> None:
    shell.add("other.py", "from alula import task\n@task\ndef add(a: int) -> int:\n    return a + 1\n")
    found = loaded(shell, "run", "other.py", "add", "--a", "1")
    assert "alula.engine.driver" in found
    assert not found & (HEAVY | {"yaml", "alembic", "prometheus_client", "opentelemetry", "psycopg"})
    assert not found & {"kubernetes_asyncio", "httpx", "uvicorn", "snowflake", "pymysql", "jwt", "cryptography"}
    plugins = {name for name in found if name.startswith("alula.backends.") and name.split(".")[2] != "pool"}
    assert not plugins
    assert not found & {"alula.hosting.webapi", "alula.hosting.sync", "alula.hosting.k8s.adapter"}


def test_a_local_run_of_a_task_loads_no_engine(shell: Shell) -> None:
    shell.add("other.py", "from alula import task\n@task\ndef add(a: int) -> int:\n    return a + 1\n")
    found = loaded(shell, "run", "--local", "other.py", "add", "--a", "1")
    assert "alula.sdk.task" in found
    engine = {"alula.engine", "alula.store", "alula.client"}
    assert not found & (HEAVY | engine | {"yaml", "asyncio", "alula.sdk.compiler", "alula.sdk.launch_plan"})


def test_a_run_prints_and_ends(shell: Shell) -> None:
    done = shell.process("run", shell.file, "flow", "--a", "1")
    assert (done.returncode, done.stdout) == (0, "5\n")


EXITS = [("add", 2), ("failing", 1), ("slow", 4)]


@pytest.mark.parametrize(("entity", "code"), EXITS)
def test_exit_codes_reach_the_shell(shell: Shell, entity: str, code: int) -> None:
    words = ["--a", "1"] if entity == "failing" else []
    assert shell.process("run", shell.file, entity, *words).returncode == code


def test_ctrl_c_ends_a_run_with_its_own_exit_code(shell: Shell) -> None:
    shell.add(
        "other.py",
        "import threading\nfrom alula import task\n@task\ndef waits() -> None:\n"
        "    print('begun', flush=True)\n    threading.Event().wait(60)\n",
    )
    process = subprocess.Popen(
        [console_script(), "run", "other.py", "waits"],
        cwd=shell.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "begun" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "task waits aborted" in stderr
    assert "Traceback" not in stderr


def test_a_reader_that_leaves_early_is_no_error(shell: Shell) -> None:
    command = f"{console_script()} run {shell.file} add --a 1 | true"
    done = subprocess.run(["sh", "-c", command], cwd=shell.home, capture_output=True, text=True, check=True, timeout=60)
    assert "Traceback" not in done.stderr


def test_a_command_of_another_distribution_is_found(shell: Shell) -> None:
    shell.add("greeting.py", "import click\n@click.command()\ndef greet():\n    click.echo('hello')\n")
    distribution = shell.home / "alula_greeting-1.0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: alula-greeting\nVersion: 1.0\n")
    (distribution / "entry_points.txt").write_text("[alula.cli]\ngreet = greeting:greet\nbad = greeting:gone\n")
    here = {"PYTHONPATH": str(shell.home)}
    assert shell.process("greet", **here).stdout == "hello\n"
    listed = shell.process("--help", **here).stdout
    assert "greet from alula-greeting 1.0" in " ".join(listed.split())
    broken = shell.process("bad", **here)
    assert broken.returncode == 1
    assert "could not be loaded" in broken.stderr
    assert "Traceback" not in broken.stderr
    doctor = shell.process("doctor", **here)
    assert doctor.returncode == 1
    assert "broken" in doctor.stdout


def test_a_program_for_another_sdk_runs_through_its_dialect(shell: Shell) -> None:
    shell.add(
        "otherkit_dialect.py",
        "import sys, types\ndef install():\n    from alula import task\n"
        "    made = types.ModuleType('otherkit')\n    made.task = task\n    sys.modules['otherkit'] = made\n",
    )
    distribution = shell.home / "otherkit_dialect-1.0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: otherkit-dialect\nVersion: 1.0\n")
    (distribution / "entry_points.txt").write_text("[alula.dialects]\notherkit = otherkit_dialect:install\n")
    shell.add("theirs.py", "from otherkit import task\n@task\ndef double(a: int) -> int:\n    return a * 2\n")
    done = shell.process("run", "theirs.py", "double", "--a", "21", PYTHONPATH=str(shell.home))
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr


def on_a_terminal(shell: Shell, *words: str, **env: str) -> str:
    """What a command prints on a terminal."""
    master, slave = pty.openpty()
    surroundings = {**os.environ, "ALULA_HOME": str(shell.home), "TERM": "xterm", **env}
    surroundings.pop("NO_COLOR" if "NO_COLOR" not in env else "", None)
    process = subprocess.Popen(
        [console_script(), *words], cwd=shell.home, env=surroundings, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    printed = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:  # how the end of a terminal shows on Linux
            piece = b""
        if not piece:
            break
        printed += piece
    os.close(master)
    assert process.wait(timeout=60) == 0
    return printed.decode()


def test_a_terminal_shows_a_tree_and_at_its_end_the_result(shell: Shell) -> None:
    printed = on_a_terminal(shell, "run", "--name", "nightly", shell.file, "flow", "--a", "1", NO_COLOR="1")
    last = printed.rpartition("\x1b[0J")[2].replace("\x1b[?25h", "").replace("\x1b[?25l", "").splitlines()
    assert last[0].startswith("✓ workflow flow  nightly  succeeded")
    assert [line.split()[:2] for line in last[1:4]] == [["✓", "add"], ["✓", "report"], ["✓", "add"]]
    assert "5" in last
    assert "workflow flow succeeded" not in printed


def test_colors_are_for_terminals_that_want_them(shell: Shell) -> None:
    words = ["run", shell.file, "add", "--a", "1"]
    assert "\x1b[32m" in on_a_terminal(shell, *words)
    assert "\x1b[3" not in on_a_terminal(shell, *words, NO_COLOR="1")
    assert "\x1b[" not in shell.process("run", shell.file, "add", "--a", "1").stderr


COMPLETIONS = [(f"alula {word}", 1, expected) for word, expected in [("r", "plain,run"), ("comp", "plain,compile")]] + [
    ("alula run ", 2, "file,"),
    ("alula run shop.py al", 3, "plain,all_kinds"),
    ("alula run shop.py all_kinds --color ", 5, "plain,red"),
    ("alula run shop.py add --", 4, "plain,--a"),
]


@pytest.mark.parametrize(("line", "at", "expected"), COMPLETIONS)
def test_the_shell_completes(shell: Shell, line: str, at: int, expected: str) -> None:
    done = shell.process(_ALULA_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(at))
    assert expected in done.stdout.splitlines()


def test_a_file_with_an_error_completes_to_nothing(shell: Shell) -> None:
    shell.add("other.py", "1 / 0\n")
    done = shell.process(_ALULA_COMPLETE="bash_complete", COMP_WORDS="alula run other.py x", COMP_CWORD="3")
    assert "Traceback" not in done.stderr
    assert not Path(shell.home / "x").exists()


WAYS = [["--name", "nightly"], ["--local"]]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a file that is always full")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("words", "code", "result"), [(["flow", "--a", "1"], 0, "5\n"), (["slow"], 4, "")])
def test_work_goes_on_where_its_progress_has_no_place(
    shell: Shell, way: list[str], words: list[str], code: int, result: str
) -> None:
    with open("/dev/full", "w") as full:
        command = [console_script(), "run", *way, shell.file, *words]
        done = subprocess.run(
            command, cwd=shell.home, stdout=subprocess.PIPE, stderr=full, text=True, check=False, timeout=60
        )
    assert (done.returncode, done.stdout) == (code, result)


@pytest.mark.parametrize("way", WAYS)
def test_work_goes_on_after_the_reader_of_its_progress_has_left(shell: Shell, way: list[str]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "w") as left:
        command = [console_script(), "run", *way, shell.file, "flow", "--a", "1"]
        done = subprocess.run(
            command, cwd=shell.home, stdout=subprocess.PIPE, stderr=left, text=True, check=False, timeout=60
        )
    assert (done.returncode, done.stdout) == (0, "5\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a file that is always full")
def test_what_has_no_place_to_be_printed_is_one_line(shell: Shell) -> None:
    with open("/dev/full", "w") as full:
        words = [console_script(), "run", shell.file, "flow", "--a", "1"]
        done = subprocess.run(
            words, cwd=shell.home, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert done.returncode == 1
    assert "has no place" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_standard_descriptors_may_be_closed(shell: Shell, closed: str) -> None:
    shell.add(
        "other.py",
        "from pathlib import Path\nfrom alula import task\n"
        "@task\ndef says(to: str) -> int:\n"
        "    print('said')\n    input_is = open(0).read()\n    Path(to).write_text(repr(input_is))\n    return 5\n",
    )
    command = f"{console_script()} run -q --name silent other.py says --to {shell.home}/made {closed}"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=shell.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("" if " >&-" in f" {closed}" else "5\n")
    assert Path(shell.home / "made").read_text() == "''"
    assert shell.process("logs", "silent", "n0").stdout == "said\n"
