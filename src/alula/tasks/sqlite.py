"""`SQLite3Task`: a query on an SQLite file, the smallest kind of prebuilt container."""

from __future__ import annotations

import re
import shutil
import sqlite3
import zipfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

from alula._kits import bridge, lazy
from alula.data import workspace
from alula.errors import SignatureError, TaskFailure
from alula.idl import TaskTemplate
from alula.sdk.prebuilt import PrebuiltTask, TemplateExecutor
from alula.sdk.signature import caller
from alula.sdk.texts import check_names, put_in, text_of
from alula.types.tabular import StructuredDataset
from alula.types.transformer import split

_pandas = lazy.module("pandas")
_QUOTED = re.compile(r"'(?:[^']|'')*'")


@dataclass(frozen=True, slots=True)
class SQLite3Config:
    """Where the data is.

    Args:
        uri: An SQLite file: a local path, or a URI that the object store or the web serves.
        compressed: It is the only file of a zip archive.
    """

    uri: str
    compressed: bool = False


class SQLite3Executor(TemplateExecutor):
    """Runs the query that a template holds, on a private copy of the file or on the local file read-only."""

    def execute(self, template: TaskTemplate, **inputs: Any) -> Any:
        custom = self.custom(template)
        query = bound(custom["query_template"])
        path = bridge.run(workspace.fetch(workspace.workspace().objects, custom["uri"]))
        path = _unpacked(path) if custom["compressed"] else path
        values = {name: _storable(value, name in custom["dates"]) for name, value in inputs.items()}
        try:
            with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
                cursor = connection.execute(query, values)
                rows = cursor.fetchall()
                columns = [column[0] for column in cursor.description or ()]
        except sqlite3.Error as exc:
            raise TaskFailure(
                f"the query of '{template.id.name}' failed: {exc}",
                where=query,
                fix="inputs stand for values; names of tables and columns cannot be inputs",
                code="USER:SQLite",
            ) from exc
        return _pandas.DataFrame(rows, columns=columns)


class SQLite3Task(PrebuiltTask):
    """A query whose rows become a dataset.

    `{{ .inputs.x }}` stands for an input, also inside quotes. It is handed over as a parameter, so that no value is
    ever read as SQL. The file is opened read-only.

    Args:
        name: Full name, unique in the project.
        query_template: The query.
        inputs: Names to types; each must be used.
        task_config: Where the data is.
        output_schema_type: The type of the output `results`: `StructuredDataset`, or a data frame class.
        keywords: Settings as of `@task`.

    Raises:
        SignatureError: the query asks for an input that is not declared, or never uses one that is.

    Example:
        tracks = SQLite3Task(
            name="music.tracks",
            query_template="select TrackId, Name from tracks limit {{ .inputs.limit }}",
            inputs=kwtypes(limit=int),
            task_config=SQLite3Config(uri="chinook.zip", compressed=True),
        )
    """

    task_type: ClassVar[str] = "sqlite"
    executor = SQLite3Executor

    def __init__(
        self,
        name: str,
        query_template: str,
        inputs: Mapping[str, Any] | None = None,
        task_config: SQLite3Config | None = None,
        output_schema_type: Any = StructuredDataset,
        **keywords: Any,
    ) -> None:
        if task_config is None:
            raise SignatureError(
                f"SQLite task '{name}' is not told where its data is",
                where=caller(),
                fix='pass task_config=SQLite3Config(uri="data.db")',
            )
        self.query_template, self.config = query_template, task_config
        super().__init__(name, inputs, {"results": output_schema_type}, **keywords)
        check_names(
            [query_template], self.interface.inputs, what=f"the query of '{name}'", where=self.where, all_used=True
        )

    def custom(self) -> Mapping[str, Any]:
        config, inputs = self.config, self.interface.inputs.items()
        dates = [name for name, one in inputs if split(one.type)[0] is date]  # the wire has no dates, only times
        return {
            "query_template": self.query_template,
            "uri": config.uri,
            "compressed": config.compressed,
            "dates": dates,
        }


def bound(query: str) -> str:
    """A query with `{{ .inputs.x }}` replaced by the parameter `:x`, joined to the text around it inside quotes."""
    outside = _QUOTED.sub(lambda quoted: _joined(quoted[0]), query)
    return put_in(outside, lambda name: f":{name}")


def _joined(quoted: str) -> str:
    joined = put_in(quoted, lambda name: f"' || :{name} || '")
    if joined == quoted:
        return quoted
    parts = [part for part in joined.split(" || ") if part != "''"]
    return parts[0] if len(parts) == 1 else f"({' || '.join(parts)})"


def _unpacked(path: Path) -> Path:
    """A copy of the one file in a zip archive."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if len(names) != 1:
            raise TaskFailure(
                f"the archive holds {len(names)} files, and must hold one SQLite file",
                where=str(path),
                fix="pack the database alone",
                code="USER:SQLite",
            )
        target = workspace.workspace().new_path("database")
        with archive.open(names[0]) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    return target


def _storable(value: Any, day: bool) -> Any:
    """A value as SQLite compares it: times as its own functions write them, in UTC; durations as seconds."""
    match value:
        case Enum():
            return value.value
        case bool():
            return int(value)
        case timedelta():
            return value.total_seconds()
        case datetime():
            return value.date().isoformat() if day else str(value.astimezone(UTC).replace(tzinfo=None))
        case None | int() | float() | str() | bytes():
            return value
        case _:
            return text_of(value)
