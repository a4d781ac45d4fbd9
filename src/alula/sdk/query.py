"""Tasks that are one statement, run by a backend plugin, or here when they are called as functions."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Unpack
from uuid import uuid4

from alula._kits import bridge, lazy, sqltext
from alula.data import uris
from alula.data.sql.values import bindable, parameters
from alula.data.sql.work import FILE, PARQUET, Order, Outcome
from alula.errors import PluginError, SignatureError
from alula.idl import Literal, Sql, StructuredDatasetType, TaskTemplate, literals
from alula.sdk.current import current_context
from alula.sdk.graph import Node
from alula.sdk.instance import InstanceTask
from alula.sdk.local import Kept, LocalRun, kept_of
from alula.sdk.options import TaskKeywords
from alula.sdk.secrets import Secret
from alula.sdk.signature import caller
from alula.sdk.task import script_module
from alula.types import maps
from alula.types.transformer import split

if TYPE_CHECKING:
    import dis
else:
    dis = lazy.module("dis")  # only tasks without a name need it

RESULTS = "results"
"""The name of the one output."""


class QueryTask(InstanceTask):
    """The base of tasks that are one statement. `{{ .inputs.x }}` in it stands for an input, bound as a parameter.

    Args:
        name: Full name, unique in the project; empty: that of the module and the variable that the task is put into.
        query_template: The statement.
        inputs: Names to types; each must be used.
        output_schema_type: The type of the output `results`: `StructuredDataset`, or a data frame class. None: the
            statement is run for what it does.
        secrets: What the database wants to know.
        keywords: Settings as of `@task`.

    Raises:
        SignatureError: With everything that is wrong with the declaration.
    """

    runs_user_code: ClassVar[bool] = False
    dialect: ClassVar[sqltext.Dialect]

    def __init__(
        self,
        name: str,
        query_template: str,
        inputs: Mapping[str, Any] | None,
        output_schema_type: Any,
        *,
        secrets: Iterable[Secret | None] = (),
        **keywords: Unpack[TaskKeywords],
    ) -> None:
        self.query_template = query_template
        wanted = [*(keywords.pop("secret_requests", None) or ()), *(one for one in secrets if one is not None)]
        if wanted:
            keywords["secret_requests"] = wanted
        outputs = {} if output_schema_type is None else {RESULTS: output_schema_type}
        super().__init__(name or _assigned(type(self).__name__), inputs, outputs, **keywords)
        self.query = sqltext.parse(query_template, self.dialect)
        self._check_statement()

    @abstractmethod
    def custom(self) -> Mapping[str, Any]:
        """What the backend plugin needs to know; becomes `TaskTemplate.custom`. Called at registration."""

    def labels(self) -> Mapping[str, str]:
        """Strings for `TaskTemplate.config`. Called at registration."""
        return {}

    @abstractmethod
    def perform_here(self, order: Order) -> Outcome:
        """Run the statement in this process. Blocks.

        Raises:
            Rejected, RemoteError, TaskFailure: The database refuses it, does not answer, or gives it up.
        """

    @property
    def dates(self) -> list[str]:
        """Inputs that are dates: the wire has only points in time."""
        return [name for name, one in self.interface.inputs.items() if split(one.type)[0] is date]

    def execute(self, **inputs: Any) -> NoReturn:
        raise PluginError(f"{type(self).__name__} has no function", where=self.where)

    def invoke(self, values: dict[str, Any], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        ins, outs = self.interface.inputs, self.interface.outputs
        given = {name: maps.literal(value, ins[name].converter, run.place) for name, value in values.items()}
        bound = parameters(given, self.query.names, dates=self.dates, where=self.where)
        order = Order(f"a{uuid4().hex}{uuid4().hex[:8]}", self.query_template, bound, self._wanted())
        outcome = self.perform_here(order)
        if outcome.table is None:
            return ()
        uri = run.place.new_uri()
        bridge.run(run.place.objects.upload(outcome.table, uris.join(uri, FILE)))
        outcome.table.unlink()
        [result] = outs.values()
        kind = StructuredDatasetType()
        kind.CopyFrom(result.converter.literal_type.structured_dataset_type)
        kind.format = PARQUET
        made: Literal = literals.dataset(uri, kind)
        return (kept_of(made, result.converter, run.place),)

    def fill(self, template: TaskTemplate, env: Mapping[str, str], image: Callable[[Any], str]) -> None:
        template.sql.CopyFrom(Sql(statement=self.query_template, dialect=Sql.ANSI))
        template.custom.update(self.custom())
        template.config.update(self.labels())

    def _wanted(self) -> StructuredDatasetType | None:
        for one in self.interface.outputs.values():
            return one.converter.literal_type.structured_dataset_type
        return None

    def _check_statement(self) -> None:
        known = self.interface.inputs
        faults = list(self.query.faults)
        faults += [
            f"asks for the input '{name}', which is not declared" for name in sorted(self.query.names - set(known))
        ]
        faults += [f"never uses the input '{name}'" for name in sorted(set(known) - self.query.names)]
        for name, one in known.items():
            if not bindable(one.converter.literal_type):
                faults.append(f"has the input '{name}', whose type no database takes as a parameter")
        for result in self.interface.outputs.values():
            kind = result.converter.literal_type
            if not kind.HasField("structured_dataset_type"):
                faults.append("declares an output that is no table")
            elif kind.structured_dataset_type.format not in ("", PARQUET):
                faults.append(f"declares an output in {kind.structured_dataset_type.format}, and results are Parquet")
        if faults:
            raise SignatureError(
                f"the statement of '{self.name}' {' and '.join(faults)}",
                where=self.where,
                fix="write {{ .inputs.NAME }} where a value can be, outside of quotes, and declare each: "
                "inputs=kwtypes(NAME=str)",
            )


def secret_here(secret: Secret | None) -> str:
    """A secret, for a statement that runs in this process; empty if none is wanted."""
    return "" if secret is None else current_context().secrets.get(secret.group, secret.key, secret.group_version)


def _assigned(kind: str) -> str:
    """Module and variable of the assignment that makes a task: `tracks = DuckDBTask(...)`. Raises SignatureError."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith("alula."):
        frame = frame.f_back
    if frame is not None:
        after = (one for one in dis.get_instructions(frame.f_code) if one.offset > frame.f_lasti)
        following = next((one for one in after if one.opname not in ("CACHE", "NOP")), None)
        if following is not None and following.opname in ("STORE_NAME", "STORE_GLOBAL", "STORE_FAST", "STORE_DEREF"):
            module = str(frame.f_globals.get("__name__", ""))
            if module == "__main__":
                module = script_module(frame.f_globals.get("__file__")) or module
            return f"{module}.{following.argval}"
    raise SignatureError(
        f"{kind} has no name",
        where=caller(),
        fix=f'pass name="...", or put the task into a variable: tracks = {kind}(...)',
    )
