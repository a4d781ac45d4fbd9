"""Statements run by the real engine: `alula run`, killed where it hurts."""

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
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pymysql
import pytest

from alula.data.sql.driver import Source
from alula.data.sql.drivers import DRIVERS
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres

PROGRAM = """
import pandas as pd
from alula import kwtypes, task, workflow
from alula.tasks.databases import DuckDBConfig, DuckDBTask, MySQLConfig, MySQLTask, PostgresConfig, PostgresTask
from alula.tasks.databases import SQLiteConfig, SQLiteTask

KIND = "%(kind)s"
Task, Config = {"postgres": (PostgresTask, PostgresConfig), "mysql": (MySQLTask, MySQLConfig)}[KIND]
main = Config(connection="main")
word = Task(
    query_template="select {{ .inputs.word }} as word, {{ .inputs.n }} as n",
    task_config=main,
    inputs=kwtypes(word=str, n=int),
    output_schema_type=pd.DataFrame,
)
squares = DuckDBTask(
    query_template="select range * range as sq from range({{ .inputs.n }})",
    inputs=kwtypes(n=int),
    output_schema_type=pd.DataFrame,
)
lower = SQLiteTask(query_template="select lower({{ .inputs.word }}) as low", inputs=kwtypes(word=str))
slow = Task(
    query_template="select " + {"postgres": "pg_sleep", "mysql": "sleep"}[KIND] + "({{ .inputs.n }})",
    task_config=main, inputs=kwtypes(n=int), output_schema_type=None,
)
wrong = Task(query_template="select * from nothing_there", task_config=main, output_schema_type=None)

@task
def together(a: pd.DataFrame, b: pd.DataFrame, c: pd.DataFrame) -> str:
    return f"{a.word[0]} {int(a.n[0])} {int(b.sq.sum())} {c.low[0]}"

@workflow
def fine(word_: str, n: int) -> str:
    return together(a=word(word=word_, n=n), b=squares(n=n), c=lower(word=word_))

@workflow
def long() -> None:
    slow(n=600)

@workflow
def bad() -> None:
    wrong()
"""
CONFIG = """
[backends.sql.connections.main]
kind = "{kind}"
host = "127.0.0.1"
port = {port}
user = "{user}"
database = "{database}"
password = "db/main"
"""
PASSWORD = "n0t-to-be-seen"
PATIENCE = 60.0


@dataclass
class Desk:
    """A directory with a program, and the database that it talks to."""

    folder: Path
    source: Source

    def alula(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *words], cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )

    @contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [*self.command, *words],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "alula.cli.main"]

    @property
    def env(self) -> dict[str, str]:
        own = {"ALULA_HOME": str(self.folder / "home"), "NO_COLOR": "1", "ALULA_SECRET_DB_MAIN": PASSWORD}
        return {**os.environ, **own}

    def running(self) -> list[str]:
        """The names of what runs at the database."""
        return DRIVERS[self.source.kind].names(self.source)

    @contextmanager
    def killed_in_the_middle(self) -> Iterator[tuple[str, str]]:
        """The execution and the statement of an engine that was killed while the statement ran, and runs on."""
        with self.started("run", "flow.py", "long") as process:
            until(lambda: session_of(self) is not None)
            process.send_signal(signal.SIGKILL)
            printed, _ = process.communicate()
        found = re.search(r"execution ([a-z0-9-]+)", printed)
        assert found is not None, printed
        [name] = self.running()
        yield found[1], name


@pytest.fixture(params=["postgres", "mysql"])
def desk(request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres, mariadb: MariaDB) -> Iterator[Desk]:
    kind = request.param
    if kind == "postgres":
        source = Source(kind, "127.0.0.1", postgres.port, "postgres", postgres.database().rpartition("/")[2])
    else:
        with mariadb.connect() as connection, connection.cursor() as cursor:
            cursor.execute("create or replace user worker@'127.0.0.1' identified by %s", [PASSWORD])
            cursor.execute("grant all on *.* to worker@'127.0.0.1'")
        source = Source(kind, "127.0.0.1", mariadb.port, "worker", mariadb.database(), PASSWORD)
    (tmp_path / "flow.py").write_text(PROGRAM % {"kind": kind})
    text = CONFIG.format(kind=kind, port=source.port, user=source.user, database=source.database)
    (tmp_path / "alula.toml").write_text(text)
    yield Desk(tmp_path, source)
    for name in DRIVERS[kind].names(source):
        DRIVERS[kind].stop(source, name)


def until(true: Callable[[], bool]) -> None:
    end, pause = time.monotonic() + PATIENCE, threading.Event()
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        pause.wait(0.05)


def test_statements_are_steps_of_a_workflow(desk: Desk) -> None:
    done = desk.alula("run", "flow.py", "fine", "--word_", "IT'S; {{ .inputs.n }}", "--n", "4")
    assert done.stdout == "IT'S; {{ .inputs.n }} 4 14 it's; {{ .inputs.n }}\n", done.stderr
    assert not desk.running()


def test_a_statement_that_the_database_refuses_says_why(desk: Desk) -> None:
    done = desk.alula("run", "flow.py", "bad")
    assert done.returncode != 0
    assert "the database refuses the statement" in done.stderr
    assert "nothing_there" in done.stderr


def test_a_statement_of_an_engine_that_was_killed_is_gone_after_abort(desk: Desk) -> None:
    with desk.killed_in_the_middle() as (execution, _):
        done = desk.alula("abort", execution)
        assert done.returncode == 0, done.stderr
        until(lambda: not desk.running())


def test_the_next_engine_stops_it_before_it_sends_it_again_and_abort_ends_that(desk: Desk) -> None:
    with desk.killed_in_the_middle() as (execution, name), desk.started("serve"):
        first = session_of(desk)
        until(lambda: session_of(desk) not in (None, first))
        assert desk.running() == [name]
        assert desk.alula("abort", execution).returncode == 0
        until(lambda: not desk.running())


def test_leaks_are_found_by_name_and_passwords_are_nowhere(desk: Desk) -> None:
    session = DRIVERS[desk.source.kind].open(desk.source, "a" + "0" * 40)
    done = desk.alula("leaks")
    session.close()
    assert "plugin sql cannot" not in done.stdout + done.stderr
    desk.alula("run", "flow.py", "bad")
    kept = [path for path in (desk.folder / "home").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if PASSWORD.encode() in path.read_bytes()]


def session_of(desk: Desk) -> int | None:
    """The database's own number of the session in which the long statement runs."""
    source = desk.source
    if source.kind == "postgres":
        asked = (
            "select pid from pg_stat_activity"
            " where state = 'active' and query = 'select pg_sleep($1)' and datname = current_database()"
        )
        with psycopg.connect(host=source.host, port=source.port, user=source.user, dbname=source.database) as one:
            row = one.execute(asked).fetchone()
            return row[0] if row else None
    asked = "select id from information_schema.processlist where info like '%%select sleep(%%' and db = %s"
    login = {"host": source.host, "port": source.port, "user": source.user, "password": source.password}
    with pymysql.connect(**login) as connection, connection.cursor() as cursor:  # type: ignore[arg-type]
        cursor.execute(asked, [source.database])
        found = cursor.fetchone()
        return found[0] if found else None
