"""One statement from its text and inputs to a Parquet file: what a local call and a backend both do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alula._kits import sqltext
from alula.data.sql.driver import Driver, Session, Source
from alula.data.sql.table import Sink
from alula.errors import Rejected
from alula.idl import StructuredDatasetType

PARQUET = "parquet"
FILE = "00000"
"""The one file of a table, in its directory: as data frames are written, too."""


@dataclass(frozen=True, slots=True)
class Order:
    """What shall be done."""

    name: str
    """The session's, so that it can be found and stopped."""
    text: str
    """The statement, with templates."""
    values: Mapping[str, object]
    wanted: StructuredDatasetType | None
    """How the result is declared; None: it is of no interest."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    rows: int
    """Fetched; of a statement without results those that it changed, if the database says so."""
    bytes: int
    seconds: float
    table: Path | None
    """None: no result is wanted."""


def check(driver: Driver, text: str) -> sqltext.Query:
    """A statement taken apart. Raises Rejected, with everything that is wrong with it."""
    query = sqltext.parse(text, driver.dialect)
    if query.faults:
        raise Rejected(
            f"the statement {' and '.join(query.faults)}",
            where=text,
            fix="write {{ .inputs.NAME }} where a value can be; join strings in SQL: '%' || {{ .inputs.x }} || '%'",
        )
    return query


def perform(
    driver: Driver,
    source: Source,
    order: Order,
    folder: Path,
    *,
    opened: Callable[[Session], None] = lambda session: None,
    progress: Callable[[int, int], None] = lambda rows, size: None,
) -> Outcome:
    """Run a statement to its end. Blocks.

    Args:
        folder: Where the result is written.
        opened: Told of the session, before anything runs in it; may raise.
        progress: Told how many rows and bytes have come so far.

    Raises:
        Rejected, RemoteError, TaskFailure: As the database's driver says it.
    """
    began = time.monotonic()
    query = check(driver, order.text)
    try:
        text, parameters = query.render({sqltext.KEY: order.name, **order.values}, driver.marker, empty=driver.empty)
    except ValueError as exc:
        raise Rejected(
            f"the statement {exc}",
            where=order.text,
            fix="write `= any({{ .inputs.x }})` in place of IN",
            code="QueryFailed",
        ) from exc
    session = driver.open(source, order.name)
    sink = Sink(folder / FILE, order.wanted or StructuredDatasetType(), source.where)
    try:
        opened(session)
        for batch in session.run(text, parameters):
            if order.wanted is not None:
                sink.write(batch)
                progress(sink.rows, sink.bytes)
        if order.wanted is not None:
            sink.close()
    except BaseException:
        sink.abandon()
        raise
    finally:
        session.close()
    if order.wanted is not None and sink.schema is None:
        raise Rejected(
            "the statement has no columns, and its task declares an output",
            where=order.text,
            fix="leave out output_schema_type, or let the statement return rows",
            code="NoResult",
        )
    rows = sink.rows if order.wanted is not None else session.affected or 0
    return Outcome(rows, sink.bytes, time.monotonic() - began, sink.path if order.wanted is not None else None)
