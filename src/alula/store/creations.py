"""Many creations in one transaction: one statement for their rows, whatever their number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from alula.errors import AlulaError, AtLimit, NameTaken
from alula.store.connection import Connection
from alula.store.records import ExecutionKey, ExecutionRecord, NewExecution
from alula.store.rows import Row, execution_record, execution_values

Created = tuple[ExecutionRecord, bool]
"""An execution, and whether it is new."""


@dataclass(slots=True, eq=False)
class Creation:
    """An execution that somebody wants to have."""

    new: NewExecution
    digest: str = field(init=False)
    made: ExecutionRecord | None = None
    """As it was made by a transaction of which nobody knows whether it stays."""

    def __post_init__(self) -> None:
        self.digest = hashlib.sha256(self.new.closure).hexdigest()

    def found(self, record: ExecutionRecord) -> Created:
        """What the creation comes to, if the name is there. Raises NameTaken."""
        if record.fingerprint != self.new.fingerprint:
            raise NameTaken(
                f"execution {self.new.key.name!r} is there already, of {record.entity} or with other inputs",
                where=f"project {self.new.key.project}, domain {self.new.key.domain}",
                fix="give another name, or the same inputs",
            )
        made = self.made
        return record, made is not None and (made.id, made.created_at) == (record.id, record.created_at)


def create(connection: Connection, creations: Sequence[Creation]) -> list[Created | AlulaError]:
    """What becomes of each of them, in their order. Of two with one name the first makes it."""
    asked = {one.new.key: one for one in reversed(creations) if not one.new.limited}
    fresh = _insert(connection, list(reversed(asked.values())))
    results: list[Created | AlulaError] = []
    for one in creations:
        record = fresh.get(one.new.key)
        if record is not None and asked[one.new.key] is one:
            results.append((record, True))
        else:
            try:
                results.append(_one(connection, one))
            except AlulaError as exc:
                results.append(exc)
    return results


def _one(connection: Connection, creation: Creation) -> Created:
    """One that is there, or whose launch plan limits how many run. Raises NameTaken and AtLimit."""
    new = creation.new
    while (there := _named(connection, new.key)) is None:  # another engine may make it, or remove it, in between
        if new.limited:
            _see_limit(connection, new)
        record = _insert(connection, [creation]).get(new.key)
        if record is not None:
            if new.limited:
                _take_slot(connection, new, record.id)
            return record, True
    return creation.found(execution_record(there))


def _named(connection: Connection, key: ExecutionKey) -> Row | None:
    return connection.one("execution_named", project=key.project, domain=key.domain, name=key.name)


def _insert(connection: Connection, creations: Sequence[Creation]) -> dict[ExecutionKey, ExecutionRecord]:
    """Write those down whose names are free, with all that comes with them."""
    if not creations:
        return {}
    news = connection.news
    for one in creations:
        _keep_closure(connection, one.digest, one.new.closure)
    news.now = news.now or connection.now()  # asked for once, however many are created together
    rows = {one.new.key: tuple(execution_values(one.new, one.digest, news.now).values()) for one in creations}
    made = {
        ExecutionKey(*key): execution_record((id, *rows[ExecutionKey(*key)]))
        for id, *key in connection.insert("execution_insert", list(rows.values()))
    }
    for one in creations:
        record = made.get(one.new.key)
        if record is not None:
            one.made = record
            news.executions[record.id] = None
            connection.insert("signal", [(record.id, signal, value) for signal, value in one.new.signals.items()])
            for body in one.new.notices:
                connection.rows("notice_insert", execution=record.id, body=body, due=0)
    return made


def _keep_closure(connection: Connection, digest: str, closure: bytes) -> None:
    """See to it that a closure is there, and stays until the transaction is over."""
    known = connection.news.closures
    if digest in known:
        return
    while not connection.rows("closure_known", digest=digest):
        connection.rows("closure_insert", digest=digest, closure=closure)
    known.add(digest)


def _see_limit(connection: Connection, new: NewExecution) -> None:
    """See that one more execution of a launch plan may run; nobody else counts until the transaction is over.

    Raises:
        AtLimit: As many run as may.
    """
    connection.rows("name_lock", name=new.limited)
    ((used,),) = connection.rows("slots_used", plan=new.limited)
    if used >= new.limit:
        raise at_limit(new, used)


def _take_slot(connection: Connection, new: NewExecution, id: int) -> None:
    connection.rows("slots_over", plan=new.limited)
    connection.rows("slot_insert", plan=new.limited, execution=id)


def at_limit(new: NewExecution, used: int) -> AtLimit:
    name = new.limited.split(":", 2)[-1]
    return AtLimit(
        f"{used} executions of launch plan {name} run, as many as may at a time",
        where=f"the concurrency policy of {new.limited}",
        fix="try again when one has ended, or register a version with another policy",
    )
