"""`SQLite3Task`: a query on an SQLite file."""

from __future__ import annotations

from typing import Any

from alula.compat.flytekit.core.base_sql_task import SQLTask
from alula.compat.flytekit.types.schema.types import FlyteSchema
from alula.compat.names import mirror
from alula.sdk.prebuilt import TemplateExecutor
from alula.tasks.sqlite import SQLite3Config, SQLite3Executor
from alula.tasks.sqlite import SQLite3Task as Ours


class SQLite3Task(SQLTask[SQLite3Config]):
    """A query whose rows become a table. See `alula.SQLite3Task`."""

    _SQLITE_TASK_TYPE = "sqlite"

    def __init__(
        self,
        name: str,
        query_template: str,
        inputs: dict[str, Any] | None = None,
        task_config: SQLite3Config | None = None,
        output_schema_type: Any = None,
        container_image: Any = None,
        **kwargs: Any,
    ) -> None:
        if task_config is None or task_config.uri is None:
            raise ValueError("SQLite DB uri is required.")
        super().__init__(
            name=name,
            query_template=query_template,
            task_config=task_config,
            task_type=self._SQLITE_TASK_TYPE,
            inputs=inputs,
            outputs={"results": output_schema_type or FlyteSchema},
            **kwargs,
        )
        self._container_image = container_image

    @property
    def output_columns(self) -> list[str] | None:
        schema = self.python_interface.outputs["results"]
        return schema.column_names() or None if hasattr(schema, "column_names") else None

    def get_custom(self, settings: Any) -> dict[str, Any]:
        config = self.task_config
        return {"query_template": self.query_template, "uri": config.uri, "compressed": config.compressed}

    def execute(self, **kwargs: Any) -> Any:
        types = self.python_interface.ours.inputs
        made = Ours(self.name, self.query_template, {k: one.type for k, one in types.items()}, self.task_config)
        return SQLite3Executor().execute(made.template(), **kwargs)


SQLite3TaskExecutor: type[TemplateExecutor] = SQLite3Executor
__all__ = ["SQLite3Config"]
__getattr__, __dir__ = mirror(__name__, {})
