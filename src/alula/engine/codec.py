"""Rows as the store keeps them, and back: a version byte, then a list in msgpack.

Read and written at every transition, so it is written out by hand. Phases, times and what else people ask for are
columns of their own and not in the bodies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import msgpack
from google.protobuf.message import DecodeError

from alula.engine.state import (
    AttemptPhase,
    AttemptState,
    CacheStatus,
    Expansion,
    Failure,
    FailureKind,
    NodePhase,
    NodeState,
    Ref,
    Row,
    Settings,
    SignalState,
    Values,
)
from alula.errors import StoreDamaged
from alula.idl import CompiledWorkflowClosure
from alula.store.records import AttemptRecord, ExpansionRecord, Loaded, NodeRecord, SignalRecord

_VERSION = b"\x01"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# What a number in a body stands for. New ones go to the end: the rows of yesterday hold these numbers.
_CACHE = (
    CacheStatus.DISABLED,
    CacheStatus.MISS,
    CacheStatus.HIT,
    CacheStatus.LOOKUP_FAILURE,
    CacheStatus.SKIPPED,
    CacheStatus.PENDING,
    CacheStatus.POPULATED,
    CacheStatus.PUT_FAILURE,
)
_CACHE_NUMBER = {status: nth for nth, status in enumerate(_CACHE)}
_NODE_PHASES = {str(phase): phase for phase in NodePhase}
_ATTEMPT_PHASES = {str(phase): phase for phase in AttemptPhase}

_pack: Callable[[Any], bytes] = msgpack.packb
"""One `Packer` would be a third faster, and is not for two threads."""


def read_closure(data: bytes) -> CompiledWorkflowClosure:
    """What an execution runs, as the store keeps it. Raises StoreDamaged."""
    try:
        return CompiledWorkflowClosure.FromString(data)
    except DecodeError as exc:
        raise StoreDamaged(f"a closure cannot be read: {exc}", fix="restore the database from a copy") from exc


# --- Rows -----------------------------------------------------------------------------------------------------------


def pack_node(row: NodeState) -> NodeRecord:
    outputs, failure, then = row.outputs, row.failure, row.then
    body = _pack(
        (
            row.order,
            row.attempt,
            row.generation,
            None if outputs is None else _plain_values(outputs),
            None if row.deadline is None else _micros(row.deadline),
            None if row.wake_at is None else _micros(row.wake_at),
            None if then is None else str(then),
            row.user_failures,
            row.system_failures,
            row.interruptions,
            row.arm,
            row.size,
            0 if row.cache is CacheStatus.DISABLED else _CACHE_NUMBER[row.cache],
            row.cache_source,
            row.reserved,
            row.checkpoint,
            None if failure is None else _plain_failure(failure),
            None if row.started_at is None else _micros(row.started_at),
        )
    )
    return NodeRecord(row.path, str(row.phase), row.since, row.ended_at, _VERSION + body)


def read_node(record: NodeRecord) -> NodeState:
    """Raises StoreDamaged."""
    body = _body(record.body, record.path)
    try:
        (
            order,
            attempt,
            generation,
            outputs,
            deadline,
            wake_at,
            then,
            user_failures,
            system_failures,
            interruptions,
            arm,
            size,
            cache,
            cache_source,
            reserved,
            checkpoint,
            failure,
            started_at,
        ) = body
        return NodeState(
            path=record.path,
            phase=_NODE_PHASES[record.phase],
            since=record.since,
            order=order,
            attempt=attempt,
            user_failures=user_failures,
            system_failures=system_failures,
            interruptions=interruptions,
            generation=generation,
            wake_at=None if wake_at is None else _time(wake_at),
            deadline=None if deadline is None else _time(deadline),
            then=None if then is None else _NODE_PHASES[then],
            arm=arm,
            size=size,
            cache=_CACHE[cache],
            cache_source=cache_source,
            reserved=reserved,
            checkpoint=checkpoint,
            outputs=None if outputs is None else _values(outputs),
            failure=None if failure is None else _failure(failure),
            started_at=None if started_at is None else _time(started_at),
            ended_at=record.ended_at,
        )
    except (ValueError, TypeError, LookupError) as exc:
        _damaged(record.path, exc)


def pack_attempt(row: AttemptState) -> AttemptRecord:
    deadline, failure = row.deadline, row.failure
    body = _pack(
        (
            row.interruptible,
            None if deadline is None else _micros(deadline),
            None if failure is None else _plain_failure(failure),
        )
    )
    return AttemptRecord(
        row.path,
        row.number,
        str(row.phase),
        row.open,
        row.since,
        row.started_at,
        row.ended_at,
        _VERSION + body,
    )


def read_attempt(record: AttemptRecord) -> AttemptState:
    """Raises StoreDamaged."""
    body = _body(record.body, record.path)
    try:
        interruptible, deadline, failure = body
        return AttemptState(
            path=record.path,
            number=record.number,
            phase=_ATTEMPT_PHASES[record.phase],
            since=record.since,
            interruptible=interruptible,
            open=record.open,
            deadline=None if deadline is None else _time(deadline),
            failure=None if failure is None else _failure(failure),
            started_at=record.started_at,
            ended_at=record.ended_at,
        )
    except (ValueError, TypeError, LookupError) as exc:
        _damaged(record.path, exc)


def read_rows(loaded: Loaded) -> Iterator[Row]:
    """All rows of an execution that was loaded. Raises StoreDamaged."""
    # An attempt or a node may be inside of what a dynamic task made.
    for expansion in sorted(loaded.expansions, key=lambda one: len(one.path)):
        yield Expansion(expansion.path, expansion.closure)
    yield from map(read_node, loaded.nodes)
    yield from map(read_attempt, loaded.attempts)
    for signal in loaded.signals:
        yield SignalState(signal.signal_id, signal.value)


def pack_expansion(row: Expansion) -> ExpansionRecord:
    return ExpansionRecord(row.path, row.closure)


def pack_signal(row: SignalState) -> SignalRecord:
    return SignalRecord(row.signal_id, row.value)


# --- Values and settings --------------------------------------------------------------------------------------------


def pack_values(values: Values) -> bytes:
    """As outputs are kept with an execution and in the cache."""
    return _VERSION + _pack(_plain_values(values))


def read_values(data: bytes) -> Values:
    """Nothing for empty bytes. Raises StoreDamaged."""
    if not data:
        return Values()
    body = _body(data, "values")
    try:
        return _values(body)
    except (ValueError, TypeError, LookupError) as exc:
        _damaged("values", exc)


_SETTINGS = tuple(field.name for field in fields(Settings))
_SPANS = frozenset({field.name for field in fields(Settings) if "timedelta" in str(field.type)})


def pack_settings(settings: Settings) -> bytes:
    """Only what differs from the defaults; empty if nothing does."""
    usual = Settings()
    given = {}
    for name in _SETTINGS:
        value = getattr(settings, name)
        if value != getattr(usual, name):
            given[name] = value // _MICROSECOND if isinstance(value, timedelta) else value
    return _VERSION + _pack(given) if given else b""


def read_settings(data: bytes) -> Settings:
    """The defaults for empty bytes. Raises StoreDamaged."""
    if not data:
        return Settings()
    body = _body(data, "settings")
    try:
        given: dict[str, Any] = {
            name: timedelta(microseconds=value) if name in _SPANS and value is not None else value
            for name, value in body.items()
        }
        given["rerun"] = tuple(given.get("rerun", ()))
        return Settings(**given)
    except (ValueError, TypeError, AttributeError, OverflowError) as exc:
        _damaged("settings", exc)


# --- Parts ----------------------------------------------------------------------------------------------------------


def _plain_values(values: Values) -> Any:
    """Bytes alone where nothing is referred to, which is nearly always."""
    if not values.refs:
        return values.data
    return values.data, [(ref.name, ref.uri, ref.var) for ref in values.refs]


def _values(plain: Any) -> Values:
    if isinstance(plain, bytes):
        return Values(plain)
    data, refs = plain
    return Values(data, tuple(Ref(name, uri, var) for name, uri, var in refs))


def _plain_failure(failure: Failure) -> Any:
    later = failure.secondary
    return (
        failure.code,
        failure.message,
        str(failure.kind),
        failure.recoverable,
        failure.path,
        None if later is None else _plain_failure(later),
    )


def _failure(plain: Any) -> Failure:
    code, message, kind, recoverable, path, later = plain
    return Failure(
        code, message, FailureKind(kind), recoverable, path, secondary=None if later is None else _failure(later)
    )


def _micros(at: datetime) -> int:
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _time(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _body(data: bytes, where: str) -> Any:
    if data[:1] != _VERSION:
        found = f"version {data[0]}" if data else "nothing"
        raise StoreDamaged(
            f"a row is of format {found}, and this engine knows version {_VERSION[0]}",
            where=where or "the execution itself",
            fix="run the version of Alula that wrote it, or a newer one",
        )
    try:
        return msgpack.unpackb(memoryview(data)[1:], strict_map_key=False)
    except ValueError as exc:
        _damaged(where, exc)


def _damaged(where: str, exc: Exception) -> NoReturn:
    raise StoreDamaged(
        f"a row cannot be read: {exc}",
        where=where or "the execution itself",
        fix="restore the database from a copy; alula store check looks for more damage",
    ) from exc
