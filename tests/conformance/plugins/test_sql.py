"""The plugin `sql` on real servers, with everything that can go wrong between an engine and a statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import psycopg
import pytest

from alula.backends.sql.plugin import Sql, SqlSettings
from alula.data.sql.places import Connection
from alula.idl import LiteralMap, TaskTemplate
from alula.idl import Sql as Statement
from alula.testing.kit import Case, Grade, Harness, Remote, verify
from tests.servers.postgres import Postgres

GATE = """
create table gates (name text primary key, way text not null);
create function gate(asked text) returns void language plpgsql as $$
declare found text;
begin
  loop
    select way into found from gates where name = asked;
    if found = 'fail' then raise exception 'told to fail' using errcode = '40001'; end if;
    exit when found is not null;
    perform pg_sleep(0.02);
  end loop;
end $$;
"""
"""A statement that goes on until somebody says how it shall end."""


class PostgresRemote(Remote):
    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    def live(self) -> Sequence[str]:
        found = self.connection.execute(
            "select application_name from pg_stat_activity"
            " where query like '%gate(%' and state = 'active' and pid <> pg_backend_pid()"
        ).fetchall()
        return [row[0] for row in found]

    def finish(self, name: str) -> None:
        self._end(name, "finish")

    def fail(self, name: str) -> None:
        self._end(name, "fail")

    def close(self) -> None:
        self.connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name ~ '^a[0-9a-f]{40}$'"
        )
        self.connection.close()

    def _end(self, name: str, way: str) -> None:
        self.connection.execute("insert into gates values (%s, %s) on conflict do nothing", [name, way])


class PostgresConformance(Harness):
    pace = 20.0
    seconds = 45.0
    url: ClassVar[str]

    def remote(self) -> PostgresRemote:
        return PostgresRemote(self.url)

    def plugin(self, remote: Any) -> Sql:
        given = psycopg.conninfo.conninfo_to_dict(self.url)
        connection = Connection(
            host=str(given["host"]),
            port=int(given["port"] or 0),
            user=str(given["user"]),
            database=str(given["dbname"]),
        )
        return Sql(SqlSettings({"main": connection}))

    def cases(self) -> Sequence[Case]:
        template = TaskTemplate(type="sql-postgres", sql=Statement(statement="select gate({{ .perRetryUniqueKey }})"))
        template.custom.update({"connection": "main"})
        return [Case(template=template)]


@pytest.fixture
def gates(postgres: Postgres) -> str:
    url = postgres.database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(GATE)
    return url


@pytest.mark.timeout(600)
def test_no_fault_leaves_a_statement_running_or_sends_it_twice_at_a_time(gates: str) -> None:
    PostgresConformance.url = gates
    report = verify(PostgresConformance())
    assert report.grade is Grade.A, report.text()


class DuckDBConformance(Harness):
    """Statements in the engine's own process, with a result."""

    pace = 20.0
    seconds = 30.0
    ends_by_itself = True

    def plugin(self, remote: Any) -> Sql:
        return Sql()

    def cases(self) -> Sequence[Case]:
        template = TaskTemplate(type="sql-duckdb", sql=Statement(statement="select 'x' as a"))
        template.interface.outputs.variables["results"].type.structured_dataset_type.SetInParent()
        return [Case(template=template, outputs=_is_a_table)]


def _is_a_table(found: LiteralMap) -> bool:
    stored = found.literals["results"].scalar.structured_dataset
    return stored.uri.endswith("/raw/results") and stored.metadata.structured_dataset_type.format == "parquet"


@pytest.mark.timeout(600)
def test_no_fault_loses_a_result() -> None:
    report = verify(DuckDBConformance())
    assert report.grade is Grade.A, report.text()
