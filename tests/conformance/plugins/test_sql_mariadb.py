"""The plugin `sql` on a real MariaDB, with everything that can go wrong between an engine and a statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pymysql
import pytest

from alula.backends.sql.plugin import Sql, SqlSettings
from alula.data.sql.places import Connection
from alula.idl import Sql as Statement
from alula.idl import TaskTemplate
from alula.testing.kit import Case, Grade, Harness, Remote, verify
from tests.servers.mariadb import MariaDB

GATE = (
    "create table gates (name varchar(64) primary key, way varchar(10) not null)",
    "create table asked (name varchar(64) primary key)",
    """
    create procedure gate(given varchar(64))
    begin
      declare found varchar(10) default null;
      insert ignore into asked values (given);
      looking: loop
        select max(way) into found from gates where name = given;
        if found = 'fail' then signal sqlstate '40001' set mysql_errno = 1213, message_text = 'told to fail'; end if;
        if found is not null then leave looking; end if;
        do sleep(0.02);
      end loop;
    end
    """,
)
"""A statement that goes on until somebody says how it shall end."""


class MariaDBRemote(Remote):
    def __init__(self, server: MariaDB, database: str) -> None:
        self.connection = server.connect(database)

    def live(self) -> Sequence[str]:
        return [name for name, _ in self._running()]

    def finish(self, name: str) -> None:
        self._ask("insert ignore into gates values (%s, 'finish')", name)

    def fail(self, name: str) -> None:
        self._ask("insert ignore into gates values (%s, 'fail')", name)

    def close(self) -> None:
        for _, session in self._running():
            self._ask(f"kill {session}")
        self._ask("delete from asked")
        self.connection.close()

    def _running(self) -> list[tuple[str, int]]:
        """Sessions that have begun a statement and still hold the lock of its name."""
        found = self._ask(
            "select asked.name, one.id from asked join information_schema.processlist one"
            " on one.id = is_used_lock(asked.name) where one.command <> 'Killed'"
        )
        return [(str(name), int(session)) for name, session in found]

    def _ask(self, text: str, *values: object) -> Sequence[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            try:
                cursor.execute(text, values)
            except pymysql.OperationalError as exc:
                if exc.args[0] != 1094:  # a session that has ended by itself need not be killed
                    raise
                return []
            return cursor.fetchall()


class MariaDBConformance(Harness):
    pace = 20.0
    seconds = 45.0
    server: ClassVar[MariaDB]
    database: ClassVar[str]

    def remote(self) -> MariaDBRemote:
        return MariaDBRemote(self.server, self.database)

    def plugin(self, remote: Any) -> Sql:
        connection = Connection("mysql", "127.0.0.1", self.server.port, "root", self.database)
        return Sql(SqlSettings({"main": connection}))

    def cases(self) -> Sequence[Case]:
        template = TaskTemplate(type="sql-mysql", sql=Statement(statement="call gate({{ .perRetryUniqueKey }})"))
        template.custom.update({"connection": "main"})
        return [Case(template=template)]


@pytest.mark.timeout(600)
def test_no_fault_leaves_a_statement_running_or_sends_it_twice_at_a_time(mariadb: MariaDB) -> None:
    MariaDBConformance.server, MariaDBConformance.database = mariadb, mariadb.database()
    with mariadb.connect(MariaDBConformance.database) as connection, connection.cursor() as cursor:
        for text in GATE:
            cursor.execute(text)
    report = verify(MariaDBConformance())
    assert report.grade is Grade.A, report.text()
