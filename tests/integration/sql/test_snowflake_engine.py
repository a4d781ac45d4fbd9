"""Statements on Snowflake run by the real engine, against a server that follows the published SQL API."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.snowflake import SqlApiServer, Submitted

PROGRAM = """
from datetime import datetime
import pandas
from alula import kwtypes, task, workflow
from alula.tasks.snowflake import SnowflakeTask

query_task = SnowflakeTask(
    query="select * from x where x.time < {{ .inputs.time }}",
    inputs=kwtypes(time=datetime),
    output_schema_type=pandas.DataFrame,
)

@task
def process(df: pandas.DataFrame) -> str:
    return ", ".join(df["S"]) + f" {df['N'].sum()}"

@workflow
def my_wf(t: datetime) -> str:
    df = query_task(time=t)
    return process(df=df)
"""
TOKEN = "n0t-to-be-seen"
COLUMNS = [{"name": "N", "type": "fixed", "precision": 9, "scale": 0}, {"name": "S", "type": "text"}]
RUN = ("run", "flow.py", "my_wf", "--t", "2024-01-02T03:04:05+00:00")


class Desk:
    def __init__(self, folder: Path, server: SqlApiServer) -> None:
        self.folder, self.server = folder, server
        own = {"ALULA_HOME": str(folder / "home"), "NO_COLOR": "1", "ALULA_SECRET_SNOW_TOKEN": TOKEN}
        self.env = {**os.environ, **own}

    def alula(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "alula.cli.main", *words]
        return subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False)

    @contextmanager
    def started(self, *words: str) -> Iterator[Callable[[], str]]:
        """What it has printed so far."""
        log = self.folder / f"{words[0]}.log"
        with log.open("w") as out:
            command = [sys.executable, "-m", "alula.cli.main", *words]
            process = subprocess.Popen(command, cwd=self.folder, env=self.env, stdout=out, stderr=out)
        try:
            yield log.read_text
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def killed_while_it_runs(self) -> tuple[str, Submitted]:
        """The execution of an engine that was killed, and its statement, which runs on."""
        with self.started(*RUN) as printed:
            until(lambda: self.server.live() and "execution" in printed())
        found = re.search(r"execution ([a-z0-9-]+)", printed())
        assert found is not None
        [statement] = self.server.live()
        return found[1], statement

    def finish(self, statement: Submitted) -> None:
        self.server.finish(statement, COLUMNS, [[["1", "a"]], [["2", "it's"], ["3", "c"]]])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    server = SqlApiServer(lambda headers: headers["Authorization"] == f"Bearer {TOKEN}")
    (tmp_path / "flow.py").write_text(PROGRAM)
    with server.listening() as port:
        lines = ['account = "org-acc"', 'user = "u"', 'token = "snow/token"', 'host = "127.0.0.1"', f"port = {port}"]
        (tmp_path / "alula.toml").write_text("\n".join(["[backends.snowflake]", *lines, "plain = true", ""]))
        yield Desk(tmp_path, server)


def until(true: Callable[[], object]) -> None:
    end, pause = time.monotonic() + 60, threading.Event()
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        pause.wait(0.05)


def test_the_form_of_flytes_own_documents_runs(desk: Desk) -> None:
    desk.server.made = desk.finish
    done = desk.alula(*RUN)
    assert done.stdout == "a, it's, c 6\n", done.stderr
    [statement] = desk.server.statements.values()
    assert statement.body["bindings"] == {"1": {"type": "TIMESTAMP_LTZ", "value": "1704164645000000000"}}
    kept = [path for path in (desk.folder / "home").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if TOKEN.encode() in path.read_bytes()]


def test_the_next_engine_takes_a_statement_up_that_was_started_by_one_that_is_dead(desk: Desk) -> None:
    execution, statement = desk.killed_while_it_runs()
    with desk.started("serve"):
        desk.finish(statement)
        until(lambda: "it's, c 6" in desk.alula("get", "outputs", execution).stdout)
    assert [one.starts for one in desk.server.statements.values()] == [1]


def test_abort_cancels_a_statement_of_an_engine_that_is_dead(desk: Desk) -> None:
    execution, statement = desk.killed_while_it_runs()
    assert desk.alula("leaks").returncode == 0
    assert desk.alula("abort", execution).returncode == 0
    until(lambda: statement.state == "cancelled")
    assert not desk.server.live()
