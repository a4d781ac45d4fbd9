"""The inputs of nodes and the outputs of workflows: promises to values.

A value that nobody looks into is passed by reference, wherever it lies. One that must be looked into (an attribute of
it is taken, a condition compares it, an array maps over it) is fetched: `Missing` says what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from google.protobuf.message import DecodeError

from alula.compiler.bindings import START
from alula.engine.execution import Execution
from alula.engine.plan import Graph, Kind, NodePlan
from alula.engine.state import ROOT, Failure, Ref, Values, child, index_of, parent
from alula.errors import ConversionError
from alula.idl import Binding, BindingData, Literal, LiteralMap, LiteralType, OutputReference, SimpleType, literals
from alula.idl.bulk import collection_of_constants

Look = Callable[[str], bool]
M = TypeVar("M", LiteralMap, Literal)


class Missing(Exception):
    """Bytes that must be read first."""

    def __init__(self, *uris: str) -> None:
        super().__init__(*uris)
        self.uris = uris


def never(name: str) -> bool:
    return False


def always(name: str) -> bool:
    return True


def node_inputs(x: Execution, path: str, plan: NodePlan, look: Look = never) -> Values:
    """The inputs of a node.

    Args:
        look: Of which inputs the value itself is needed.

    Raises:
        Missing: Something must be fetched first.
        ConversionError: A promise leads nowhere.
    """
    if path == ROOT:
        return x.inputs
    if path.endswith("]"):
        return _element_inputs(x, path)
    if path in x.prepared and look is never:
        return x.prepared[path]
    values = _bound(x, x.scope_of(path), plan.bindings, look)
    return _with_error(x, path, plan, values)


def workflow_outputs(x: Execution, path: str, graph: Graph) -> Values:
    """The outputs of a workflow whose nodes have ended. Raises as `node_inputs` does."""
    return _bound(x, path, graph.outputs, never)


def scope_inputs(x: Execution, path: str) -> Values:
    """The inputs of a composite, worked out once."""
    if path not in x.given:
        plan = x.plan_of(path)
        x.given[path] = node_inputs(x, path, plan, mapped(plan) if plan.kind is Kind.ARRAY else never)
    return x.given[path]


def mapped(array: NodePlan) -> Look:
    """Which inputs of an array may be lists that it maps over."""
    bound = set(array.node.array_node.bound_inputs)
    return lambda name: name not in bound


def lists(x: Execution, path: str) -> Mapping[str, Literal]:
    """The lists that an array maps over, by input."""
    if path not in x.lists:
        wanted = mapped(x.plan_of(path))
        values = sorted(scope_inputs(x, path).literals().items())
        x.lists[path] = {name: lit for name, lit in values if wanted(name) and lit.HasField("collection")}
    return x.lists[path]


def _element_inputs(x: Execution, path: str) -> Values:
    array = parent(path)
    whole = scope_inputs(x, array)
    nth, over = index_of(path), lists(x, array)
    items = {name: lit.collection.literals[nth] if name in over else lit for name, lit in whole.literals().items()}
    if not x.plan_of(array).node.array_node.is_original_sub_node_interface.value:
        # The task takes its item from a list itself. It gets lists of that one item: whole ones for each of 50,000
        # elements would be too much for anybody.
        items = {name: literals.collection([lit]) if name in over else lit for name, lit in items.items()}
    return Values.of(items, whole.refs)


def _bound(x: Execution, scope: str, bindings: Iterable[Binding], look: Look) -> Values:
    message, refs, missing = LiteralMap(), list[Ref](), list[str]()
    for binding in bindings:
        try:
            found = _value(x, scope, binding.binding, look(binding.var))
        except Missing as exc:
            missing.extend(exc.uris)
            continue
        except ConversionError as exc:
            raise exc.inside(f"{binding.var}") from exc
        if isinstance(found, Ref):
            refs.append(Ref(binding.var, found.uri, found.var))
        else:
            message.literals[binding.var].CopyFrom(found)
    if missing:
        raise Missing(*missing)
    return Values(message.SerializeToString(deterministic=True), tuple(refs))


def _value(x: Execution, scope: str, data: BindingData, look: bool) -> Literal | Ref:
    match data.WhichOneof("value"):
        case "scalar":
            return Literal(scalar=data.scalar)
        case "offloaded_metadata":
            return _seen(x, Literal(offloaded_metadata=data.offloaded_metadata), look)
        case "promise":
            return _promise(x, scope, data.promise, look)
        case "collection":
            if (constants := collection_of_constants(data.collection)) is not None:
                return constants
            return literals.collection(_parts(x, scope, data.collection.bindings))
        case "map":
            names = sorted(data.map.bindings)  # the message keeps no order
            parts = _parts(x, scope, [data.map.bindings[name] for name in names])
            return literals.mapping(dict(zip(names, parts, strict=True)))
        case _:
            raise ConversionError("is bound to nothing")


def _parts(x: Execution, scope: str, items: Iterable[BindingData]) -> list[Literal]:
    """Values that become part of another, and so must be there themselves."""
    found, missing = list[Literal](), list[str]()
    for item in items:
        try:
            found.append(_loaded(x, _value(x, scope, item, False)))
        except Missing as exc:
            missing.extend(exc.uris)
    if missing:
        raise Missing(*missing)
    return found


def _promise(x: Execution, scope: str, promise: OutputReference, look: bool) -> Literal | Ref:
    source = _source(x, scope, promise)
    if not promise.attr_path:
        return _seen(x, _loaded(x, source), look) if look else source
    lit = _loaded(x, source)
    for nth, step in enumerate(promise.attr_path):
        lit = _seen(x, lit, True)
        if literals.kind(lit) in ("generic", "binary"):  # nothing in these lies elsewhere
            return literals.resolve(lit, promise.attr_path[nth:])
        lit = literals.resolve(lit, [step])
    return _seen(x, lit, look)


def _source(x: Execution, scope: str, promise: OutputReference) -> Literal | Ref:
    if promise.node_id in ("", START):
        found = scope_inputs(x, scope).get(promise.var)
        return found if found is not None else literals.none()  # an input that may be None, and was left out
    path = child(scope, promise.node_id)
    row = x.nodes.get(path)
    if row is None or row.outputs is None:
        raise ConversionError(f"node {promise.node_id} gave no outputs")
    found = row.outputs.get(promise.var)
    if found is None:
        found = row.outputs.get(x.plan_of(path).aliases.get(promise.var, ""))
    if found is None:
        raise ConversionError(f"node {promise.node_id} gave no output {promise.var!r}")
    return found


def _loaded(x: Execution, source: Literal | Ref) -> Literal:
    if isinstance(source, Literal):
        return source
    if source.uri not in x.fetched:
        raise Missing(source.uri)
    values = _read(LiteralMap, x.fetched[source.uri], source.uri).literals
    if source.var not in values:
        raise ConversionError(f"there is no {source.var!r} in {source.uri}")
    return values[source.var]


def _seen(x: Execution, lit: Literal, look: bool) -> Literal:
    """The literal itself, read from where it was offloaded to if somebody looks."""
    followed: set[str] = set()
    while look and lit.HasField("offloaded_metadata"):
        uri = lit.offloaded_metadata.uri
        if uri in followed:
            raise ConversionError(f"{uri} says that its value lies in {uri}")
        if uri not in x.fetched:
            raise Missing(uri)
        followed.add(uri)
        lit = _read(Literal, x.fetched[uri], uri)
    return lit


def _read(kind: type[M], data: bytes, uri: str) -> M:
    """A message of some bytes that were fetched. Raises ConversionError."""
    try:
        return kind.FromString(data)
    except DecodeError as exc:
        raise ConversionError(f"{uri} is damaged, and holds no values: {exc}") from exc


def _with_error(x: Execution, path: str, plan: NodePlan, values: Values) -> Values:
    """The inputs of a failure node: those of type error get the failure."""
    owner = x.nodes.get(parent(path))
    if owner is None or owner.failure is None:
        return values
    graph, failing = x.graph_of(parent(path)), owner.failure
    if graph is None or graph.failure is not plan:
        return values
    errors = {}
    for name, variable in plan.interface.inputs.variables.items():
        variant = _error_variant(variable.type)
        if variant is not None:
            errors[name] = _error_literal(failing, parent(path), variable.type, variant)
    return Values.of({**values.literals(), **errors}, values.refs) if errors else values


def _error_variant(t: LiteralType) -> LiteralType | None:
    candidates = t.union_type.variants if t.HasField("union_type") else [t]
    return next((one for one in candidates if one.simple == SimpleType.ERROR), None)


def _error_literal(failure: Failure, scope: str, t: LiteralType, variant: LiteralType) -> Literal:
    id = failure.path.removeprefix(f"{scope}/") if scope else failure.path  # as the workflow itself calls the node
    plain = literals.error(failure.message, failed_node_id=id)
    return literals.union(plain, variant) if t.HasField("union_type") else plain
