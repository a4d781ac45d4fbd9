"""`map_task`: one task over a list of inputs."""

from __future__ import annotations

import contextvars
import functools
import hashlib
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, Optional, TypeVar, overload

from alula.errors import AlulaError, CallError, SignatureError, note
from alula.idl import literals
from alula.sdk.conditional import Branch
from alula.sdk.dynamic import DynamicTask
from alula.sdk.eager import EagerTask
from alula.sdk.graph import Entity, Node
from alula.sdk.instance import InstanceTask
from alula.sdk.local import Kept, LocalRun, keep, kept_of, literal_of
from alula.sdk.reference import ReferenceEntity
from alula.sdk.signature import Input, Interface, Output, caller
from alula.sdk.task import PythonTask
from alula.sdk.workflow import BaseWorkflow
from alula.types.registry import default
from alula.types.transformer import Converter, Place

R = TypeVar("R")


class ArrayTask(Entity, Generic[R]):
    """What an array node runs: `target`, once for every item of its lists.

    Args:
        target: What runs for each item.
        bound: Inputs that are the same for every item; values or promises.
        concurrency: At most so many items at a time. None: as many as the workflow may; 0: no limit.
        min_successes: So many items must succeed; a ratio below 1 counts before it.
        min_success_ratio: This share of the items must succeed.
        run_all_sub_nodes: Run every item even when it is known that too many have failed.
    """

    def __init__(
        self,
        target: Entity,
        bound: dict[str, Any],
        *,
        concurrency: int | None = None,
        min_successes: int | None = None,
        min_success_ratio: float = 1.0,
        run_all_sub_nodes: bool = False,
    ) -> None:
        self.target, self.bound = target, bound
        self.concurrency, self.min_successes = concurrency, min_successes
        self.min_success_ratio, self.run_all_sub_nodes = min_success_ratio, run_all_sub_nodes
        self.where = caller()
        self._check()
        self.name = self._name()
        self.tolerant = min_successes is not None or min_success_ratio != 1
        """Whether an item may fail; then its output is None."""
        self.interface = self._interface()

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        result: R = super().__call__(*args, **{**self.bound, **kwargs})
        return result

    @property
    def short_name(self) -> str:
        return f"map_task({self.target.short_name})"

    def same_as(self, other: Entity) -> bool:
        """Whether the two map one target in one way; what is bound may have other values."""
        return isinstance(other, ArrayTask) and self.target is other.target and self._settings() == other._settings()

    @property
    def mapped(self) -> tuple[str, ...]:
        """The inputs that are lists."""
        return tuple(name for name in self.interface.inputs if name not in self.bound)

    @property
    def picks(self) -> bool:
        """Whether the target's container picks its item from the lists itself; else the platform hands it each item."""
        target = self.target
        return isinstance(target, PythonTask) and (not isinstance(target, InstanceTask) or target.runs_user_code)

    def needed(self, items: int) -> int:
        """How many of so many items must succeed."""
        if self.min_successes is not None and self.min_success_ratio == 1:
            return min(self.min_successes, items)
        return math.ceil(self.min_success_ratio * items)

    def perform(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        theirs, ours = self.target.interface, self.interface
        shared = {name: inputs[name] for name in self.bound}
        lists = {
            name: _items(inputs[name], ours.inputs[name].converter, theirs.inputs[name].converter, run.place)
            for name in self.mapped
        }
        size = self._size(lists)
        rows = (dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True))
        progress = _Progress(size, size - self.needed(size), self.run_all_sub_nodes)

        def work(rows: Iterator[tuple[int, dict[str, Kept]]]) -> None:
            for index, row in rows:
                if progress.over:
                    return
                try:
                    progress.results[index] = self.target.perform({**shared, **row}, run, node)
                except Exception as exc:  # noqa: BLE001 - the boundary to the mapped code: some items may fail
                    progress.failures[index] = _at_item(exc, index, self.short_name)

        _share(work, enumerate(rows), min(self.concurrency or 1, size), progress)
        if progress.hopeless:
            raise progress.failures[min(progress.failures)]
        if not theirs.outputs:
            return ()
        [(name, out)] = theirs.outputs.items()
        kept = [row[0] if row is not None else None for row in progress.results]
        return (_list_of(kept, progress.failures, out, ours.outputs[name].converter, run.place),)

    def _size(self, lists: dict[str, list[Kept]]) -> int:
        sizes = {name: len(items) for name, items in lists.items()}
        if len(set(sizes.values())) > 1:
            shown = ", ".join(f"'{name}' has {size}" for name, size in sizes.items())
            raise CallError(
                f"the lists of {self.short_name} differ in length: {shown}",
                where=self.where,
                fix="give lists of one length, or bind what is the same for all: functools.partial(task, x=1)",
            )
        return next(iter(sizes.values()))

    def _interface(self) -> Interface:
        theirs = self.target.interface
        inputs: dict[str, Input] = {}
        for name, one in theirs.inputs.items():
            if name not in self.bound:
                t: Any = list[one.type]  # type: ignore[name-defined]
                inputs[name] = Input(name, t, default.converter(t))
        for name in self.bound:
            inputs[name] = theirs.inputs[name]
        outputs: dict[str, Output] = {}
        for name, out in theirs.outputs.items():
            t = list[Optional[out.type] if self.tolerant else out.type]  # type: ignore[misc]  # noqa: UP045
            outputs[name] = Output(name, t, default.converter(t))
        return Interface(inputs, outputs, source=theirs.source)

    def _check(self) -> None:
        target, faults = self.target, list[str]()
        inputs, outputs = target.interface.inputs, target.interface.outputs
        unknown = [repr(name) for name in self.bound if name not in inputs]
        if unknown:
            faults.append(f"it has no input {', '.join(unknown)} to bind; its inputs are {', '.join(inputs) or 'none'}")
        elif len(self.bound) == len(inputs):
            faults.append("no input is left to map over")
        if len(outputs) > 1:
            faults.append(f"it has {len(outputs)} outputs ({', '.join(outputs)}), and at most one can become a list")
        if self.concurrency is not None and self.concurrency < 0:
            faults.append(f"concurrency is {self.concurrency}, and must be 0 or more")
        if self.min_successes is not None and self.min_successes < 0:
            faults.append(f"min_successes is {self.min_successes}, and must be 0 or more")
        if not 0 <= self.min_success_ratio <= 1:
            faults.append(f"min_success_ratio is {self.min_success_ratio}, and must be between 0 and 1")
        if faults:
            raise SignatureError(f"{self.short_name} is not possible: " + "; ".join(faults), where=self.where)

    def _name(self) -> str:
        """Of a task: its module, its name, and a digest of the settings, as flytekit writes it; else the target's."""
        target = self.target
        if not isinstance(target, PythonTask) or not self.picks:
            return target.name
        names, *numbers = self._settings()
        settings = ",".join(names) + "".join(map(str, numbers))
        digest = hashlib.md5(settings.encode(), usedforsecurity=False).hexdigest()
        return f"{target.module}.map_{target.function}_{digest}-arraynode"

    def _settings(self) -> tuple[list[str], int | None, int | None, float]:
        return sorted(self.bound), self.concurrency, self.min_successes, self.min_success_ratio

    def __repr__(self) -> str:
        return f"<{self.short_name}>"


@dataclass(slots=True)
class _Progress:
    """What became of the items so far; each thread writes to places of its own."""

    size: int
    allowed: int
    run_all: bool
    results: list[tuple[Kept, ...] | None] = field(init=False)
    failures: dict[int, Exception] = field(default_factory=dict)
    stopped: bool = False

    def __post_init__(self) -> None:
        self.results = [None] * self.size

    @property
    def hopeless(self) -> bool:
        return len(self.failures) > self.allowed

    @property
    def over(self) -> bool:
        """Whether no further item shall begin."""
        return self.stopped or (bool(self.failures) and not self.run_all and self.hopeless)


def _share(work: Any, rows: Iterator[Any], threads: int, progress: _Progress) -> None:
    """Do the work here, or in several threads that take rows from one iterator."""
    if threads <= 1:
        work(rows)
        return
    rows = iter(list(rows))  # a generator cannot be advanced by two threads at a time, a list's iterator can
    with ThreadPoolExecutor(threads, thread_name_prefix="alula-map") as pool:
        try:
            for done in [pool.submit(contextvars.copy_context().run, work, rows) for _ in range(threads)]:
                done.result()
        finally:
            progress.stopped = True


def _items(kept: Kept, whole: Converter, item: Converter, place: Place) -> list[Kept]:
    """A kept list as kept items."""
    if whole.copy is not None:
        values: list[Any] = kept
        return values if item.copy is not None else [keep(value, item, place) for value in values]
    return [kept_of(lit, item, place) for lit in kept.collection.literals]


def _list_of(kept: list[Kept], failures: dict[int, Exception], one: Output, whole: Converter, place: Place) -> Kept:
    """Kept items as a kept list; those that failed are None."""
    item = one.converter
    if whole.copy is not None and item.copy is not None:
        return kept
    made = [literals.none() if i in failures else literal_of(k, item, place) for i, k in enumerate(kept)]
    element = whole.literal_type.collection_type
    if element.HasField("union_type"):
        plain = not item.literal_type.HasField("union_type")
        some, nothing = element.union_type.variants[0], element.union_type.variants[-1]  # Optional puts None last
        made = [
            literals.union(lit, nothing if i in failures else some) if plain or i in failures else lit
            for i, lit in enumerate(made)
        ]
    return kept_of(literals.collection(made), whole, place)


def _at_item(exc: Exception, index: int, name: str) -> Exception:
    """The same error, saying at which item it came up."""
    if isinstance(exc, AlulaError):
        exc.where = f"item {index} of {name}" + (f", {exc.where}" if exc.where else "")
    note(exc, f"in item {index} of {name}")
    return exc


@overload
def map_task(
    target: PythonTask[..., R] | ReferenceEntity[..., R] | functools.partial[R],
    concurrency: int | None = None,
    *,
    run_all_sub_nodes: bool = False,
) -> ArrayTask[list[R]]: ...
@overload
def map_task(
    target: PythonTask[..., R] | ReferenceEntity[..., R] | functools.partial[R],
    concurrency: int | None = None,
    min_successes: int | None = None,
    min_success_ratio: float = 1.0,
    run_all_sub_nodes: bool = False,
) -> ArrayTask[list[R | None]]: ...
@overload
def map_task(
    target: Entity,
    concurrency: int | None = None,
    min_successes: int | None = None,
    min_success_ratio: float = 1.0,
    run_all_sub_nodes: bool = False,
) -> ArrayTask[Any]: ...
def map_task(
    target: Any,
    concurrency: int | None = None,
    min_successes: int | None = None,
    min_success_ratio: float = 1.0,
    run_all_sub_nodes: bool = False,
) -> ArrayTask[Any]:
    """A task over lists: called with a list for each input, it gives the list of the task's outputs, in order.

    A local call runs one item after the other; with `concurrency` above 1 so many threads share the items.

    Args:
        target: A task, a launch plan or a reference to one; or `functools.partial(task, x=1)` for inputs that are the
            same for every item.
        concurrency: At most so many items at a time. None: as many as the workflow may; 0: no limit.
        min_successes: The map succeeds when so many items do; counts only where no ratio is given.
        min_success_ratio: The map succeeds when this share of the items does. Items that failed are None.
        run_all_sub_nodes: Run every item even when it is known that too many have failed.

    Raises:
        SignatureError: the target cannot be mapped, or a setting is out of range.

    Example:
        map_task(functools.partial(scale, factor=2), concurrency=4)(value=[1, 2, 3])
    """
    partial = target if isinstance(target, functools.partial) else functools.partial(target)
    entity: Any = partial.func
    why = _unfit(entity, partial)
    if why:
        raise SignatureError(f"map_task over {_called(entity)} is not possible: {why[0]}", where=caller(), fix=why[1])
    return ArrayTask(
        entity,
        dict(partial.keywords),
        concurrency=concurrency,
        min_successes=min_successes,
        min_success_ratio=min_success_ratio,
        run_all_sub_nodes=run_all_sub_nodes,
    )


def _unfit(entity: Any, partial: functools.partial[Any]) -> tuple[str, str] | None:
    """Why something cannot be mapped, and what to do about it."""
    if partial.args:
        return "inputs are bound by position", "bind them by name: functools.partial(task, x=1)"
    match entity:
        case ArrayTask():
            return (
                "it is a map itself",
                "flatten the lists in a @task and map once, or map over a launch plan of a workflow that maps",
            )
        case DynamicTask() | EagerTask():
            return "it runs other tasks", "call it in a workflow, and map over a launch plan of that workflow"
        case BaseWorkflow():
            return "it is a workflow", f"map over its launch plan: LaunchPlan.get_or_create({entity.short_name})"
        case Branch():
            return "it is a conditional", "put the conditional into a workflow and map over its launch plan"
        case Entity():
            return None
        case _:
            return "it is no task", "put @task on the function"


def _called(entity: Any) -> str:
    return f"'{entity.short_name}'" if isinstance(entity, Entity) else f"{entity!r:.80}"
