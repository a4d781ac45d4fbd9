"""Which types and values may flow where: the rules of every edge of a workflow.

Flyte's rules (flyteidl types, flytepropeller's type checks and flytekit's, which differ), with each case decided so
that only what cannot fit is refused: a value from upstream meets its real check when it is read.
"""

from __future__ import annotations

from alula.idl import Literal, LiteralType, SimpleType, UnionType
from alula.idl import literals as build
from alula.idl.types import columns_of, type_text

_PRIMITIVES: dict[str, SimpleType] = {
    "integer": SimpleType.INTEGER,
    "float_value": SimpleType.FLOAT,
    "string_value": SimpleType.STRING,
    "boolean": SimpleType.BOOLEAN,
    "datetime": SimpleType.DATETIME,
    "duration": SimpleType.DURATION,
}
_MAY_BE_PACKED = ("simple", "collection_type", "map_value_type", "enum_type")
_TABLES = ("structured_dataset_type", "schema")


def castable(upstream: LiteralType, downstream: LiteralType) -> bool:
    """Whether a value of the one type may be given where the other is declared."""
    return not why_not(upstream, downstream)


def why_not(upstream: LiteralType, downstream: LiteralType) -> str:
    """Why a value of the one type does not fit the other, in words; empty when it does."""
    if upstream == downstream:
        return ""
    up, down = upstream.WhichOneof("type"), downstream.WhichOneof("type")
    if up is None or down is None:
        return ""
    if up == "union_type":
        return _from_union(upstream.union_type, downstream)
    if down == "union_type":
        if any(castable(upstream, variant) for variant in downstream.union_type.variants):
            return ""
        return _mismatch(upstream, downstream)
    if up == down == "collection_type":
        return _of_elements(upstream.collection_type, downstream.collection_type, "element")
    if up == down == "map_value_type":
        return _of_elements(upstream.map_value_type, downstream.map_value_type, "value")
    if up in _TABLES and down in _TABLES:
        return _of_tables(upstream, downstream)
    if _same_or_text(upstream, downstream):
        return ""
    return _mismatch(upstream, downstream)


def _same_or_text(upstream: LiteralType, downstream: LiteralType) -> bool:
    """Equality of what is left: metadata, structure and annotation describe a type and do not make another one."""
    match (upstream.WhichOneof("type"), downstream.WhichOneof("type")):
        case ("simple", "simple"):
            return upstream.simple == downstream.simple
        case ("enum_type", "simple"):
            return downstream.simple == SimpleType.STRING
        case ("simple", "enum_type"):
            return upstream.simple == SimpleType.STRING
        case ("enum_type", "enum_type"):
            return set(upstream.enum_type.values) <= set(downstream.enum_type.values)
        case ("blob", "blob"):
            same_shape = upstream.blob.dimensionality == downstream.blob.dimensionality
            return same_shape and _formats_fit(upstream.blob.format, downstream.blob.format)
        case _:
            return False


def _formats_fit(upstream: str, downstream: str) -> bool:
    """Whether bytes of one format may be read as another: equal, or one side leaves it open.

    A file whose format nobody stated may well be a csv, but no pickle or array: formats that name an encoding of a
    Python object are written in camel case, and only their own transformer writes them.
    """
    if upstream == downstream or not downstream:
        return True
    return not upstream and downstream == downstream.lower()


def _from_union(union: UnionType, downstream: LiteralType) -> str:
    """Every variant must fit, or the value that comes may not."""
    for variant in union.variants:
        if reason := why_not(variant, downstream):
            return f"it may be {type_text(variant)}: {reason}"
    return ""


def _of_elements(upstream: LiteralType, downstream: LiteralType, what: str) -> str:
    if upstream.WhichOneof("type") == "simple" and upstream.simple == SimpleType.NONE:
        return ""  # what an empty list or dict is declared as when nothing is known of its elements
    reason = why_not(upstream, downstream)
    return f"{what}: {reason}" if reason else ""


def _of_tables(upstream: LiteralType, downstream: LiteralType) -> str:
    formats = [_table_format(upstream), _table_format(downstream)]
    if all(formats) and formats[0] != formats[1]:
        return f"expected a table in {formats[1]}, got one in {formats[0]}"
    has, wants = columns_of(upstream), columns_of(downstream)
    if not has or not wants:
        return ""
    missing = [name for name in wants if name not in has]
    if missing:
        return f"the table has no column {', '.join(missing)}; it has {', '.join(has)}"
    for name, wanted in wants.items():
        if reason := why_not(has[name], wanted):
            return f"column {name}: {reason}"
    return ""


def _table_format(t: LiteralType) -> str:
    return "parquet" if t.HasField("schema") else t.structured_dataset_type.format.lower()


def _mismatch(upstream: LiteralType, downstream: LiteralType) -> str:
    return f"expected {type_text(downstream)}, got {type_text(upstream)}"


def why_unfit(lit: Literal, t: LiteralType) -> str:
    """Why a value does not fit a declared type, with the place inside it; empty when it does.

    Data in msgpack is taken for any type but blobs and tables: attribute access cuts values of all types out of it.
    """
    declared = t.WhichOneof("type")
    if declared is None:
        return ""
    kind = build.kind(lit)
    if kind == "union":
        return why_unfit(lit.scalar.union.value, t)
    if declared == "union_type":
        if any(not why_unfit(lit, variant) for variant in t.union_type.variants):
            return ""
        return _unfit(lit, kind, t)
    match kind:
        case "collection" if declared == "collection_type":
            return _unfit_elements(lit, t.collection_type)
        case "map" if declared == "map_value_type":
            entries = ((f"[{k!r}]", v) for k, v in lit.map.literals.items())
            return next((f"{at}: {why}" for at, v in entries if (why := why_unfit(v, t.map_value_type))), "")
        case "offloaded_metadata":
            return why_not(lit.offloaded_metadata.inferred_type, t)
        case "string_value" if declared == "enum_type":
            value = lit.scalar.primitive.string_value
            allowed = list(t.enum_type.values)
            return "" if value in allowed else f"{value!r} is none of {', '.join(map(repr, allowed))}"
        case "blob" if declared == "blob":
            stored = LiteralType(blob=lit.scalar.blob.metadata.type)
            return why_not(stored, t)
        case "structured_dataset" if declared in _TABLES:
            stored = LiteralType(structured_dataset_type=lit.scalar.structured_dataset.metadata.structured_dataset_type)
            return why_not(stored, t)
        case "schema" if declared in _TABLES:
            return why_not(LiteralType(schema=lit.scalar.schema.type), t)
    return "" if _scalar_fits(kind, t) else _unfit(lit, kind, t)


def _unfit_elements(lit: Literal, element: LiteralType) -> str:
    elements = enumerate(lit.collection.literals)
    return next((f"[{nth}]: {why}" for nth, e in elements if (why := why_unfit(e, element))), "")


def _scalar_fits(kind: str, t: LiteralType) -> bool:
    declared = t.WhichOneof("type")
    simple = t.simple if declared == "simple" else None
    match kind:
        case "none_type":
            return simple == SimpleType.NONE
        case "binary":
            return declared in _MAY_BE_PACKED and simple != SimpleType.NONE
        case "generic":
            return simple == SimpleType.STRUCT
        case "error":
            return simple == SimpleType.ERROR
        case _:
            return kind in _PRIMITIVES and simple == _PRIMITIVES[kind]


def _unfit(lit: Literal, kind: str, t: LiteralType) -> str:
    if kind in _PRIMITIVES:
        got = f"{type_text(LiteralType(simple=_PRIMITIVES[kind]))} {_shown(lit, kind)}"
    else:
        got = {"collection": "a list", "map": "a dict", "none_type": "None", "": "nothing"}.get(kind, kind)
    return f"expected {type_text(t)}, got {got}"


def _shown(lit: Literal, kind: str) -> str:
    if kind == "datetime":
        return build.to_datetime(lit).isoformat()
    if kind == "duration":
        return str(build.to_timedelta(lit))
    shown = repr(getattr(lit.scalar.primitive, kind))
    return shown if len(shown) <= 40 else shown[:37] + "..."
