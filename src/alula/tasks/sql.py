"""`SQLTask`: a query with typed inputs, for kinds of task whose backend runs queries."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn, Unpack

from alula.errors import TaskFailure
from alula.idl import Sql, TaskTemplate
from alula.sdk.instance import InstanceTask
from alula.sdk.options import TaskKeywords
from alula.sdk.texts import check_names, put_in, text_of

_PARTS = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")|(?:--[^\n]*|\s)+""")


class SQLTask(InstanceTask):
    """A query that a backend plugin runs; `{{ .inputs.x }}` in it stands for an input.

    The backend puts the inputs in as text, before the database sees the query: it quotes and escapes nothing. So
    inputs of a query must come from whom you trust with the database. Comments and line breaks are taken out of the
    query, since backends send it as one line; text in quotes is left as it is.

    Args:
        name: Full name, unique in the project.
        query_template: The query.
        inputs: Names to types; each must be used.
        outputs: Names to types.
        task_type: Chooses the backend plugin.
        keywords: Settings as of `@task`.

    Raises:
        SignatureError: the query asks for an input that is not declared, or never uses one that is.
    """

    runs_user_code: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        query_template: str,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        *,
        task_type: str = "sql_task",
        **keywords: Unpack[TaskKeywords],
    ) -> None:
        self.query_template = one_line(query_template)
        self.task_type = task_type  # type: ignore[misc]  # of each task here, of the class elsewhere
        super().__init__(name, inputs, outputs, **keywords)
        check_names(
            [self.query_template], self.interface.inputs, what=f"the query of '{name}'", where=self.where, all_used=True
        )

    def get_query(self, **inputs: Any) -> str:
        """The query for these inputs, as a backend would send it."""
        return put_in(self.query_template, lambda name: text_of(inputs[name]))

    def execute(self, **inputs: Any) -> NoReturn:
        raise TaskFailure(
            f"the query of '{self.name}' is run by the backend plugin for '{self.task_type}', which local runs lack",
            where=self.where,
            fix="run it on a platform, or stand in for it: "
            f"with alula.testing.task_mock({self.short_name}) as fake: fake.return_value = ...",
            code="NoSqlBackend",
            origin="system",
        )

    def fill(self, template: TaskTemplate, env: Mapping[str, str], image: Callable[[Any], str]) -> None:
        template.sql.CopyFrom(Sql(statement=self.query_template, dialect=Sql.ANSI))


def one_line(query: str) -> str:
    """A query without comments, its white space collapsed; what is in quotes stays."""
    return _PARTS.sub(lambda part: part[1] or " ", query).strip()
