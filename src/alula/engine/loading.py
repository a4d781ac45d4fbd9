"""Executions from the store into memory."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from alula._kits.aio import to_thread
from alula.engine.codec import read_closure, read_node, read_rows, read_settings
from alula.engine.execution import Execution, Reference
from alula.engine.plan import Graph, compile_plan
from alula.engine.state import NodeState, Values
from alula.errors import Unknown
from alula.idl import CompiledWorkflowClosure
from alula.store.records import Loaded
from alula.store.store import QueryStore

log = logging.getLogger(__name__)

_MANY_ROWS = 2_000
_LARGE_CLOSURE = 128 * 1024
_KEPT_PLANS = 64
Plan = tuple[CompiledWorkflowClosure, Graph]


class Loader:
    """Makes executions of what the store has. Executions of one workflow share its plan."""

    def __init__(self, queries: QueryStore) -> None:
        self._queries = queries
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._large = asyncio.Lock()

    async def execution(self, loaded: Loaded) -> Execution:
        """The execution as its rows tell it.

        Raises:
            StoreDamaged: Its rows or its closure cannot be read.
            PluginError: Its closure was not compiled.
        """
        record = loaded.record
        closure, graph = await self._plan(record.closure, loaded.closure)
        settings, reference = read_settings(record.settings), await self._reference(record.reference)

        def make() -> Execution:
            return Execution.load(
                record.key.name,
                closure,
                Values(record.inputs),
                settings,
                rows=read_rows(loaded),
                graph=graph,
                reference=reference,
            )

        return await to_thread(make) if len(loaded.nodes) > _MANY_ROWS else make()

    async def _plan(self, digest: str, data: bytes) -> Plan:
        if digest not in self._plans:
            data = data or await self._queries.closure(digest)
            if len(data) <= _LARGE_CLOSURE:
                self._keep(digest, _compiled(data))
            else:
                async with self._large:  # one at a time: those who wait may want the same
                    if digest not in self._plans:
                        self._keep(digest, await to_thread(_compiled, data))
        self._plans.move_to_end(digest)
        return self._plans[digest]

    def _keep(self, digest: str, plan: Plan) -> None:
        self._plans[digest] = plan
        if len(self._plans) > _KEPT_PLANS:
            self._plans.popitem(last=False)

    async def _reference(self, id: int) -> Reference | None:
        """What the execution that is recovered came to, read once."""
        if not id:
            return None
        try:
            record = await self._queries.execution_by_id(id)
        except Unknown:
            log.warning("execution.reference_gone", extra={"reference": id})
            return None  # all of it runs
        expansions = {one.path: one.closure for one in await self._queries.expansions(id)}
        nodes: dict[str, NodeState] = {}
        after = ""
        first = await self._queries.node(id, "")
        if first is not None:
            nodes[""] = read_node(first)
        while page := await self._queries.nodes(id, after=after, limit=_MANY_ROWS):
            nodes.update((row.path, read_node(row)) for row in page)
            after = page[-1].path
        return Reference(record.key.name, nodes, expansions)


def _compiled(data: bytes) -> Plan:
    closure = read_closure(data)
    return closure, compile_plan(closure)
