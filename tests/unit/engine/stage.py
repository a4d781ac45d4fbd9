"""A stage to play executions on: a loop that feeds events to the machine and performs its commands by a script.

Virtual time, rows in a dict. Every decision is checked against the invariants; `crash` loses all but the rows.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from alula.engine.events import (
    AbortRequested,
    AttemptClosed,
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    Begin,
    CacheHit,
    CacheMiss,
    CacheStored,
    CloseAttempt,
    Command,
    Continue,
    Event,
    Fetch,
    Fetched,
    FetchFailed,
    Finished,
    Gather,
    Gathered,
    LookUp,
    Reserve,
    Reserved,
    SetTimer,
    StartAttempt,
    StoreInCache,
    TimerFired,
)
from alula.engine.execution import Execution, Reference
from alula.engine.invariants import change_faults, end_faults, index_faults, state_faults
from alula.engine.machine import BUDGET, decide, redrive
from alula.engine.nodes.array import together
from alula.engine.plan import Graph
from alula.engine.state import (
    NOTHING,
    ROOT,
    AttemptState,
    CacheStatus,
    Expansion,
    Failure,
    FailureKind,
    NodePhase,
    NodeState,
    Row,
    Settings,
    Values,
)
from alula.engine.turn import Decision, RowKey, row_key
from alula.idl import CompiledWorkflowClosure, Literal, literals

START = datetime(2030, 1, 1, tzinfo=UTC)
Script = Callable[[StartAttempt], Iterable[tuple[float, Event]]]
"""What a backend says to an attempt: events, each with the seconds after its start."""


def values(**named: int | str | bool | Literal) -> Values:
    return Values.of({name: literal(value) for name, value in named.items()})


def literal(value: int | str | bool | Literal) -> Literal:
    match value:
        case Literal():
            return value
        case bool():
            return literals.boolean(value)
        case int():
            return literals.integer(value)
        case str():
            return literals.string(value)


def plain(found: Values | None, name: str = "o0") -> object:
    """The value of an output that is a primitive, or a list of them."""
    assert found is not None
    lit = found.get(name)
    assert isinstance(lit, Literal), lit
    return _plain(lit)


def _plain(lit: Literal) -> object:
    lit = literals.unpacked(lit)
    if lit.HasField("collection"):
        return [_plain(one) for one in lit.collection.literals]
    kind = literals.kind(lit)
    return None if kind == "none_type" else getattr(lit.scalar.primitive, kind)


def succeed(outputs: Values = NOTHING, *, after: float = 1, closed: bool = True) -> Script:
    def script(start: StartAttempt) -> list[tuple[float, Event]]:
        return [
            (0, AttemptStarted(start.path, start.attempt)),
            (after, AttemptSucceeded(start.path, start.attempt, outputs, closed=closed)),
        ]

    return script


def adding(start: StartAttempt) -> list[tuple[float, Event]]:
    """Adds up all inputs that are integers, and gives the sum as `o0`."""
    total = sum(lit.scalar.primitive.integer for lit in start.inputs.literals().values())
    outputs = values(o0=total % 1_000_003) if start.node.interface.outputs.variables else NOTHING
    return list(succeed(outputs)(start))


def fail(
    code: str = "USER:Boom",
    *,
    kind: FailureKind = FailureKind.USER,
    recoverable: bool = True,
    after: float = 1,
    closed: bool = True,
) -> Script:
    def script(start: StartAttempt) -> list[tuple[float, Event]]:
        failure = Failure(code, f"{code} in {start.path}", kind, recoverable)
        return [
            (0, AttemptStarted(start.path, start.attempt)),
            (after, AttemptFailed(start.path, start.attempt, failure, closed=closed)),
        ]

    return script


def hang(start: StartAttempt) -> list[tuple[float, Event]]:
    """Starts, and never ends."""
    return [(0, AttemptStarted(start.path, start.attempt))]


def silent(start: StartAttempt) -> list[tuple[float, Event]]:
    """Never even starts: held by a quota."""
    return []


def in_turn(*scripts: Script) -> Script:
    """One script per attempt; the last one goes on."""

    def script(start: StartAttempt) -> Iterable[tuple[float, Event]]:
        return scripts[min(start.attempt, len(scripts) - 1)](start)

    return script


class Stage:
    """An execution, and all around it that a test needs.

    `backends` says what each node's attempts do, by path, by task name, or by default.
    """

    def __init__(
        self,
        closure: CompiledWorkflowClosure,
        inputs: Values | None = None,
        settings: Settings | None = None,
        *,
        backends: dict[str, Script] | None = None,
        default: Script = adding,
        reference: Reference | None = None,
    ) -> None:
        self.closure, self.inputs = closure, inputs or values(a=1)
        self.settings, self.reference = settings or Settings(), reference
        self.backends, self.default = backends or {}, default
        self.x = Execution("ex", closure, self.inputs, self.settings, reference=reference)
        self.now = START
        self.rows: dict[RowKey, Row] = {}
        self.commands: list[Command] = []
        self.queue: list[tuple[datetime, int, Event]] = []
        self.sent = 0
        self.touched: list[int] = []
        """How many rows each decision changed."""
        self.most = 0
        self.objects: dict[str, bytes] = {}
        self.cache: dict[str, Values] = {}
        self.cache_down = False
        self.unclosable: set[str] = set()
        """Paths whose clean-up never returns."""
        self.careful = True
        self.budget = BUDGET

    # --- what tests do ---

    def run(self, until: float = 1e6) -> Stage:
        """Begin, and go on until nothing happens any more, or so many seconds have passed since the start."""
        self.send(Begin())
        return self.go_on(until)

    def go_on(self, until: float = 1e6) -> Stage:
        end = START + timedelta(seconds=until)
        while self.queue and self.queue[0][0] <= end:
            self.next()
        if self.queue or until < 1e6:
            self.now = max(self.now, end)
        return self

    def next(self) -> None:
        """Whatever comes next."""
        at, _, event = heapq.heappop(self.queue)
        self.now = max(self.now, at)
        self.take(event)

    def send(self, event: Event, after: float = 0) -> None:
        self.sent += 1
        heapq.heappush(self.queue, (self.now + timedelta(seconds=after), self.sent, event))

    def take(self, event: Event) -> Decision:
        """One event, at once."""
        return self._performed(decide(self.x, event, self.now, budget=self.budget))

    def abort(self, reason: str = "enough") -> Stage:
        self.take(AbortRequested(reason))
        return self

    def crash(self) -> None:
        """The engine dies and another one goes on: answers under way are lost, all else comes from the rows."""
        self.queue.clear()
        self.x = self.loaded()
        if self.x.phase is None:
            self.send(Begin())
        else:
            self._performed(redrive(self.x, self.now, budget=self.budget))

    def loaded(self, graph: Graph | None = None) -> Execution:
        """What a restart makes of the rows. `graph`: the plan of the workflow, if it need not be made again."""
        rows = [row for row in self.rows.values() if not (isinstance(row, AttemptState) and not row.open)]
        return Execution.load(
            "ex", self.closure, self.inputs, self.settings, rows=rows, graph=graph, reference=self.reference
        )

    # --- what tests look at ---

    @property
    def phase(self) -> NodePhase | None:
        return self.x.phase

    @property
    def root(self) -> NodeState:
        return self.x.nodes[ROOT]

    def phases(self) -> dict[str, str]:
        return {path: str(row.phase) for path, row in self.x.nodes.items() if path}

    def started(self, path: str = "") -> list[str]:
        """Paths of all attempts that were started, in order; or the numbers of one node's."""
        starts = [c for c in self.commands if isinstance(c, StartAttempt)]
        return [str(c.attempt) for c in starts if c.path == path] if path else [c.path for c in starts]

    def closes(self, path: str) -> list[CloseAttempt]:
        return [c for c in self.commands if isinstance(c, CloseAttempt) and c.path == path]

    def attempts(self, path: str) -> list[AttemptState]:
        return [row for row in self.rows.values() if isinstance(row, AttemptState) and row.path == path]

    def as_reference(self) -> Reference:
        expansions = {row.path: row.closure for row in self.rows.values() if isinstance(row, Expansion)}
        return Reference("ex", dict(self.x.nodes), expansions)

    def check_end(self) -> None:
        assert not end_faults(self.x, self.rows), end_faults(self.x, self.rows)
        assert sum(isinstance(c, Finished) for c in self.commands) >= 1

    # --- the performer ---

    def _performed(self, decision: Decision) -> Decision:
        faults = [fault for row in decision.changes for fault in change_faults(self.rows.get(row_key(row)), row)]
        self.rows.update((row_key(row), row) for row in decision.changes)
        if self.careful:
            faults += state_faults(self.x) + index_faults(self.x, self.loaded(self.x.root.graph))
        assert not faults, faults
        self.touched.append(len(decision.changes))
        self.most = max(self.most, len(self.x.holding))
        self.commands.extend(decision.commands)
        for command in decision.commands:
            self.perform(command)
        if decision.more:
            self.send(Continue())
        return decision

    def perform(self, command: Command) -> None:
        match command:
            case StartAttempt():
                for after, event in self.script(command)(command):
                    self.send(event, after)
            case CloseAttempt():
                if command.path not in self.unclosable:
                    self.send(AttemptClosed(command.path, command.attempt), 0.1)
            case SetTimer():
                fired = TimerFired(command.kind, command.path, command.generation)
                self.send(fired, max(0.0, (command.at - self.now).total_seconds()))
            case Fetch():
                found = self.objects.get(command.uri)
                reply = FetchFailed(command.uri, "no such object") if found is None else Fetched(command.uri, found)
                self.send(reply, 0.1)
            case Gather():
                gathered = together(command.names, list(command.elements))
                self.send(Gathered(command.path, command.generation, gathered), 0.1)
            case LookUp() | Reserve() | StoreInCache():
                self.ask_cache(command)

    def ask_cache(self, command: LookUp | Reserve | StoreInCache) -> None:
        """Tests of the cache put their own in place of this one, which serves any number of nodes at once."""
        from_cache = self.cache.get(cache_key(command))
        match command:
            case LookUp(path, generation):
                found = None if self.cache_down else from_cache
                missed = CacheMiss(path, generation, failed=self.cache_down)
                self.send(missed if found is None else CacheHit(path, generation, found), 0.1)
            case StoreInCache(path, outputs=outputs):
                self.cache[cache_key(command)] = outputs
                self.send(CacheStored(path, CacheStatus.POPULATED), 0.1)
            case Reserve(path, generation):
                self.send(Reserved(path, generation), 0.1)

    def script(self, start: StartAttempt) -> Script:
        task = start.node.task.id.name if start.node.task is not None else ""
        return self.backends.get(start.path) or self.backends.get(task) or self.default


def cache_key(command: LookUp | Reserve | StoreInCache) -> str:
    task = command.node.task
    assert task is not None
    return f"{task.id.name}:{literals.digest(literals.literal_map(command.inputs.literals()))}"
