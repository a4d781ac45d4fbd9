"""The plugin `snowflake` against a server that follows the published SQL API, with everything that can go wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from alula.backends.snowflake.plugin import Snowflake, SnowflakeSettings
from alula.idl import Sql, TaskTemplate
from alula.testing.kit import Case, Grade, Harness, Remote, verify
from tests.servers.snowflake import SqlApiServer


class Account(Remote):
    def __init__(self) -> None:
        self.server = SqlApiServer()

    def live(self) -> Sequence[str]:
        return [one.tag for one in self.server.live()]

    def finish(self, name: str) -> None:
        for one in self.server.of(name):
            if one.state == "running":
                self.server.finish(one)

    def fail(self, name: str) -> None:
        for one in self.server.of(name):
            if one.state == "running":  # a lock that could not be had: another attempt may get it
                self.server.fail(one, code="000625", message="has locked it")


class SnowflakeConformance(Harness):
    def remote(self) -> Account:
        return Account()

    def plugin(self, remote: Account) -> Snowflake:
        settings = SnowflakeSettings(account="org-acc", user="u", token="snowflake/token")
        return Snowflake(settings, transport=remote.server.transport, clock=self.clock)

    def cases(self) -> Sequence[Case]:
        template = TaskTemplate(type="snowflake", sql=Sql(statement="call refresh()"))
        return [Case(template=template)]


@pytest.mark.timeout(600)
def test_no_fault_leaves_a_statement_running_or_starts_it_twice() -> None:
    report = verify(SnowflakeConformance(), pairs=100)
    assert report.grade is Grade.A, report.text()
