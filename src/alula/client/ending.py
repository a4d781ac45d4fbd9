"""How an execution ended: as an exception, with the values that it gave, or still open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from alula.admin.executions import ended
from alula.engine.codec import read_node
from alula.engine.state import ROOT, Failure, NodePhase
from alula.errors import StoreDamaged, StoreUnavailable, TaskFailure, TaskTimeout
from alula.idl import LiteralMap, TypedInterface
from alula.sdk.graph import Entity
from alula.store.records import ExecutionRecord
from alula.store.store import Store
from alula.types import maps
from alula.types.registry import default
from alula.types.transformer import Converter, Place

log = logging.getLogger(__name__)

_TIMEOUTS = frozenset({"Timeout", "TimeoutExpired", "QueuedTimeout"})
"""Codes of failures for which the time was over."""
_LATEST = 1.0
"""Seconds after which it is looked again, whatever is heard."""


async def until_ended(
    store: Store,
    id: int,
    damage: Callable[[], StoreDamaged | None] = lambda: None,
    *,
    driven: Callable[[], bool] = lambda: False,
) -> ExecutionRecord:
    """Wait for an execution to end.

    Args:
        damage: Asked once in a while whether there is any sense in it.
        driven: Whether an engine of this process drives it. That goes on when a store that is away is back, and so
            does this.

    Raises:
        StoreError: Also what `damage` gives.
        Unknown: There is no such execution.
    """
    woken = asyncio.Event()

    def wake(ids: object) -> None:
        if not ids or id in ids:  # type: ignore[operator]
            woken.set()

    pause, away = 0.0, False
    with store.watch(wake):
        while True:
            woken.clear()
            try:
                record = await store.execution_by_id(id)
            except StoreUnavailable as exc:
                if not driven():
                    raise
                if not away:
                    log.warning("run.store_away", extra={"execution": id, "error": str(exc)})
                away = True
                await asyncio.sleep(_LATEST)
                continue
            away = False
            if ended(record):
                return record
            if (why := damage()) is not None:
                raise why
            with suppress(TimeoutError):
                async with asyncio.timeout(_LATEST):
                    await woken.wait()
            await asyncio.sleep(pause)
            pause = min(pause + 0.005, 0.1)  # a busy execution wakes thousands of times a second


async def failure_of(store: Store, record: ExecutionRecord) -> Failure:
    """Why an execution did not end well."""
    row = await store.node(record.id, ROOT)
    found = read_node(row).failure if row is not None else None
    return found or Failure(str(record.phase), record.error or f"it ended as {record.phase}")


def late(phase: str, failure: Failure | None) -> bool:
    """Whether an execution ended because its time was over, or that of a node of it, retried or not."""
    code = failure.code.rpartition("|")[2] if failure is not None else ""
    return phase == NodePhase.TIMED_OUT or code in _TIMEOUTS


def logs_of(name: str, failure: Failure) -> str:
    """The command that shows what the node printed that failed. Some shells take `n1[2]` for names of files."""
    path = f"'{failure.path}'" if "[" in failure.path else failure.path
    return f"alula logs {name} {path}".rstrip()


def as_error(record: ExecutionRecord, failure: Failure) -> TaskFailure:
    """The end of an execution as an exception."""
    name = record.key.name
    if record.phase == NodePhase.ABORTED:
        return TaskFailure(f"execution {name} was aborted: {failure.message}", code="Aborted")
    what = f"execution {name} failed: {failure.message}"
    where = f"node {failure.path}" if failure.path else ""
    fix = f"{logs_of(name, failure)}; alula recover {name} goes on from what succeeded"
    if late(record.phase, failure):
        return TaskTimeout(what, where=where, fix=fix)
    return TaskFailure(what, where=where, fix=fix, code=failure.code, origin=failure.kind)


def converters_of(entity: Entity | None, interface: TypedInterface) -> Mapping[str, Converter]:
    """How outputs become values: as their entity declares, else as their types suggest."""
    if entity is not None:
        return {name: one.converter for name, one in entity.interface.outputs.items()}
    return {name: default.converter(default.guess(v.type)) for name, v in interface.outputs.variables.items()}


async def values_of(
    outputs: LiteralMap, entity: Entity | None, interface: TypedInterface, place: Place
) -> dict[str, Any]:
    """Outputs as Python values, by name. Raises ConversionError."""
    return await maps.to_python(outputs, converters_of(entity, interface), place)
