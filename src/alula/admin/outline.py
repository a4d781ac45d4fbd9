"""The shape of one execution, without its rows: what its nodes are, and what clients of Flyte call them.

A node of ours has a path: `n0`, `n2/n1` in a sub-workflow, `n3[7]` of an array. Clients know it by one word that is
unique in the execution: its own id after that of the node it is in and the number of its attempt, `n2-0-n1`.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from alula._kits.aio import to_thread
from alula.admin.desk import Desk
from alula.admin.paging import Place
from alula.admin.values import whole
from alula.compiler.graph import sources
from alula.engine.codec import read_closure, read_node
from alula.engine.execution import Execution
from alula.engine.nodes.bind import Missing, node_inputs
from alula.engine.plan import Graph, Kind, NodePlan, Policy, compile_plan
from alula.engine.state import ROOT, NodeState, Values, child, element, index_of, last_id, parent
from alula.errors import ConversionError, Unknown
from alula.idl import CompiledWorkflowClosure, LiteralMap, Node
from alula.store.records import ExecutionRecord, NodeRecord, Page
from alula.store.store import PageStore

_KEPT = 128
_LARGE = 128 * 1024
_NAMED = 1_000
_INSIDE = re.compile(r"-(\d{1,9})-")

Shape = tuple[CompiledWorkflowClosure, Graph]


@dataclass(frozen=True, slots=True)
class Below:
    """What lies directly in a node."""

    path: str
    elements: bool
    """They are the elements of an array."""
    paths: tuple[str, ...] = ()
    """Of all that there can be; empty: too many to name."""

    async def page(self, store: PageStore, execution: int, page: Page) -> Sequence[tuple[Place, NodeRecord]]:
        """A page of them: looked up by their names if they have some, since an array beside them may have any size."""
        if self.paths:
            return await store.page_named(execution, self.paths, page)
        return await store.page_nodes(execution, self.path, page, elements=self.elements)


class Plans:
    """Workflows by what they are made of, and what dynamic tasks have made: read once, since neither ever changes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._kept: OrderedDict[tuple[int, str], Shape] = OrderedDict()

    async def of(self, record: ExecutionRecord) -> Shape:
        """What an execution runs."""
        store = self._desk.store
        return await self._shape((0, record.closure), lambda: store.closure(record.closure))

    async def made(self, execution: int, path: str) -> Shape | None:
        """What a dynamic task has made; None: nothing, or not yet."""
        if (execution, path) in self._kept:
            return self._kept[execution, path]
        data = await self._desk.store.expansion(execution, path)
        if data is None:
            return None
        found: bytes = data

        async def there() -> bytes:
            return found

        return await self._shape((execution, path), there)

    async def _shape(self, key: tuple[int, str], read: Callable[[], Awaitable[bytes]]) -> Shape:
        found = self._kept.get(key)
        if found is None:
            data = await read()
            found = await to_thread(_compiled, data) if len(data) > _LARGE else _compiled(data)
            self._kept[key] = found
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return found


class Outline:
    """One execution as a client asks for it. Made for one request."""

    def __init__(self, desk: Desk, plans: Plans, record: ExecutionRecord, shape: Shape) -> None:
        self._desk, self._plans, self.record = desk, plans, record
        self.closure, graph = shape
        self._root = NodePlan(ROOT, Kind.WORKFLOW, Node(), Policy(), graph.interface, (), {}, graph=graph)
        self._known: dict[str, NodePlan] = {ROOT: self._root}
        self._made: dict[str, Shape | None] = {}
        self._rows: dict[str, NodeState] = {}

    async def plan(self, path: str) -> NodePlan:
        """What a node is. Raises Unknown."""
        found = self._known.get(path)
        if found is None:
            outer = await self.plan(parent(path))
            found = outer.element if path.endswith("]") else await self._in(parent(path), outer, last_id(path))
            if found is None:
                raise Unknown(f"execution {self.record.key.name} has no node {path!r}")
            self._known[path] = found  # else each level would look twice at the one above it
        return found

    async def made(self, path: str) -> Shape | None:
        """What a dynamic task has made of itself; None: nothing."""
        if path not in self._made:
            self._made[path] = await self._plans.made(self.record.id, path)
        return self._made[path]

    async def graph(self, path: str) -> Graph | None:
        """The nodes that a node runs: of a workflow, or of what a dynamic task made."""
        plan = await self.plan(path)
        if plan.graph is not None or plan.kind is not Kind.TASK:
            return plan.graph
        shape = await self.made(path)
        return shape[1] if shape is not None else None

    async def below(self, path: str) -> Below:
        """What lies directly in a node."""
        plan = await self.plan(path)
        graph = await self.graph(path) if plan.kind in (Kind.TASK, Kind.WORKFLOW) else None
        if graph is None or len(graph.nodes) > _NAMED:
            return Below(path, plan.kind is Kind.ARRAY)
        ids = [node.id for node in graph.nodes] + ([graph.failure.id] if graph.failure is not None else [])
        return Below(path, False, tuple(child(path, id) for id in ids))

    async def ids(self, paths: Iterable[str]) -> Mapping[str, str]:
        """What clients call nodes."""
        wanted = list(paths)
        dynamic: dict[str, None] = {}
        for path in wanted:
            for outer in _outer(path):
                if (await self.plan(outer)).kind is Kind.TASK:
                    dynamic.setdefault(outer)
        rows = await self.rows(dynamic)
        tries = {path: rows[path].attempt for path in dynamic if path in rows}
        return {path: _id(path, tries) for path in wanted}

    async def id(self, path: str) -> str:
        """What clients call a node."""
        return (await self.ids([path]))[path]

    async def path(self, id: str) -> str:
        """The node that clients call so. Raises Unknown."""
        found = await self._find(ROOT, self._root, id) if len(id) <= 1_000 else None
        if found is None:
            shown = id if len(id) <= 80 else f"{id[:77]}..."
            raise Unknown(
                f"execution {self.record.key.name} has no node {shown!r}",
                fix="ListNodeExecutions shows those that have begun",
            )
        return found

    async def rows(self, paths: Iterable[str]) -> Mapping[str, NodeState]:
        """Those of some nodes that have begun."""
        wanted = list(dict.fromkeys(paths))
        missing = [path for path in wanted if path not in self._rows]
        if missing:
            found = await self._desk.store.nodes_at(self.record.id, missing)
            self._rows.update((path, read_node(row)) for path, row in found.items())
        return {path: self._rows[path] for path in wanted if path in self._rows}

    async def row(self, path: str) -> NodeState:
        """Raises Unknown: it has not begun."""
        found = (await self.rows([path])).get(path)
        if found is None:
            raise Unknown(f"node {path!r} of execution {self.record.key.name} has not begun")
        return found

    async def outputs(self, path: str) -> LiteralMap:
        """What a node gave; nothing, if it gave nothing yet. Raises DataError."""
        row = (await self.rows([path])).get(path)
        return await whole(self._desk, row.outputs) if row is not None and row.outputs is not None else LiteralMap()

    async def inputs(self, path: str) -> LiteralMap:
        """What a node was given; nothing, if that is not known yet. Reads only what it takes. Raises DataError."""
        if path == ROOT:
            return LiteralMap.FromString(self.record.inputs)
        x = Execution(self.record.key.name, self.closure, Values(self.record.inputs), graph=self._root.graph)
        x.nodes = dict(await self.rows(await self._read_from(x, path)))
        plan = await self.plan(path)
        while True:
            try:
                return await whole(self._desk, node_inputs(x, path, plan))
            except Missing as exc:
                for uri in exc.uris:
                    x.fetched[uri] = await self._desk.objects.read(uri)
            except (ConversionError, LookupError):
                return LiteralMap()

    async def _read_from(self, x: Execution, path: str) -> list[str]:
        """The nodes whose rows say what a node was given; what dynamic tasks made on the way is put into `x`."""
        found = [ROOT, *_outer(path), path]
        for outer in _outer(path):
            shape = await self.made(outer) if (await self.plan(outer)).kind is Kind.TASK else None
            if shape is not None:
                x.expansions[outer] = shape[1]
        for at in found[:]:
            scope = parent(at)
            while scope != ROOT and await self.graph(scope) is None:
                scope = parent(scope)
            found += [child(scope, id) for id in sources((await self.plan(at)).bindings)]
        return found

    async def _in(self, path: str, plan: NodePlan, id: str) -> NodePlan | None:
        """The node of that id directly in another one."""
        graph = await self.graph(path) if plan.kind in (Kind.TASK, Kind.WORKFLOW) else None
        if graph is not None:
            at = graph.number.get(id)
            if at is not None:
                return graph.nodes[at]
            return graph.failure if graph.failure is not None and graph.failure.id == id else None
        return next((arm.then for arm in plan.arms if arm.then.id == id), None)

    async def _find(self, path: str, plan: NodePlan, id: str) -> str | None:
        """The path of what is called `id` in a node."""
        if plan.element is not None:
            return element(path, int(id[1:])) if re.fullmatch(r"n\d{1,9}", id) else None
        if await self._in(path, plan, id) is not None:
            return child(path, id)
        for cut in _INSIDE.finditer(id):
            inner = await self._in(path, plan, id[: cut.start()])
            if inner is not None:
                found = await self._find(child(path, inner.id), inner, id[cut.end() :])
                if found is not None:
                    return found
        return None


async def outline_of(desk: Desk, plans: Plans, record: ExecutionRecord) -> Outline:
    """The shape of an execution."""
    return Outline(desk, plans, record, await plans.of(record))


def spec_id(path: str) -> str:
    """The id of a node in its own workflow; of an element of an array, that of the array."""
    return last_id(parent(path)) if path.endswith("]") else last_id(path)


def _id(path: str, tries: Mapping[str, int]) -> str:
    outer = parent(path)
    own = f"n{index_of(path)}" if path.endswith("]") else last_id(path)
    return f"{_id(outer, tries)}-{tries.get(outer, 0)}-{own}" if outer != ROOT else own


def _outer(path: str) -> list[str]:
    """All that a node is in, but for the execution itself."""
    found = []
    while (path := parent(path)) != ROOT:
        found.append(path)
    return found


def _compiled(data: bytes) -> Shape:
    closure = read_closure(data)
    return closure, compile_plan(closure)
