"""One execution in memory: its rows, and indexes over them that can be had again from the rows alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from alula.engine.agenda import Agenda
from alula.engine.plan import LEAVES, Graph, Kind, NodePlan, Policy, compile_plan
from alula.engine.state import (
    ASKS_WITH_SLOT,
    HOLDS_SLOT,
    NOTHING,
    ROOT,
    TERMINAL,
    AttemptState,
    Expansion,
    NodePhase,
    NodeState,
    Row,
    Settings,
    SignalState,
    Values,
    element,
    index_of,
    last_id,
    parent,
)
from alula.idl import CompiledWorkflowClosure, Literal, Node

_OPEN = frozenset({NodePhase.RUNNING, NodePhase.FAILING, NodePhase.STOPPING, NodePhase.HANDLING, NodePhase.GATHERING})


@dataclass(slots=True)
class Scope:
    """What is counted of a composite that is under way: a workflow, a branch or an array."""

    path: str
    plan: NodePlan
    graph: Graph | None
    """None for a branch or an array."""
    waiting: list[int] = field(default_factory=list)
    """For each node of the graph: how many nodes it still waits for."""
    unfinished: int = 0
    live: dict[str, None] = field(default_factory=dict)
    """Paths of the nodes in it that have begun and not ended."""
    size: int = 0
    """Of an array, and so the next three."""
    next: int = 0
    succeeded: int = 0
    failed: int = 0

    @property
    def failure(self) -> NodePlan | None:
        """The failure node, of a workflow that has one."""
        return self.graph.failure if self.graph is not None else None


@dataclass(frozen=True, slots=True)
class Reference:
    """The execution that one recovers."""

    name: str = ""
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    """By path."""
    expansions: Mapping[str, bytes] = field(default_factory=dict)
    """What dynamic tasks made, by path."""


class Execution:
    """The rows of an execution. `put` is the only way to change them, and keeps the indexes right."""

    def __init__(
        self,
        name: str,
        closure: CompiledWorkflowClosure,
        inputs: Values = NOTHING,
        settings: Settings | None = None,
        *,
        graph: Graph | None = None,
        reference: Reference | None = None,
    ) -> None:
        self.name, self.closure, self.inputs = name, closure, inputs
        self.settings = settings or Settings()
        self.reference = reference or Reference()
        main = graph or compile_plan(closure)
        self.root = NodePlan(ROOT, Kind.WORKFLOW, Node(), Policy(), main.interface, (), {}, graph=main)
        self.nodes: dict[str, NodeState] = {}
        self.attempts: dict[tuple[str, int], AttemptState] = {}
        """Those that are open."""
        self.expansions: dict[str, Graph] = {}
        self.signals: dict[str, bytes] = {}
        self.scopes: dict[str, Scope] = {}
        # A plain dict takes the longer to find its first key, the more keys were taken from its front.
        self.ready: OrderedDict[str, None] = OrderedDict()
        """Paths of the nodes that wait for a slot, first come first."""
        self.unbound: OrderedDict[str, None] = OrderedDict()
        """Paths of those that wait and take no slot."""
        self.holding: set[str] = set()
        """Paths of the nodes that count towards max parallelism."""
        self.keepers: dict[str, None] = {}
        """Paths of dynamic tasks that hold a reservation while what they made is under way."""
        self.gates: dict[str, dict[str, None]] = {}
        """Paths of the gates that wait for a signal, by its id."""
        self.orders = 0
        self.agenda = Agenda()
        self.rerun_inside = frozenset(_ancestors(self.settings.rerun))
        """Paths of composites in which a node is to run again."""
        self.starts_over: dict[str, bool] = {}
        """Of composites: whether all that is in them runs again (`nodes/recover.py`)."""
        self._plans: dict[str, NodePlan] = {}
        """Of nodes that were asked for and have not ended."""
        self.fetched: dict[str, bytes] = {}
        self.fetching: dict[str, dict[str, None]] = {}
        """By URI, who waits for its bytes."""
        self.given: dict[str, Values] = {}
        """Inputs of composites, once worked out."""
        self.lists: dict[str, Mapping[str, Literal]] = {}
        """What arrays map over, once worked out: by path, then by input."""
        self.prepared: dict[str, Values] = {}
        """Inputs of tasks that have not started, where working them out again would mean to fetch again."""
        self.at_hand: dict[str, Values] = {}
        """Inputs of tasks that wait for a slot, where they are small."""

    @classmethod
    def load(
        cls,
        name: str,
        closure: CompiledWorkflowClosure,
        inputs: Values = NOTHING,
        settings: Settings | None = None,
        *,
        rows: Iterable[Row],
        graph: Graph | None = None,
        reference: Reference | None = None,
    ) -> Execution:
        """The execution as its rows tell it; closed attempts may be left out. Linear in the rows."""
        made = cls(name, closure, inputs, settings, graph=graph, reference=reference)
        nodes = []
        for row in rows:
            if isinstance(row, NodeState):
                nodes.append(row)
            else:
                made.put(row)
        nodes.sort(key=lambda row: (row.order, row.path))
        made.nodes = {row.path: row for row in nodes}
        for row in nodes:
            made.orders = max(made.orders, row.order)
            if row.phase in _OPEN and made.composite(row.path):
                made.open_scope(row)
        for row in nodes:
            made._index(row)
            made._count(row)
        return made

    @property
    def phase(self) -> NodePhase | None:
        """The phase of the execution as a whole; None before it has begun."""
        root = self.nodes.get(ROOT)
        return root.phase if root is not None else None

    def put(self, row: Row) -> None:
        match row:
            case NodeState():
                self.nodes[row.path] = row
                self._index(row)
            case AttemptState(open=True):
                self.attempts[row.path, row.number] = row
            case AttemptState():
                self.attempts.pop((row.path, row.number), None)
            case Expansion():
                closure = CompiledWorkflowClosure.FromString(row.closure)
                self.expansions[row.path] = compile_plan(closure)
            case SignalState():
                self.signals[row.signal_id] = row.value

    def plan_of(self, path: str) -> NodePlan:
        """The plan of a node. Raises KeyError for a path that the workflow does not have."""
        found = self._plans.get(path)
        if found is None:
            found = self._plan(path)
            row = self.nodes.get(path)
            if row is None or row.phase not in TERMINAL:
                self._plans[path] = found
        return found

    def _plan(self, path: str) -> NodePlan:
        if path == ROOT:
            return self.root
        inside = parent(path)
        graph = self.graph_of(inside) if not path.endswith("]") else None
        if graph is not None:
            at = graph.number.get(last_id(path))
            if at is not None:
                return graph.nodes[at]
            if graph.failure is not None and graph.failure.id == last_id(path):
                return graph.failure
            raise KeyError(path)
        outer = self.plan_of(inside)
        if outer.element is not None:
            return outer.element
        for arm in outer.arms:
            if arm.then.id == last_id(path):
                return arm.then
        raise KeyError(path)

    def graph_of(self, path: str) -> Graph | None:
        """The graph that a node runs: a sub-workflow's, or what a dynamic task made."""
        return self.expansions.get(path) or self.plan_of(path).graph

    def scope_of(self, path: str) -> str:
        """The path of the workflow whose nodes a node reads from."""
        at = parent(path)
        while at != ROOT and self.graph_of(at) is None:
            at = parent(at)
        return at

    def composite(self, path: str) -> bool:
        """Whether a node is made of others: a dynamic task is, once it has said of which."""
        return path in self.expansions or self.plan_of(path).kind in (Kind.WORKFLOW, Kind.BRANCH, Kind.ARRAY)

    def open_scope(self, row: NodeState) -> Scope:
        graph = self.graph_of(row.path)
        scope = Scope(row.path, self.plan_of(row.path), graph, size=row.size)
        if graph is not None:
            scope.waiting, scope.unfinished = list(graph.waits), len(graph.nodes)
        self.scopes[row.path] = scope
        return scope

    def close_scope(self, path: str) -> None:
        self.scopes.pop(path, None)
        self.given.pop(path, None)
        self.lists.pop(path, None)

    def takes_slot(self, path: str) -> bool:
        """Whether a node counts towards max parallelism: elements of an array with a limit of its own do not."""
        plan = self.plan_of(path)
        if plan.kind not in LEAVES or path in self.expansions:
            return False
        return not path.endswith("]") or not self.plan_of(parent(path)).node.array_node.HasField("parallelism")

    def window(self, array: NodePlan) -> int:
        """How many elements of an array may be under way; 0: no limit."""
        spec = array.node.array_node
        return spec.parallelism if spec.HasField("parallelism") else self.settings.max_parallelism

    def startable(self) -> str:
        """The next node that may start an attempt; empty if there is none."""
        if self.ready and self._room():
            return next(iter(self.ready))
        return next(iter(self.unbound), "")

    def free_for(self, path: str) -> bool:
        """Whether a node may start at once. To be asked only when none of those that wait may."""
        return not self.takes_slot(path) or self._room()

    def may_start(self, path: str) -> bool:
        """Whether a node gets a slot at once if it asks for one now."""
        return not self.takes_slot(path) or (not self.ready and self._room())

    def in_the_way(self) -> Iterator[str]:
        """Dynamic tasks whose reservation may be what all slots wait for that nodes in them wait for.

        Child executions in all slots may want the same outputs. Any other node in a slot waits for no reservation.
        """
        if not self.keepers or not self.ready or self._room():
            return
        if any(self.plan_of(path).kind is not Kind.LAUNCH_PLAN for path in self.holding):
            return
        for keeper in self.keepers:
            if any(path.startswith(f"{keeper}/") for path in self.ready):
                yield keeper

    def _room(self) -> bool:
        limit = self.settings.max_parallelism
        return not limit or len(self.holding) < limit

    def live_attempt(self, path: str, number: int) -> AttemptState | None:
        """The attempt, if its outcome is still awaited. Then it is the present one of its node."""
        attempt = self.attempts.get((path, number))
        return attempt if attempt is not None and attempt.phase.live else None

    def signal_id(self, plan: NodePlan) -> str:
        """The signal that a gate waits for; empty for a sleep or another kind of node."""
        if plan.kind is not Kind.GATE:
            return ""
        gate = plan.node.gate_node
        return gate.approve.signal_id if gate.HasField("approve") else gate.signal.signal_id

    def _index(self, row: NodeState) -> None:
        path, phase = row.path, row.phase
        if path == ROOT:
            return
        terminal = phase in TERMINAL
        if phase is NodePhase.READY:
            (self.ready if self.takes_slot(path) else self.unbound).setdefault(path)
        elif self.ready.pop(path, self) is self:
            self.unbound.pop(path, None)
        if (phase in HOLDS_SLOT or (phase in ASKS_WITH_SLOT and row.holds_slot)) and self.takes_slot(path):
            self.holding.add(path)
        else:
            self.holding.discard(path)
        scope = self.scopes.get(parent(path))
        if scope is not None:
            if terminal:
                scope.live.pop(path, None)
            else:
                scope.live.setdefault(path)
        if row.reserved and not terminal and path in self.expansions:
            self.keepers.setdefault(path)
        elif self.keepers:
            self.keepers.pop(path, None)
        gate = phase is NodePhase.RUNNING or self.gates
        signal = self.signal_id(self.plan_of(path)) if gate else ""
        if terminal:
            self._plans.pop(path, None)
        if signal:
            waiting = self.gates.setdefault(signal, {})
            if phase is NodePhase.RUNNING:
                waiting.setdefault(path)
            else:
                waiting.pop(path, None)
                if not waiting:
                    del self.gates[signal]

    def _count(self, row: NodeState) -> None:
        """Count a loaded row where `nodes/` would have counted it when it changed."""
        scope = self.scopes.get(parent(row.path)) if row.path != ROOT else None
        if scope is None:
            return
        if scope.plan.kind is Kind.ARRAY and row.path.endswith("]"):
            scope.next = max(scope.next, index_of(row.path) + 1)
            if row.phase.terminal:
                scope.succeeded += row.phase.good
                scope.failed += not row.phase.good
        elif scope.graph is not None and row.phase.terminal:
            at = scope.graph.number.get(last_id(row.path))
            if at is None:
                return
            scope.unfinished -= 1
            if row.phase.good:
                for after in scope.graph.successors[at]:
                    scope.waiting[after] -= 1

    def elements(self, array: str, size: int) -> list[NodeState | None]:
        """The rows of an array's elements, in order; None for those that never began."""
        return [self.nodes.get(element(array, nth)) for nth in range(size)]


def _ancestors(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        while path != ROOT:
            path = parent(path)
            yield path
