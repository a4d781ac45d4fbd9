"""Edges: what a binding refers to, and whether what comes from there fits where it goes.

Every check adds to a list of faults, one line each, that starts with a path: `n3.inputs.x[2]`, `outputs.o0`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from alula.errors import ConversionError
from alula.idl import Binding, BindingData, LiteralType, OutputReference, SimpleType, UnionType
from alula.idl import Literal as LiteralMessage
from alula.idl.casting import why_not, why_unfit
from alula.idl.literals import path_text
from alula.idl.types import accepts_none, type_at, type_text

START, END = "start-node", "end-node"
"""Ids of the two nodes that Flyte adds to a compiled workflow. A promise of the empty node id is of the first."""

Types = Mapping[str, LiteralType | None]
"""Variables by name; None for one whose type nothing tells."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the bindings of one workflow may refer to, and the list that its faults go to."""

    faults: list[str]
    outputs: dict[str, Types | None] = field(default_factory=dict)
    """By node id; None while nothing is known of them (what the node calls is missing, or it is part of a cycle)."""
    described: dict[str, str] = field(default_factory=dict)
    """What a message calls a node: `n3 (task pipelines.fit)`."""
    signals: dict[str, LiteralType] = field(default_factory=dict)
    """The types that gates wait for, by signal id."""

    def fault(self, path: str, text: str) -> None:
        self.faults.append(f"{path}: {text}")


def promises(data: BindingData) -> Iterator[OutputReference]:
    """Every promise in a binding, at whatever depth."""
    match data.WhichOneof("value"):
        case "promise":
            yield data.promise
        case "collection":
            for item in data.collection.bindings:
                yield from promises(item)
        case "map":
            for item in data.map.bindings.values():
                yield from promises(item)


def node_id(promise: OutputReference) -> str:
    return promise.node_id or START


def check_inputs(
    bindings: Iterable[Binding],
    declared: Mapping[str, LiteralType],
    path: str,
    scope: Scope,
    *,
    owner: str,
    optional: Collection[str] = (),
) -> None:
    """Add the faults of a node's inputs, or a workflow's outputs: each declared one bound once, and no other.

    Args:
        owner: Who declares them, for messages: `task pipelines.fit`.
        optional: Names that may be left out; what accepts None always may.
    """
    what = "output" if path == "outputs" else "input"
    bound: set[str] = set()
    for binding in bindings:
        at = f"{path}.{binding.var}"
        if binding.var in bound:
            scope.fault(at, "is bound twice")
            continue
        bound.add(binding.var)
        if binding.var not in declared:
            has = f"it has {', '.join(sorted(declared))}" if declared else "it has none"
            scope.fault(at, f"{owner} has no {what} {binding.var}; {has}")
            check_binding(binding.binding, None, at, scope)
        else:
            check_binding(binding.binding, declared[binding.var], at, scope)
    for name in sorted(set(declared) - bound):
        if name not in optional and not accepts_none(declared[name]):
            scope.fault(f"{path}.{name}", f"is not bound; {owner} declares {type_text(declared[name])}")


def bound_types(bindings: Iterable[Binding], path: str, scope: Scope) -> Types:
    """The types of inputs that nothing declares: those of a branch or of an approval. Adds their faults."""
    types: dict[str, LiteralType | None] = {}
    first: dict[str, BindingData] = {}
    for binding in bindings:
        at = f"{path}.{binding.var}"
        if first.setdefault(binding.var, binding.binding) != binding.binding:
            scope.fault(at, "is bound twice")
            continue
        types[binding.var] = check_binding(binding.binding, None, at, scope)
    return types


def check_binding(data: BindingData, expected: LiteralType | None, path: str, scope: Scope) -> LiteralType | None:
    """The type of what is bound, None if unknown; adds a fault for everything in it that does not fit `expected`."""
    match data.WhichOneof("value"):
        case "promise":
            return _check_promise(data.promise, expected, path, scope)
        case "collection" | "map" if expected is not None and expected.WhichOneof("type") == "union_type":
            return _check_variants(data, expected, path, scope)
        case "collection":
            return _check_collection(data, expected, path, scope)
        case "map":
            return _check_map(data, expected, path, scope)
        case "scalar":
            return _check_constant(LiteralMessage(scalar=data.scalar), expected, path, scope)
        case "offloaded_metadata":
            return _check_constant(LiteralMessage(offloaded_metadata=data.offloaded_metadata), expected, path, scope)
        case _:
            scope.fault(path, "is bound to nothing")
            return None


def _check_promise(
    promise: OutputReference, expected: LiteralType | None, path: str, scope: Scope
) -> LiteralType | None:
    upstream = node_id(promise)
    if upstream not in scope.outputs:
        scope.fault(path, f"there is no node {upstream}")
        return None
    outputs = scope.outputs[upstream]
    if outputs is None:
        return None
    if promise.var not in outputs:
        has = f"it has {', '.join(sorted(outputs))}" if outputs else "it has none"
        kind = "input" if upstream == START else "output"
        scope.fault(path, f"{scope.described[upstream]} has no {kind} {promise.var}; {has}")
        return None
    source = f"{'inputs' if upstream == START else upstream}.{promise.var}{path_text(promise.attr_path)}"
    found = outputs[promise.var]
    if found is None:
        return None
    try:
        found = type_at(found, promise.attr_path)
    except ConversionError as exc:
        scope.fault(path, f"{exc.what} (from {source})")
        return None
    if found is not None and expected is not None and (reason := why_not(found, expected)):
        scope.fault(path, f"{reason} (from {source})")
    return found


def _check_constant(lit: LiteralMessage, expected: LiteralType | None, path: str, scope: Scope) -> LiteralType | None:
    if expected is not None:
        if reason := why_unfit(lit, expected):
            scope.fault(path, reason)
        return expected
    return type_of(lit)


def type_of(lit: LiteralMessage) -> LiteralType | None:
    """The type of a constant, where its value alone tells."""
    if lit.scalar.HasField("binary"):
        return None
    return next((t for t in _TOLD_BY_VALUE if not why_unfit(lit, t)), None)


_TOLD_BY_VALUE = [
    LiteralType(simple=simple)
    for simple in (
        SimpleType.NONE,
        SimpleType.INTEGER,
        SimpleType.FLOAT,
        SimpleType.STRING,
        SimpleType.BOOLEAN,
        SimpleType.DATETIME,
        SimpleType.DURATION,
    )
]


def _check_collection(data: BindingData, expected: LiteralType | None, path: str, scope: Scope) -> LiteralType | None:
    element: LiteralType | None = None
    if expected is not None:
        if expected.WhichOneof("type") == "collection_type":
            element = expected.collection_type
        elif expected.WhichOneof("type") is not None:
            scope.fault(path, f"expected {type_text(expected)}, got a list")
    found = [check_binding(item, element, f"{path}[{nth}]", scope) for nth, item in enumerate(data.collection.bindings)]
    merged = merged_type(found)
    return LiteralType(collection_type=merged) if merged is not None else None


def _check_map(data: BindingData, expected: LiteralType | None, path: str, scope: Scope) -> LiteralType | None:
    value: LiteralType | None = None
    if expected is not None:
        if expected.WhichOneof("type") == "map_value_type":
            value = expected.map_value_type
        elif expected.WhichOneof("type") is not None:
            scope.fault(path, f"expected {type_text(expected)}, got a dict")
    entries = sorted(data.map.bindings.items())
    found = [check_binding(item, value, f"{path}[{key!r}]", scope) for key, item in entries]
    merged = merged_type(found)
    return LiteralType(map_value_type=merged) if merged is not None else None


def _check_variants(data: BindingData, expected: LiteralType, path: str, scope: Scope) -> LiteralType | None:
    """A list or dict for a union: the faults of the only variant of its shape, or one for all."""
    shape = "collection_type" if data.WhichOneof("value") == "collection" else "map_value_type"
    candidates = [v for v in expected.union_type.variants if v.WhichOneof("type") in (shape, "union_type")]
    trials: list[list[str]] = []
    for variant in candidates:
        trial = Scope([], scope.outputs, scope.described, scope.signals)
        found = check_binding(data, variant, path, trial)
        if not trial.faults:
            return found
        trials.append(trial.faults)
    if len(trials) == 1:
        scope.faults.extend(trials[0])
    else:
        got = "a list" if shape == "collection_type" else "a dict"
        scope.fault(path, f"expected {type_text(expected)}, got {got}" + " that fits none of them" * bool(trials))
    return None


def merged_type(types: Iterable[LiteralType | None]) -> LiteralType | None:
    """The one type of several values, or the union of theirs; None when one is unknown, or there is no value."""
    distinct: list[LiteralType] = []
    for t in types:
        if t is None:
            return None
        if t not in distinct:
            distinct.append(t)
    if len(distinct) > 1:
        return LiteralType(union_type=UnionType(variants=distinct))
    return distinct[0] if distinct else None
