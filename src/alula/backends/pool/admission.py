"""Which job runs next: as many as the machine has room for, fair between executions, none left behind."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from alula.backends.pool.needs import Need, shown_bytes

T = TypeVar("T", bound=Hashable)

PATIENCE = 32
"""How many later jobs may begin before one that has waited: then all wait for it."""
_PER_CPU = 32
"""Jobs at a time per core, however little they ask for: each is a process."""
_SLACK = 1e-9
"""Ten tasks of a tenth of a core fit on one."""


@dataclass(slots=True)
class _Waiting(Generic[T]):
    item: T
    need: Need
    order: int
    passed: int = 0
    """Jobs that came later and began earlier."""
    gone: bool = False


class Admission(Generic[T]):
    """Jobs that wait, and the room that those which run leave.

    Args:
        cpus: Cores in all.
        memory_bytes: Memory in all.
        name: What a job is called in reasons to wait.
    """

    def __init__(self, cpus: float, memory_bytes: int, name: Callable[[T], str] = str) -> None:
        self.cpus, self.memory_bytes = cpus, memory_bytes
        self._name = name
        self._free_cpus, self._free_memory = cpus, float(memory_bytes)
        self._most = max(1, int(cpus * _PER_CPU))
        self._running: dict[T, Need] = {}
        self._waiting: dict[T, _Waiting[T]] = {}
        self._by_execution: OrderedDict[str, dict[Need, deque[_Waiting[T]]]] = OrderedDict()
        """Whose turn is next comes first."""
        self._by_need: dict[Need, deque[_Waiting[T]]] = {}
        self._orders = 0
        self._first: _Waiting[T] | None = None
        """The one that all others wait for."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._running)

    def impossible(self, need: Need) -> str:
        """Why a job could never run here, with a way out; empty if it could."""
        if need.cpus > self.cpus + _SLACK:
            return (
                f"it asks for {need.cpus:g} cpus, and the workers here have {self.cpus:g}: "
                "ask for less, or raise cpus in [workers]"
            )
        if need.memory_bytes > self.memory_bytes:
            return (
                f"it asks for {shown_bytes(need.memory_bytes)} of memory, and the workers here have "
                f"{shown_bytes(self.memory_bytes)}: ask for less, or raise memory_bytes in [workers]"
            )
        return ""

    def admit(self, item: T, need: Need) -> bool:
        """Let a job run at once, if there is room and nobody waits; it counts as running until `free`."""
        if self._waiting or len(self._running) >= self._most or not self._fits(need):
            return False
        self._run(item, need)
        return True

    def put(self, item: T, need: Need, execution: str) -> None:
        """Queue a job behind those of its execution."""
        self._orders += 1
        made = _Waiting(item, need, self._orders)
        self._waiting[item] = made
        self._by_execution.setdefault(execution, {}).setdefault(need, deque()).append(made)
        self._by_need.setdefault(need, deque()).append(made)

    def take(self) -> T | None:
        """The next job that there is room for; it counts as running until `free`. None: nothing fits, or waits."""
        if not self._waiting or len(self._running) >= self._most:
            return None
        if self._first is not None:
            return self._begin(self._first) if self._fits(self._first.need) else None
        heads = [head for queue in list(self._by_need.values()) if (head := _head(queue)) is not None]
        if not any(self._fits(head.need) for head in heads):
            return None
        chosen = self._next_in_turn()
        for head in heads:
            if head.order < chosen.order and not self._fits(head.need):
                head.passed += 1
                if head.passed >= PATIENCE:
                    self._first = head
        return self._begin(chosen)

    def free(self, item: T) -> None:
        """A job is over. One that does not run is fine."""
        need = self._running.pop(item, None)
        if need is not None:
            self._free_cpus += need.cpus
            self._free_memory += need.memory_bytes

    def cancel(self, item: T) -> bool:
        """Whether a job waited; it does no more."""
        found = self._waiting.pop(item, None)
        if found is None:
            return False
        found.gone = True
        if self._first is found:
            self._first = None
        return True

    def reason(self, item: T) -> str:
        """What a job waits for."""
        found = self._waiting.get(item)
        if found is None:
            return ""
        first = self._first
        if first is not None and first is not found:
            return f"for its turn: {self._name(first.item)} has waited longest, and needs {_amounts(first.need)}"
        need = found.need
        if need.cpus > self._free_cpus + _SLACK:
            what = f"for {need.cpus:g} of {self.cpus:g} cpus"
        elif need.memory_bytes > self._free_memory:
            what = f"for {shown_bytes(need.memory_bytes)} of {shown_bytes(self.memory_bytes)} memory"
        else:
            what = "for its turn"
        return f"{what}: taken by {self._holders()}"

    def _next_in_turn(self) -> _Waiting[T]:
        """The oldest job that fits of the execution whose turn it is. There is one."""
        empty = []
        for execution, queues in self._by_execution.items():
            heads = [head for queue in queues.values() if (head := _head(queue)) is not None]
            if not heads:
                empty.append(execution)
            fitting = [head for head in heads if self._fits(head.need)]
            if fitting:
                self._by_execution.move_to_end(execution)
                break
        else:
            raise AssertionError("unreachable: the caller has seen one that fits")
        for execution in empty:
            del self._by_execution[execution]
        return min(fitting, key=lambda one: one.order)

    def _begin(self, chosen: _Waiting[T]) -> T:
        self.cancel(chosen.item)
        self._run(chosen.item, chosen.need)
        return chosen.item

    def _run(self, item: T, need: Need) -> None:
        self._running[item] = need
        self._free_cpus -= need.cpus
        self._free_memory -= need.memory_bytes

    def _fits(self, need: Need) -> bool:
        return need.cpus <= self._free_cpus + _SLACK and need.memory_bytes <= self._free_memory

    def _holders(self) -> str:
        names = [self._name(item) for item in list(self._running)[:3]]
        more = len(self._running) - len(names)
        return ", ".join(names) + (f" and {more} more" if more else "")


def _head(queue: deque[_Waiting[T]]) -> _Waiting[T] | None:
    """The first that still waits."""
    while queue and queue[0].gone:
        queue.popleft()
    return queue[0] if queue else None


def _amounts(need: Need) -> str:
    memory = f" and {shown_bytes(need.memory_bytes)} of memory" if need.memory_bytes else ""
    return f"{need.cpus:g} cpus{memory}"
