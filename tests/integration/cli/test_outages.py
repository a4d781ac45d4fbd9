"""What `alula run` does when a server of its own, or somebody else's, goes away in the middle of it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import needs
from tests.integration.cli.programs import Shell
from tests.integration.cli.test_durable import PROGRAM, start, until
from tests.servers.postgres import NoPostgres, Postgres, postgres_server

Begin = Callable[..., subprocess.Popen[str]]
WORDS = ("--name", "nightly", "shop_flows.py", "chain", "--x", "1")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """A server that holds the store, with little patience for it."""
    try:
        with postgres_server() as running:
            monkeypatch.setenv("ALULA__STORE__URL", running.database())
            monkeypatch.setenv("ALULA__STORE__BUSY_TIMEOUT", "300ms")
            monkeypatch.setenv("ALULA__ENGINE__LEASE", "2s")
            yield running
    except NoPostgres as exc:
        needs("Postgres", str(exc))


@pytest.fixture
def program(shell: Shell) -> Iterator[Shell]:
    shell.add("shop_flows.py", PROGRAM)
    yield shell
    shell.add("go", "")  # whatever still waits ends


@pytest.fixture
def begin(program: Shell, server: Postgres) -> Iterator[Begin]:
    """The console script, running, until the test is over at the latest: it would wait for its server for ever."""
    begun: list[subprocess.Popen[str]] = []

    def one(*words: str) -> subprocess.Popen[str]:
        begun.append(start(program, *words))
        return begun[-1]

    yield one
    for process in begun:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stop", "crash"])
def test_a_run_goes_on_when_a_server_that_was_away_for_long_is_back(
    program: Shell, server: Postgres, begin: Begin, how: signal.Signals
) -> None:
    running = begin("run", *WORDS)
    until(running, "waits begins")
    server.stop(how)
    said = until(running, "run.store_away")
    server.start()
    program.add("go", "")
    out, rest = running.communicate(timeout=60)
    assert (running.returncode, out) == (0, "3\n"), said + rest
    assert "psycopg" not in said + rest
    assert "Traceback" not in said + rest


def test_a_run_in_the_background_goes_on_when_a_server_that_was_away_for_long_is_back(
    program: Shell, server: Postgres, begin: Begin
) -> None:
    assert program.process("run", "--no-wait", *WORDS).returncode == 0
    driving = begin("drive", "nightly")
    following = begin("logs", "-f", "nightly")
    assert following.stdout is not None
    assert any("waits begins" in line for line in following.stdout)
    following.kill()
    following.communicate()
    server.stop()
    said = until(driving, "run.store_away")
    server.start()
    program.add("go", "")
    _, rest = driving.communicate(timeout=60)
    assert driving.returncode == 0, said + rest
    assert "succeeded" in program.process("get", "executions").stdout


def test_a_run_that_cannot_be_aborted_since_the_server_is_away_is_left(
    program: Shell, server: Postgres, begin: Begin
) -> None:
    running = begin("run", *WORDS)
    until(running, "waits begins")
    server.stop()
    until(running, "run.store_away")
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert "goes on with: alula run --name nightly" in said
    assert "Traceback" not in said
    assert "never retrieved" not in said
    server.start()
    program.add("go", "")
    again = program.process("run", *WORDS)
    assert (again.returncode, again.stdout) == (0, "3\n"), again.stderr
