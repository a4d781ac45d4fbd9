"""Walk a workflow's graph in this process: which node when, and how values get from one to the next."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, get_args

from alula.errors import AlulaError, CompileError, ConversionError
from alula.idl import Literal, literals
from alula.sdk.bind import Bound, Constant, DictOf, ListOf, Reference
from alula.sdk.conditional import Arm, Branch
from alula.sdk.graph import Node, Trace
from alula.sdk.local import Kept, LocalRun, fresh, keep, kept_of, literal_of, transfer
from alula.sdk.promise import Comparison, Condition, Promise, described
from alula.types.errors import TaskError
from alula.types.transformer import split

Results = dict[Node, Mapping[str, Kept]]
"""What each node has given so far, by output name; the start node's are the workflow's inputs."""
Fetch = Callable[[Results, LocalRun], Kept]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One node, ready to run."""

    node: Node
    fetch: tuple[tuple[str, Fetch], ...]
    needs: tuple[Node, ...]
    arms: tuple[tuple[Arm, Fetch | None, tuple[Step, ...]], ...] = ()
    """Of a branch node: each arm, how to find out whether it holds (None: else), and its steps."""


@dataclass(frozen=True, slots=True)
class Plan:
    start: Node
    steps: tuple[Step, ...]
    outputs: tuple[Fetch, ...]


def plan(trace: Trace, outputs: Mapping[str, Bound]) -> Plan:
    """How to run a graph. Raises CompileError for a cycle, a doubled id, and what another workflow gave."""
    _check_ids(trace.nodes, trace.title)
    _check_own(trace, outputs)
    return Plan(trace.start, _steps(trace.nodes, trace.title), tuple(_fetch(bound) for bound in outputs.values()))


def execute(plan: Plan, inputs: Mapping[str, Kept], run: LocalRun, *, patient: bool = False) -> tuple[Kept, ...]:
    """Run every node once, dependencies first.

    Args:
        patient: After a failure, still run what does not depend on the failed node; then raise its error.

    Returns:
        The workflow's outputs, kept.
    """
    results: Results = {plan.start: inputs}
    failure: Exception | None = None
    for step in plan.steps:
        if failure is not None and not all(need in results for need in step.needs):
            continue
        try:
            _run(step, results, run)
        except Exception as exc:
            _mark(exc, step.node)
            if not patient:
                raise
            failure = failure or exc
    if failure is not None:
        raise failure
    return tuple(fetch(results, run) for fetch in plan.outputs)


def handle_failure(node: Node, inputs: Mapping[str, Kept], run: LocalRun, error: TaskError) -> None:
    """Run a failure node, giving `error` to the inputs that take one."""
    assert node.entity is not None
    start = next((p._node for p in _promises(node.bindings.values())), node)
    values = {name: _fetch(bound)({start: inputs}, run) for name, bound in node.bindings.items()}
    for name, one in node.entity.interface.inputs.items():
        if name not in inputs and _takes_error(one.type):
            values[name] = keep(error, one.converter, run.place)
    node.entity.perform(values, run, node)


def _takes_error(t: Any) -> bool:
    """Whether a declared type is that of errors, or optional and that."""
    base = split(t)[0]
    return base is TaskError or TaskError in get_args(base)


def nodes_of(trace: Trace) -> Iterator[Node]:
    """Every node, those inside branches included."""
    return _all(trace.nodes)


def used_inputs(trace: Trace) -> set[str]:
    """The workflow inputs that some node is bound to."""
    return {p._var for node in _all(trace.nodes) for p in _promises(node.bindings.values()) if p._node is trace.start}


def dependencies(node: Node) -> list[Node]:
    """The nodes that must end before this one, or an arm of it, can run."""
    found = upstream(node)
    if isinstance(node.entity, Branch):
        inner = {id(n) for arm in node.entity.arms for n in arm.nodes}
        found += [d for arm in node.entity.arms for n in arm.nodes for d in dependencies(n) if id(d) not in inner]
    return list(dict.fromkeys(found))


def upstream(node: Node) -> list[Node]:
    """The nodes that this one takes values from, compares, or was ordered after, arms of a branch not included."""
    found = [p._node for p in _promises(node.bindings.values())]
    if isinstance(node.entity, Branch):
        found += [p._node for arm in node.entity.arms for p in _operands(arm.condition)]
    return list(dict.fromkeys([*found, *node.upstream]))


def _run(step: Step, results: Results, run: LocalRun) -> None:
    node = step.node
    entity = node.entity
    assert entity is not None
    if step.arms:
        results[node] = _choose(step, results, run)
        return
    kept = {name: fetch(results, run) for name, fetch in step.fetch}
    if run.observe is None:
        outputs = entity.perform(kept, run, node)
    else:
        run.tell("started", node.title)
        try:
            outputs = entity.perform(kept, run, node)
        except Exception as exc:
            run.tell("failed", node.title, str(exc))
            raise
        run.tell("succeeded", node.title)
    results[node] = dict(zip(entity.interface.outputs, outputs, strict=True))


def _choose(step: Step, results: Results, run: LocalRun) -> Mapping[str, Kept]:
    branch = step.node.entity
    assert isinstance(branch, Branch)
    for arm, holds, steps in step.arms:
        if holds is None or _holds(holds, step.node, results, run):
            if arm.target is None:
                raise branch.no_match(arm)
            for inner in steps:
                _run(inner, results, run)
            return _through(arm.target, branch, results[arm.target], run)
    raise branch.no_match(None)


def _holds(condition: Fetch, node: Node, results: Results, run: LocalRun) -> bool:
    try:
        return bool(condition(results, run))
    except ConversionError as exc:
        exc.where = exc.where or f'conditional("{node.title}") ({node.where})'
        raise


def _through(target: Node, branch: Branch, given: Mapping[str, Kept], run: LocalRun) -> Mapping[str, Kept]:
    """The outputs of the arm that was taken, as those of the branch."""
    assert target.entity is not None
    theirs = target.entity.interface.outputs
    return {
        key: transfer(given[key], theirs[key].converter, one.converter, run.place)
        for key, one in branch.interface.outputs.items()
    }


def _steps(nodes: list[Node], title: str) -> tuple[Step, ...]:
    return tuple(_step(node, title) for node in _ordered(nodes, title))


def _step(node: Node, title: str) -> Step:
    arms: tuple[tuple[Arm, Fetch | None, tuple[Step, ...]], ...] = ()
    if isinstance(node.entity, Branch):
        arms = tuple(
            (arm, None if arm.condition is None else _predicate(arm.condition), _steps(arm.nodes, title))
            for arm in node.entity.arms
        )
    fetch = tuple((name, _fetch(bound)) for name, bound in node.bindings.items())
    return Step(node, fetch, tuple(dependencies(node)), arms)


def _check_own(trace: Trace, outputs: Mapping[str, Bound]) -> None:
    """Promises that the body kept from another reading, in a global say, name other nodes here. Raises CompileError."""
    own = {trace.start, *_all(trace.nodes)}
    used = [
        (need, f"node {node.id} ({node.title})", node.where) for node in _all(trace.nodes) for need in upstream(node)
    ]
    used += [(promise._node, "an output", "") for promise in _promises(outputs.values())]
    for need, what, where in used:
        if need not in own:
            raise CompileError(
                f"{what} of workflow '{trace.title}' needs {need.id} ({need.title}), which is of another workflow",
                where=where,
                fix="pass the value as an input, or call the task in this workflow",
            )


def _check_ids(nodes: list[Node], title: str) -> None:
    """Nodes of a workflow, and those of a branch, are told apart by their ids. Raises CompileError."""
    found: dict[str, Node] = {}
    for node in nodes:
        other = found.setdefault(node.id, node)
        if other is not node:
            raise CompileError(
                f"workflow '{title}' has two nodes with the id '{node.id}': {other.title} and {node.title}",
                where=f"{node.where}; before at {other.where}",
                fix="give one of them another name: with_overrides(node_name=...)",
            )
        if isinstance(node.entity, Branch):
            _check_ids([inner for arm in node.entity.arms for inner in arm.nodes], title)


def _ordered(nodes: list[Node], title: str) -> list[Node]:
    """Dependencies first, else in the order of the program. Raises CompileError that names a cycle."""
    inside = set(nodes)
    waiting = {node: [d for d in dependencies(node) if d in inside] for node in nodes}
    if all(nodes.index(d) < i for i, node in enumerate(nodes) for d in waiting[node]) if len(nodes) < 50 else False:
        return nodes
    done: dict[Node, None] = {}
    for node in nodes:
        _visit(node, waiting, done, title)
    return list(done)


def _visit(first: Node, waiting: Mapping[Node, list[Node]], done: dict[Node, None], title: str) -> None:
    """Depth first without recursion: a chain may be longer than Python's stack."""
    path: dict[Node, Iterator[Node]] = {}
    if first not in done:
        path[first] = iter(waiting[first])
    while path:
        node = next(reversed(path))
        for need in path[node]:
            if need in path:
                names = [*list(path)[list(path).index(need) :], need]
                raise CompileError(
                    f"workflow '{title}' has a cycle: " + " after ".join(f"{n.id} ({n.title})" for n in names),
                    where=need.where,
                    fix="remove one of the `>>` between them",
                )
            if need not in done:
                path[need] = iter(waiting[need])
                break
        else:
            del path[node]
            done[node] = None


def _fetch(bound: Bound) -> Fetch:
    """How to get the kept value of a binding, in the form of its own declared type."""
    match bound:
        case Constant(value, converter):
            if converter.copy is not None:
                return lambda results, run: value
            return lambda results, run: keep(value, converter, run.place)
        case Reference():
            return _reference(bound)
        case ListOf(items, converter):
            fetches = [(_fetch(item), item.converter) for item in items]
            if converter.copy is not None:
                return lambda results, run: [fetch(results, run) for fetch, _ in fetches]
            return lambda results, run: keep(
                [fresh(fetch(results, run), c, run.place) for fetch, c in fetches], converter, run.place
            )
        case DictOf(entries, converter):
            named = {key: (_fetch(item), item.converter) for key, item in entries.items()}
            if converter.copy is not None:
                return lambda results, run: {key: fetch(results, run) for key, (fetch, _) in named.items()}
            return lambda results, run: keep(
                {key: fresh(fetch(results, run), c, run.place) for key, (fetch, c) in named.items()},
                converter,
                run.place,
            )


def _reference(bound: Reference) -> Fetch:
    promise, source, target = bound.promise, bound.source, bound.converter
    node, var, path = promise._node, promise._var, promise._path
    if source is None:
        raise CompileError(f"{promise!r} comes from an output that nobody declared", where=node.where)
    if not path and source is target:
        return lambda results, run: results[node][var]
    if not path:
        return lambda results, run: transfer(results[node][var], source, target, run.place)

    def inside(results: Results, run: LocalRun) -> Kept:
        whole = literal_of(results[node][var], source, run.place)
        try:
            return kept_of(literals.resolve(whole, path), target, run.place)
        except ConversionError as exc:
            raise type(exc)(exc.about(described(promise)), where=exc.where, fix=exc.fix) from exc

    return inside


def _predicate(condition: Condition) -> Fetch:
    if isinstance(condition, Comparison):
        compare, left, right = _COMPARE[condition.op], _operand(condition.left), _operand(condition.right)

        def holds(results: Results, run: LocalRun) -> bool:
            one, other = left(results, run), right(results, run)
            try:
                return compare(one, other)
            except TypeError as exc:
                raise ConversionError(
                    f"a condition compares {one!r:.80} {condition.op} {other!r:.80}, which has no answer",
                    fix="ask x.is_none() in a branch before, or decide in a @task that returns a bool",
                ) from exc

        return holds
    one, other = _predicate(condition.left), _predicate(condition.right)
    if condition.op == "and":
        return lambda results, run: one(results, run) and other(results, run)
    return lambda results, run: one(results, run) or other(results, run)


def _operand(value: Any) -> Fetch:
    """A comparable Python value: an enum member counts as its string, as on the wire."""
    if not isinstance(value, Promise):
        constant = _comparable(value)
        return lambda results, run: constant
    node, var, path = value._node, value._var, value._path
    declared = (node.inputs if node.entity is None else node.entity.interface.outputs)[var].converter

    def operand(results: Results, run: LocalRun) -> Any:
        kept = results[node][var]
        if path or declared.copy is None:
            return _plain(literals.resolve(literal_of(kept, declared, run.place), path))
        return kept.value if isinstance(kept, Enum) else kept

    return operand


def _comparable(constant: Any) -> Any:
    """A constant as it would come back from the wire: enums are their strings, naive times UTC."""
    if isinstance(constant, Enum):
        return constant.value
    if isinstance(constant, datetime) and constant.tzinfo is None:
        return constant.replace(tzinfo=UTC)
    return constant


def _plain(lit: Literal) -> Any:
    """The Python value of a primitive literal, or None."""
    lit = literals.unpacked(lit)
    match literals.kind(lit):
        case "none_type":
            return None
        case "datetime":
            return literals.to_datetime(lit)
        case "duration":
            return literals.to_timedelta(lit)
        case "integer" | "float_value" | "string_value" | "boolean" as kind:
            return getattr(lit.scalar.primitive, kind)
        case other:
            raise ConversionError(
                f"a condition compares a literal of kind {other}", fix="compare primitive values, or decide in a @task"
            )


def _promises(bounds: Iterable[Bound]) -> Iterator[Promise]:
    for bound in bounds:
        match bound:
            case Reference(promise):
                yield promise
            case ListOf(items):
                yield from _promises(items)
            case DictOf(entries):
                yield from _promises(entries.values())


def _operands(condition: Condition | None) -> Iterator[Promise]:
    if isinstance(condition, Comparison):
        yield from (side for side in (condition.left, condition.right) if isinstance(side, Promise))
    elif condition is not None:
        yield from _operands(condition.left)
        yield from _operands(condition.right)


def _all(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        if isinstance(node.entity, Branch):
            for arm in node.entity.arms:
                yield from _all(arm.nodes)


def _mark(exc: Exception, node: Node) -> None:
    """Remember on the error at which node it came up; the innermost one counts."""
    if isinstance(exc, AlulaError) and not exc.where:
        exc.where = f"call of '{node.title}' ({node.where})"
    exc.__dict__.setdefault("node_id", node.id)  # no attribute is set: a frozen exception refuses that
