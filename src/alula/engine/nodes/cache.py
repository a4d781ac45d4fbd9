"""The cache of task outputs: look up, reserve, run, store. A cache that does not answer well is a miss."""

from __future__ import annotations

from alula._kits.records import replace
from alula.engine.events import (
    CacheHit,
    CacheMiss,
    CacheStored,
    CancelTimer,
    LookUp,
    ReservationFreed,
    ReservationHeld,
    Reserve,
    Reserved,
    StoreInCache,
    TimerKind,
)
from alula.engine.nodes.bind import Missing, node_inputs
from alula.engine.nodes.common import inputs, queue
from alula.engine.nodes.recover import named
from alula.engine.plan import NodePlan
from alula.engine.state import CacheStatus, NodePhase, NodeState, Values
from alula.engine.turn import Turn


def begin(turn: Turn, row: NodeState, plan: NodePlan) -> None:
    if _overwrites(turn, row.path):
        row = replace(row, cache=CacheStatus.SKIPPED)
        queue(turn, row)
    else:
        _look_up(turn, row)


def ask(turn: Turn, row: NodeState, plan: NodePlan) -> None:
    """Give the question that the row waits for; again after a crash."""
    values = inputs(turn, row, plan)
    if values is None:
        return
    kind = LookUp if row.phase is NodePhase.LOOKUP else Reserve
    turn.emit(kind(row.path, row.generation, plan, values))


def hit(turn: Turn, event: CacheHit) -> None:
    row = _asking(turn, event.path, event.generation)
    if row is not None:
        row = replace(row, cache=CacheStatus.HIT, cache_source=event.source)
        turn.end(row, NodePhase.SUCCEEDED, outputs=event.outputs)


def miss(turn: Turn, event: CacheMiss) -> NodeState | None:
    """Wait for a slot; or the row, if that is what has the slot and the reservation already."""
    row = _asking(turn, event.path, event.generation)
    if row is None:
        return None
    row = replace(row, cache=CacheStatus.LOOKUP_FAILURE if event.failed else CacheStatus.MISS)
    if row.reserved:
        return row
    queue(turn, row)
    return None


def must_reserve(turn: Turn, row: NodeState, plan: NodePlan) -> bool:
    """Whether a node that has been given a slot needs a reservation before it may run."""
    missed = row.cache is CacheStatus.MISS and not row.reserved
    return missed and plan.policy.serializable and turn.x.settings.cache


def reserve(turn: Turn, row: NodeState, plan: NodePlan) -> None:
    """Ask for the reservation, with a slot in hand."""
    row = replace(row, phase=NodePhase.RESERVING, generation=row.generation + 1)
    turn.put(row)
    ask(turn, row, plan)


def reserved(turn: Turn, event: Reserved) -> None:
    """Look once more: whoever had the reservation before has stored its outputs by now."""
    row = _asking(turn, event.path, event.generation)
    if row is not None:
        _look_up(turn, replace(row, reserved=True))


def held(turn: Turn, event: ReservationHeld) -> None:
    """Another node has it: give the slot to whoever comes next, and wait."""
    row = _asking(turn, event.path, event.generation)
    if row is not None and row.phase is NodePhase.RESERVING:
        turn.put(turn.wake(row, event.retry_at))


def freed(turn: Turn, event: ReservationFreed) -> None:
    row = turn.x.nodes.get(event.path)
    if row is not None and row.phase is NodePhase.RESERVING and row.wake_at is not None:
        turn.emit(CancelTimer(TimerKind.WAKE, row.path))
        _look_up(turn, row)


def look_again(turn: Turn, row: NodeState) -> None:
    """The time to ask for the reservation again has come."""
    _look_up(turn, row)


def store(turn: Turn, row: NodeState, plan: NodePlan, outputs: Values) -> None:
    """End a task that ran, and have its outputs kept."""
    if not plan.interface.outputs.variables:
        turn.end(row, NodePhase.SUCCEEDED, outputs=outputs)
        return
    row = replace(row, cache=CacheStatus.PENDING)
    keep(turn, row, plan, outputs)
    turn.end(row, NodePhase.SUCCEEDED, outputs=outputs)


def keep(turn: Turn, row: NodeState, plan: NodePlan, outputs: Values) -> None:
    """Ask for outputs to be stored; again after a crash, as long as no answer has come."""
    try:
        values = node_inputs(turn.x, row.path, plan)
    except Missing as exc:
        turn.fetch(row.path, exc.uris)
    else:
        turn.emit(StoreInCache(row.path, plan, values, outputs, _overwrites(turn, row.path)))


def stored(turn: Turn, event: CacheStored) -> None:
    row = turn.x.nodes.get(event.path)
    if row is None or row.cache is not CacheStatus.PENDING:
        return
    if row.reserved:
        row = turn.release(row)
    turn.put(replace(row, cache=event.status))


def make_way(turn: Turn) -> None:
    """Let dynamic tasks go on without a reservation that stands in their own way."""
    for path in list(turn.x.in_the_way()):
        turn.put(turn.release(turn.x.nodes[path]))


def _overwrites(turn: Turn, path: str) -> bool:
    return turn.x.settings.overwrite_cache or named(turn.x, path)


def _look_up(turn: Turn, row: NodeState) -> None:
    row = replace(row, phase=NodePhase.LOOKUP, generation=row.generation + 1, wake_at=None)
    turn.put(row)
    ask(turn, row, turn.x.plan_of(row.path))


def _asking(turn: Turn, path: str, generation: int) -> NodeState | None:
    row = turn.x.nodes.get(path)
    if row is None or row.generation != generation or row.phase not in (NodePhase.LOOKUP, NodePhase.RESERVING):
        return None
    return row
