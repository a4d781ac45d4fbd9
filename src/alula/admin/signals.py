"""Gates: which there are, what they wait for, and giving them their answers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from alula.admin.desk import Desk
from alula.admin.executions import ended
from alula.engine.codec import read_closure
from alula.engine.execution import Execution
from alula.engine.nodes.gate import expected
from alula.engine.plan import Graph, Kind, NodePlan, compile_plan
from alula.engine.state import NodePhase
from alula.errors import RequestError, Unknown
from alula.idl import Literal, LiteralType
from alula.idl import literals as build
from alula.idl.casting import why_unfit
from alula.idl.types import type_text
from alula.store.records import ExecutionKey, ExecutionRecord


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that somebody is asked."""

    id: str
    type: LiteralType
    approval: bool
    """A yes or a no; otherwise any value of the type."""
    waiting: bool
    """Some gate waits for it right now."""
    value: Literal | None = None
    """The answer, if it was taken."""


async def signals(desk: Desk, key: ExecutionKey) -> list[Signal]:
    """What an execution asks of people, by id; gates of dynamic tasks once these have run. Raises Unknown."""
    return await _signals(desk, await desk.store.execution(key))


async def give(desk: Desk, key: ExecutionKey, id: str, value: Literal) -> Signal:
    """Answer a gate, also before it is reached. The same answer again is fine.

    Raises:
        Unknown: There is no such execution, or no gate of it waits for such a signal; says which there are.
        RequestError: The value does not fit, another one was given, or the execution has ended.
    """
    record = await desk.store.execution(key)
    found = await _signals(desk, record)
    signal = next((one for one in found if one.id == id), None)
    where = f"execution {key.name}"
    if signal is None:
        there = ", ".join(f"{one.id}: {type_text(one.type)}" for one in found)
        raise Unknown(f"no gate waits for {id!r}", where=where, fix=f"there are: {there or 'none'}")
    if reason := why_unfit(value, signal.type):
        raise RequestError(f"signal {id} does not fit: {reason}", where=where, fix=_how(key, signal))
    if signal.value is not None:
        if build.equal(signal.value, value):
            return signal
        raise RequestError(f"signal {id} was answered already, and differently", where=where)
    if ended(record):
        raise RequestError(
            f"signal {id} comes too late: the execution is {record.phase.replace('_', ' ')}", where=where
        )
    await desk.store.ask(record.id, "signal", path=id, body=value.SerializeToString(deterministic=True))
    return signal


async def approve(desk: Desk, key: ExecutionKey, id: str, *, yes: bool = True) -> Signal:
    """Say yes or no at a gate. Raises as `give` does."""
    return await give(desk, key, id, build.boolean(yes))


async def _signals(desk: Desk, record: ExecutionRecord) -> list[Signal]:
    closure = read_closure(await desk.store.closure(record.closure))
    whole = compile_plan(closure)
    made = {one.path: compile_plan(read_closure(one.closure)) for one in await desk.store.expansions(record.id)}
    gates: dict[str, NodePlan] = {}
    for graph in (whole, *made.values()):
        _collect(graph, gates)
    given = {one.signal_id: Literal.FromString(one.value) for one in await desk.store.signals(record.id)}
    running = await desk.store.nodes(record.id, phases=(NodePhase.RUNNING,)) if gates else ()
    x = Execution(record.key.name, closure, graph=whole)
    x.expansions.update(made)
    live = set()
    for row in running:
        with suppress(KeyError):  # a dynamic task has made it since
            live.add(_signal(x.plan_of(row.path)))
    return [
        Signal(id, expected(plan), plan.node.gate_node.HasField("approve"), id in live, given.get(id))
        for id, plan in sorted(gates.items())
    ]


def _collect(graph: Graph, into: dict[str, NodePlan]) -> None:
    todo = [*graph.nodes, *([graph.failure] if graph.failure is not None else [])]
    while todo:
        plan = todo.pop()
        if plan.kind is Kind.GATE and (id := _signal(plan)):
            into.setdefault(id, plan)
        todo.extend(arm.then for arm in plan.arms)
        if plan.element is not None:
            todo.append(plan.element)
        if plan.graph is not None:
            todo.extend(plan.graph.nodes)
            todo.extend([plan.graph.failure] if plan.graph.failure is not None else [])


def _signal(plan: NodePlan) -> str:
    """What a node asks of people; empty: nothing."""
    gate = plan.node.gate_node
    return gate.approve.signal_id if gate.HasField("approve") else gate.signal.signal_id


def _how(key: ExecutionKey, signal: Signal) -> str:
    if signal.approval:
        return f"alula approve {key.name} {signal.id}"
    return f"alula signal {key.name} {signal.id} VALUE, with a value of type {type_text(signal.type)}"
