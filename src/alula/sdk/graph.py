"""Nodes, and the trace that collects them while a workflow's body runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Self, SupportsIndex

from alula.errors import AlulaError, CallError, CompileError
from alula.idl.ids import dns_label
from alula.sdk.address import address_of, at
from alula.sdk.attempts import limit_of, retries_of
from alula.sdk.bind import Bound, arguments, bind
from alula.sdk.caching import CacheSettings, settings
from alula.sdk.local import LocalRun, current_run, keep_inputs, present
from alula.sdk.promise import Promise, Void, promises_in
from alula.sdk.signature import Input, Interface, caller

START = "start-node"
"""The id under which the workflow's own inputs are referred to. Source: flyteidl workflow.proto."""


class Entity(ABC):
    """What a node runs: a task, a workflow, a launch plan, a gate, a branch, an array."""

    name: str
    interface: Interface

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        trace = _trace.get()
        if trace is None:
            return self.run_here(args, kwargs)
        return trace.call(self, args, kwargs)

    def run_here(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run in this process, now, and return what a plain Python call would."""
        run = current_run()
        kept = keep_inputs(
            self.short_name, self.interface, arguments(self.short_name, self.interface, args, kwargs), run
        )
        return present(self.interface, self.perform(kept, run, None), run.place)

    @abstractmethod
    def perform(self, inputs: dict[str, Any], run: LocalRun, node: Node | None) -> tuple[Any, ...]:
        """The outputs for inputs that nobody else holds. Called by the local run, once per node and attempt."""

    @property
    def short_name(self) -> str:
        """What errors and listings call it: its name without the module."""
        return self.name.rpartition(".")[2]

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """By name where a module has it, as functions are pickled; else whole, which takes cloudpickle."""
        address = address_of(self)
        return (at, address) if address is not None else super().__reduce_ex__(protocol)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def same_as(self, other: Entity) -> bool:
        """Whether the two, which share a name, are one entity in two objects."""
        return False


@dataclass(slots=True)
class Overrides:
    """Settings of one node that replace those of its entity. None: as the entity says."""

    name: str | None = None
    aliases: dict[str, str] = field(default_factory=dict)
    requests: Any = None
    limits: Any = None
    resources: Any = None
    timeout: timedelta | None = None
    queued_timeout: timedelta | None = None
    node_timeout: timedelta | None = None
    retries: int | None = None
    interruptible: bool | None = None
    task_config: Any = None
    container_image: Any = None
    accelerator: Any = None
    shared_memory: Any = None
    pod_template: Any = None
    cache: Any = None
    cache_version: str | None = None
    cache_serialize: bool | None = None


class Node:
    """One step of a workflow."""

    __slots__ = ("bindings", "entity", "id", "inputs", "outputs", "overridden", "overrides", "upstream", "where")

    def __init__(self, id: str, entity: Entity | None, *, bindings: dict[str, Bound], where: str = "") -> None:
        self.id, self.entity, self.bindings, self.where = id, entity, bindings, where
        self.inputs: Mapping[str, Input] = {}
        """Of the start node only: the inputs of the workflow."""
        self.upstream: dict[Node, None] = {}
        """Nodes that must end first although no data flows."""
        self.overrides = Overrides()
        self.overridden = False
        """Whether `overrides` holds anything."""
        names = entity.interface.outputs.items() if entity is not None else ()
        self.outputs = {name: Promise(self, name, output.type) for name, output in names}

    @property
    def title(self) -> str:
        """What errors and listings call it."""
        return self.overrides.name or (self.entity.short_name if self.entity is not None else "the workflow")

    def runs_before(self, other: Node) -> None:
        """`other` starts after this node has ended."""
        other.upstream[self] = None

    def __rshift__(self, other: Any) -> Any:
        from_node = other if isinstance(other, Node) else other._node
        self.runs_before(from_node)
        return other

    def with_overrides(self, *, node_name: str | None = None, **settings: Any) -> Node:
        """Replace settings of this node alone.

        Args:
            node_name: A new id for the node; it becomes a DNS label.
            settings: The fields of `Overrides`.

        Raises:
            CallError: an unknown setting, or a promise where a value is needed.
        """
        for key, value in settings.items():
            if next(promises_in(value), None) is not None or isinstance(value, Promise):
                raise CallError(
                    f"with_overrides({key}=...) of '{self.title}' is given a promise",
                    where=caller(),
                    fix="settings must be known when compiling; use a @dynamic to compute them",
                )
            if key not in _SETTINGS:
                raise CallError(
                    f"with_overrides of '{self.title}' has no setting '{key}'",
                    where=caller(),
                    fix=f"one of {', '.join(_SETTINGS)}",
                )
            if value is not None:
                setattr(self.overrides, key, self._checked(key, value))
                self.overridden = True
        self.cache_settings()  # raises now, where the call is
        if node_name is not None:
            self.id = self._new_id(node_name)
        return self

    def _new_id(self, name: str) -> str:
        id = dns_label(name)
        if id in ("", START, "end-node"):
            raise CallError(
                f"with_overrides(node_name={name!r}) of '{self.title}' "
                + (f"is the reserved id '{id}'" if id else "leaves no id"),
                where=caller(),
                fix="write it with other letters, digits or hyphens",
            )
        return id

    def _checked(self, key: str, value: Any) -> Any:
        check = _CHECKS.get(key)
        try:
            return value if check is None else check(value)
        except ValueError as exc:
            raise CallError(f"with_overrides of '{self.title}': {exc}", where=caller()) from None

    def cache_settings(self) -> CacheSettings | None:
        """How this node is cached when that differs from its entity; None: as the entity says. Raises CallError."""
        over = self.overrides
        return settings(
            over.cache,
            cache_version=over.cache_version,
            cache_serialize=over.cache_serialize,
            where=f"with_overrides of '{self.title}' ({caller()})",
        )

    def __getattr__(self, name: str) -> Any:
        outputs = object.__getattribute__(self, "outputs")
        if name in outputs:
            return outputs[name]
        raise AttributeError(f"node {self.id} ({self.title}) has no output '{name}'; it has {', '.join(outputs)}")

    def __deepcopy__(self, memo: object) -> Node:
        return self

    def __repr__(self) -> str:
        return f"<node {self.id}: {self.title}>"


_SETTINGS = tuple(Overrides.__slots__)
_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "timeout": limit_of,
    "queued_timeout": partial(limit_of, name="queued_timeout"),
    "node_timeout": partial(limit_of, name="node_timeout"),
    "retries": retries_of,
}


class Outputs(tuple[Any, ...]):
    """Several promises of one node: unpack them, index them, or read them by name."""

    _node: Node
    _names: tuple[str, ...]

    @staticmethod
    def of(node: Node) -> Outputs:
        made = Outputs(node.outputs.values())
        made._node, made._names = node, tuple(node.outputs)
        return made

    def __getattr__(self, name: str) -> Promise:
        outputs = self._node.outputs
        if name in outputs:
            return outputs[name]
        raise AttributeError(f"'{self._node.title}' has no output '{name}'; it has {', '.join(outputs)}")

    def with_overrides(self, **overrides: Any) -> Outputs:
        """The same outputs, their node run with other settings. See `Node.with_overrides`."""
        self._node.with_overrides(**overrides)
        return self

    def runs_before(self, other: Any) -> None:
        self >> other

    def __rshift__(self, other: Any) -> Any:
        next(iter(self)) >> other
        return other


class Trace:
    """The nodes of one workflow, in the order in which its body called them.

    Args:
        title: The workflow, for errors.
        prefix: What node ids begin with (`d` inside a dynamic task).
    """

    def __init__(self, title: str, inputs: Mapping[str, Input] | None = None, *, prefix: str = "") -> None:
        self.title, self.prefix = title, prefix
        self.nodes: list[Node] = []
        self.start = Node(START, None, bindings={})
        self.start.inputs = {} if inputs is None else inputs
        self.start.overrides.name = title
        self.open: list[Any] = []
        """Conditionals of which an arm is being written, innermost last; its nodes go there."""
        self.pending: list[Any] = []
        """Conditionals that have begun and not ended."""
        self.made: list[Entity] = []
        """Tasks that the body makes itself; a container finds them again by their place here."""
        self.faults: list[AlulaError] = []
        """What is wrong with calls so far; reported together at the end."""

    def promises(self) -> dict[str, Promise]:
        """The workflow's inputs, as its body sees them."""
        return {name: Promise(self.start, name, one.type) for name, one in self.start.inputs.items()}

    def call(self, entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Add a node, and give what the entity's caller sees in its place."""
        return result(self.add(entity, args, kwargs))

    def add(self, entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Node:
        """Add a node that runs `entity` with these arguments. What is wrong with them is kept for `check`."""
        interface, title = entity.interface, entity.short_name
        bindings: dict[str, Bound] = {}
        try:
            given = arguments(title, interface, args, kwargs)
        except CallError as exc:
            self.faults.append(exc)
            return self.append(Node("", entity, bindings={}, where=caller()))
        for name, one in interface.inputs.items():
            try:
                if name not in given:
                    _check_default(entity, name, one.default)
                value = given.get(name, one.default)
                bindings[name] = bind(value, one.type, one.converter, f"input '{name}' of '{title}'")
            except CallError as exc:
                self.faults.append(exc)
        return self.append(Node("", entity, bindings=bindings, where=caller()))

    def add_alone(self, entity: Entity, kwargs: dict[str, Any]) -> Node:
        """`add`, for those who want to know now what is wrong; then nothing is added."""
        before, self.faults = self.faults, []
        nodes = self.open[-1].nodes if self.open else self.nodes
        known = len(nodes)
        try:
            node = self.add(entity, (), kwargs)
            if self.faults:
                del nodes[known:]
                self._raise()
            return node
        finally:
            self.faults = before

    def check(self, last: AlulaError | None = None) -> None:
        """Raise the one fault there is, or a CompileError that lists all of them.

        Args:
            last: The error that ended the reading of the body, if one did.
        """
        unfinished = [conditional.unfinished() for conditional in self.pending] if last is None else [last]
        self._raise(*unfinished, cause=last)

    def _raise(self, *more: AlulaError, cause: AlulaError | None = None) -> None:
        faults = [*self.faults, *more]
        if len(faults) == 1:
            raise faults[0]
        if faults:
            raise CompileError(
                f"workflow '{self.title}' has {len(faults)} faults",
                faults=[f"{fault.what} ({fault.where})" for fault in faults],
                fix="; ".join(dict.fromkeys(fault.fix for fault in faults if fault.fix)),
            ) from cause

    def append(self, node: Node) -> Node:
        """Take in a node that is complete but for its id."""
        into = self.open[-1].nodes if self.open else self.nodes
        if not node.id:
            node.id = f"{self.prefix}n{len(into)}"
        into.append(node)
        return node


def result(node: Node) -> Any:
    """What the caller of a node's entity sees while compiling: a promise, several, or none."""
    assert node.entity is not None
    interface = node.entity.interface
    if not node.outputs:
        return Void(node)
    if len(node.outputs) == 1 and not interface.as_tuple:
        return next(iter(node.outputs.values()))
    return Outputs.of(node)


def _check_default(entity: Entity, name: str, value: Any) -> None:
    if isinstance(value, list | dict | set):
        raise CallError(
            f"input '{name}' of '{entity.short_name}' is left out, and its default {value!r} is mutable",
            where=caller(),
            fix=f"pass {name}=... in the workflow, or give it an immutable default",
        )


_trace: ContextVar[Trace | None] = ContextVar("alula_trace", default=None)


enter_trace = _trace.set
"""Begin to turn calls into nodes of a trace; give the token to `leave_trace`."""
leave_trace = _trace.reset


def current_trace() -> Trace | None:
    """The workflow that is being compiled in this context; None: calls are real calls."""
    return _trace.get()


class tracing:
    """Calls of entities become nodes of `trace`; None: they are real calls, even inside a workflow's body.

    A class, since a generator would set the traceback of what is raised inside, and a frozen exception refuses that.
    """

    def __init__(self, trace: Trace | None) -> None:
        self._of = trace

    def __enter__(self) -> Trace | None:
        self._token = _trace.set(self._of)
        return self._of

    def __exit__(self, *exc: object) -> None:
        _trace.reset(self._token)
