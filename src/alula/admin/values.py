"""The inputs and outputs of executions and nodes, whole: what rows refer to is read in."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from alula.admin.desk import Desk
from alula.admin.views import loaded, plan_of
from alula.engine.codec import read_node, read_values
from alula.engine.execution import Execution
from alula.engine.nodes.bind import Missing, node_inputs
from alula.engine.plan import NodePlan
from alula.engine.state import ROOT, NodePhase, Values
from alula.errors import ConversionError, DamagedData, RequestError
from alula.idl import LiteralMap
from alula.store.records import ExecutionKey


async def outputs(desk: Desk, key: ExecutionKey, path: str = ROOT) -> LiteralMap:
    """What a node gave, or the execution as a whole.

    Raises:
        Unknown: There is no such execution or node.
        RequestError: It gave nothing: it has not ended well.
        DataError: What was given cannot be read.
    """
    record = await desk.store.execution(key)
    if path == ROOT:
        if record.phase != NodePhase.SUCCEEDED:
            raise _none(f"execution {key.name}", record.phase, record.error)
        return await whole(desk, read_values(record.outputs))
    stored = await desk.store.node(record.id, path)
    if stored is None:
        plan_of(await loaded(desk, record), path)
        raise _none(f"node {path} of {key.name}", "not begun", "")
    row = read_node(stored)
    if row.outputs is None:
        raise _none(f"node {path} of {key.name}", row.phase, row.failure.message if row.failure is not None else "")
    return await whole(desk, row.outputs)


async def inputs(desk: Desk, key: ExecutionKey, path: str = ROOT) -> LiteralMap:
    """What a node was given, or the execution as a whole.

    Raises:
        Unknown: There is no such execution or node.
        RequestError: They are not known yet: what it reads from has not ended.
        DataError: They cannot be read.
    """
    record = await desk.store.execution(key)
    if path == ROOT:
        return LiteralMap.FromString(record.inputs)
    x = await loaded(desk, record)
    plan = plan_of(x, path)
    try:
        return await whole(desk, await _bound(desk, x, path, plan))
    except (ConversionError, LookupError) as exc:
        raise RequestError(
            f"the inputs of node {path} of {key.name} are not known: {exc}", fix="wait until all before it has ended"
        ) from exc


async def whole(desk: Desk, values: Values) -> LiteralMap:
    """Values with what they refer to. Raises DataError."""
    made = LiteralMap.FromString(values.data)
    for uri in dict.fromkeys(ref.uri for ref in values.refs):
        found = _parsed(await desk.objects.read(uri), uri)
        for ref in values.refs:
            if ref.uri != uri:
                continue
            if ref.var not in found.literals:
                raise DamagedData(f"there is no value {ref.var!r} in {uri}", where=uri)
            made.literals[ref.name].CopyFrom(found.literals[ref.var])
    return made


async def _bound(desk: Desk, x: Execution, path: str, plan: NodePlan) -> Values:
    while True:
        try:
            return node_inputs(x, path, plan)
        except Missing as exc:
            for uri in exc.uris:
                x.fetched[uri] = await desk.objects.read(uri)


def _parsed(data: bytes, uri: str) -> LiteralMap:
    try:
        return LiteralMap.FromString(data)
    except DecodeError as exc:
        raise DamagedData(f"{uri} holds no values: {exc}", where=uri) from exc


def _none(what: str, phase: str, error: str) -> RequestError:
    reason = f": {error}" if error else ""
    return RequestError(f"{what} has no outputs, it is {phase.replace('_', ' ')}{reason}")
