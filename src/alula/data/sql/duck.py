"""DuckDB, in this process, so that nothing outlives it. Its results are Arrow's already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from alula._kits.sqltext import DUCKDB, Dialect
from alula.data.sql import table
from alula.data.sql.driver import Driver, Session, Source, absent, conflict, refused, unreachable
from alula.errors import RemoteError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_ROWS = 10_000


class DuckDB(Driver):
    kind: ClassVar[str] = "duckdb"
    dialect: ClassVar[Dialect] = DUCKDB
    remote: ClassVar[bool] = False
    empty: ClassVar[str | None] = "select null where false"

    def open(self, source: Source, name: str) -> Session:
        with _translated(source):
            import duckdb

            config: dict[str, Any] = dict(source.options)
            if not source.outside:
                config |= {"enable_external_access": "false", "autoload_known_extensions": "false"}
                config |= {"autoinstall_known_extensions": "false", "lock_configuration": "true"}
            connection = duckdb.connect(
                source.database or ":memory:", read_only=source.read_only and bool(source.database), config=config
            )
            return _Session(connection, source)


class _Session(Session):
    def __init__(self, connection: duckdb.DuckDBPyConnection, source: Source) -> None:
        self._connection, self._source = connection, source

    def run(self, text: str, parameters: Sequence[object]) -> Iterator[pa.RecordBatch]:
        import duckdb

        with _translated(self._source):
            statements = self._connection.extract_statements(text)
            if len(statements) != 1:
                raise refused(f"it is {len(statements)} statements, and must be one", where=self._source.where)
            if statements[0].expected_result_type == [duckdb.ExpectedResultType.QUERY_RESULT]:
                reader = self._connection.sql(text, params=list(parameters)).to_arrow_reader(_ROWS)
                made = next(reader, None)
                yield made if made is not None else _empty(reader.schema)
                yield from reader
                return
            done = self._connection.execute(statements[0], list(parameters))
            names = [one[0] for one in done.description or ()]
            if names == ["Count"]:
                counted = done.fetchone()
                self.affected = counted[0] if counted else None
            elif names and statements[0].type != duckdb.StatementType.CREATE:
                yield from table.batches(done.fetchmany, [(name, None) for name in names], self._source.where)

    def close(self) -> None:
        self._connection.close()

    def interrupt(self) -> None:
        import duckdb

        with suppress(duckdb.Error):  # it is closed already
            self._connection.interrupt()


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.array([], one.type) for one in schema], schema=schema)


@contextmanager
def _translated(source: Source) -> Iterator[None]:
    try:
        import duckdb
    except ImportError as exc:
        raise absent("duckdb", "DuckDB", "duckdb") from exc
    try:
        yield
    except duckdb.InterruptException as exc:
        raise RemoteError("the statement was cancelled", where=source.where) from exc
    except duckdb.TransactionException as exc:
        raise conflict(str(exc), where=source.where, state="40001") from exc
    except duckdb.IOException as exc:
        locked = "lock" in str(exc).lower()
        raise (unreachable if locked else refused)(str(exc), where=source.where) from exc
    except duckdb.Error as exc:
        raise refused(str(exc), where=source.where, state=type(exc).__name__) from exc
