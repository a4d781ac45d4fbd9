"""What an engine tells those who watch it in its own process: the live tree, metrics, spans."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from alula.engine.cleanup import Stuck
from alula.engine.plan import NodePlan
from alula.engine.state import Row
from alula.plugin.runner import Progressed, Shows, Waits
from alula.store.records import ExecutionRecord

log = logging.getLogger(__name__)

Said = Progressed | Waits | Shows
"""What attempts say about themselves that is no decision."""
PlanOf = Callable[[str], NodePlan]
"""The plan of a node, by its path."""


class Committed(Struct, frozen=True, gc=False):
    """One commit of one execution, now durable."""

    rows: Sequence[Row]
    """As they are now; each once."""
    at: datetime
    """When the decisions were made."""
    seconds: float
    """How long the store took."""
    events: int
    """How many events went into it."""


class Observer(Protocol):
    """Whoever watches. Called on the engine's loop: return at once, change nothing. What it raises is logged."""

    def taken(self, execution: ExecutionRecord, plan_of: PlanOf) -> None:
        """The engine has the execution now, and goes on with it."""
        ...

    def committed(self, execution: ExecutionRecord, commit: Committed) -> None:
        """Rows have changed."""
        ...

    def reported(self, execution: ExecutionRecord, path: str, attempt: int, report: Said) -> None:
        """An attempt said how far it is, why it does not run yet, or what people are to see of it. May be lost, as far
        as the store goes. What is shown is never told twice in a row."""
        ...

    def quarantined(self, execution: ExecutionRecord, stuck: Stuck) -> None:
        """The clean-up of an attempt keeps failing. It is tried again for ever, and somebody should have a look."""
        ...

    def refused(self, execution: ExecutionRecord, signal_id: str, reason: str) -> None:
        """A signal was dropped: its value does not fit the gate."""
        ...

    def left(self, execution: ExecutionRecord, why: str) -> None:
        """The engine has it no more: it is closed (`why` is empty), lost to another engine, or the engine stops."""
        ...


class Silent:
    """An observer that ignores everything: a start for those who want to know one thing."""

    def taken(self, execution: ExecutionRecord, plan_of: PlanOf) -> None: ...

    def committed(self, execution: ExecutionRecord, commit: Committed) -> None: ...

    def reported(self, execution: ExecutionRecord, path: str, attempt: int, report: Said) -> None: ...

    def quarantined(self, execution: ExecutionRecord, stuck: Stuck) -> None: ...

    def refused(self, execution: ExecutionRecord, signal_id: str, reason: str) -> None: ...

    def left(self, execution: ExecutionRecord, why: str) -> None: ...


class Observers:
    """Several observers as one; what one of them raises reaches neither the others nor the engine."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._all = list(observers)

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, observer: Observer) -> None:
        self._all.append(observer)

    def remove(self, observer: Observer) -> None:
        self._all.remove(observer)

    def taken(self, execution: ExecutionRecord, plan_of: PlanOf) -> None:
        self._tell(lambda one: one.taken(execution, plan_of))

    def committed(self, execution: ExecutionRecord, commit: Committed) -> None:
        self._tell(lambda one: one.committed(execution, commit))

    def reported(self, execution: ExecutionRecord, path: str, attempt: int, report: Said) -> None:
        self._tell(lambda one: one.reported(execution, path, attempt, report))

    def quarantined(self, execution: ExecutionRecord, stuck: Stuck) -> None:
        more = {"attempt": stuck.id.name, "path": stuck.id.path, "error": stuck.error, "tries": stuck.tries}
        log.warning("attempt.quarantined", extra={"execution": execution.id, **more})
        self._tell(lambda one: one.quarantined(execution, stuck))

    def refused(self, execution: ExecutionRecord, signal_id: str, reason: str) -> None:
        log.warning("signal.refused", extra={"execution": execution.id, "signal": signal_id, "reason": reason})
        self._tell(lambda one: one.refused(execution, signal_id, reason))

    def left(self, execution: ExecutionRecord, why: str) -> None:
        self._tell(lambda one: one.left(execution, why))

    def _tell(self, call: Callable[[Observer], None]) -> None:
        for one in list(self._all):
            try:
                call(one)
            except Exception:
                log.warning("observer.failed", extra={"observer": type(one).__name__}, exc_info=True)
