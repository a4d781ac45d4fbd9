"""`SQLTask`: a query with typed inputs."""

from __future__ import annotations

from typing import Any, TypeVar

from alula.compat.flytekit.core.base_task import PythonTask
from alula.compat.flytekit.core.interface import Interface
from alula.compat.names import mirror
from alula.sdk.texts import check_names, put_in, text_of
from alula.tasks.sql import one_line

T = TypeVar("T")


class SQLTask(PythonTask[T]):
    """A query that a backend runs; `{{ .inputs.x }}` in it stands for an input. See `alula.SQLTask`."""

    def __init__(
        self,
        name: str,
        query_template: str,
        task_config: T | None = None,
        task_type: str = "sql_task",
        inputs: dict[str, Any] | None = None,
        metadata: Any = None,
        outputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            task_type=task_type,
            name=name,
            task_config=task_config,
            interface=Interface(inputs, outputs),
            metadata=metadata,
            **kwargs,
        )
        self._query_template = one_line(query_template)

    @property
    def query_template(self) -> str:
        return self._query_template

    def execute(self, **kwargs: Any) -> Any:
        raise Exception("Cannot run a SQL Task natively, please mock.")  # flytekit's words, for tests that match them

    def get_query(self, **kwargs: Any) -> str:
        return self.interpolate_query(self.query_template, **kwargs)

    @classmethod
    def interpolate_query(cls, query_template: str, **kwargs: Any) -> str:
        """The query with its inputs put in. ValueError: one is missing, or is never used."""
        check_names([query_template], kwargs, what="the query", where="", all_used=True)
        return put_in(query_template, lambda name: text_of(kwargs[name]))


__getattr__, __dir__ = mirror(__name__, {})
