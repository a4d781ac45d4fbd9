"""Literal types: how they read, what lies at a path of one, and which value or type fits into which.

The rule of every check here: refuse what cannot fit, accept what may. A type that is unknown or says less (an empty
format, a table without columns, a STRUCT without fields) is no reason to refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from alula.errors import ConversionError
from alula.idl import BlobType, LiteralType, PromiseAttribute, SchemaType, SimpleType, Struct, UnionType, Value
from alula.idl.literals import path_text

_NAMES: dict[int, str] = {
    SimpleType.NONE: "None",
    SimpleType.INTEGER: "int",
    SimpleType.FLOAT: "float",
    SimpleType.STRING: "str",
    SimpleType.BOOLEAN: "bool",
    SimpleType.DATETIME: "datetime",
    SimpleType.DURATION: "timedelta",
    SimpleType.BINARY: "bytes",
    SimpleType.ERROR: "Error",
}
_FROM_JSON: dict[str, SimpleType] = {
    "integer": SimpleType.INTEGER,
    "number": SimpleType.FLOAT,
    "string": SimpleType.STRING,
    "boolean": SimpleType.BOOLEAN,
}


def type_text(t: LiteralType, *, most: int = 8) -> str:
    """A type as one would say it in Python: `list[int]`, `Point(x: int, y: float)`, `file[csv]`, `str | None`.

    Args:
        most: How many fields or columns are listed before the rest is three dots.
    """
    match t.WhichOneof("type"):
        case "simple" if t.simple == SimpleType.STRUCT:
            return _struct_text(t, most)
        case "simple":
            allowed = t.annotation.annotations.fields.get("literal_values")
            if allowed is None:
                return _NAMES.get(t.simple, "unknown")
            return f"Literal[{', '.join(map(_constant_text, allowed.list_value.values))}]"
        case "collection_type":
            return f"list[{type_text(t.collection_type, most=most)}]"
        case "map_value_type":
            return f"dict[str, {type_text(t.map_value_type, most=most)}]"
        case "union_type":
            variants = [type_text(v, most=most) for v in t.union_type.variants]
            return " | ".join(sorted(dict.fromkeys(variants), key=lambda v: v == "None")) or "an empty union"
        case "enum_type":
            return f"enum[{', '.join(map(repr, t.enum_type.values))}]"
        case "blob":
            return _blob_text(t)
        case "structured_dataset_type":
            format = t.structured_dataset_type.format
            return "dataset" + (f"[{format}]" if format else "") + _fields_text(columns_of(t), most)
        case "schema":
            return "schema" + _fields_text(columns_of(t), most)
        case _:
            return "unknown"


def _constant_text(value: Value) -> str:
    kind = value.WhichOneof("kind") or "null_value"
    if kind == "number_value" and value.number_value.is_integer():
        return str(int(value.number_value))
    return "None" if kind == "null_value" else repr(getattr(value, kind))


def _struct_text(t: LiteralType, most: int) -> str:
    fields = t.structure.dataclass_type
    title = t.metadata.fields["title"].string_value if "title" in t.metadata.fields else ""
    if "pb_type" in t.metadata.fields:
        return t.metadata.fields["pb_type"].string_value
    return (title or "dict") + _fields_text({name: fields[name] for name in sorted(fields)}, most)


def _fields_text(fields: Mapping[str, LiteralType], most: int) -> str:
    shown = [f"{name}: {type_text(t, most=most)}" for name, t in islice(fields.items(), most)]
    return f"({', '.join([*shown, *['...'] * (len(fields) > most)])})" if shown else ""


def _blob_text(t: LiteralType) -> str:
    if "python_class_name" in t.metadata.fields:
        return f"pickle[{t.metadata.fields['python_class_name'].string_value}]"
    base = "directory" if t.blob.dimensionality == BlobType.MULTIPART else "file"
    return f"{base}[{t.blob.format}]" if t.blob.format else base


def columns_of(t: LiteralType) -> dict[str, LiteralType]:
    """The columns of a table by name, in order; of a `schema` too, which has column types of its own."""
    if t.HasField("schema"):
        return {c.name: LiteralType(simple=_COLUMN_TYPES[c.type]) for c in t.schema.columns}
    return {c.name: c.literal_type for c in t.structured_dataset_type.columns}


_COLUMN_TYPES: dict[int, SimpleType] = {
    SchemaType.SchemaColumn.INTEGER: SimpleType.INTEGER,
    SchemaType.SchemaColumn.FLOAT: SimpleType.FLOAT,
    SchemaType.SchemaColumn.STRING: SimpleType.STRING,
    SchemaType.SchemaColumn.BOOLEAN: SimpleType.BOOLEAN,
    SchemaType.SchemaColumn.DATETIME: SimpleType.DATETIME,
    SchemaType.SchemaColumn.DURATION: SimpleType.DURATION,
}


def accepts_none(t: LiteralType) -> bool:
    """Whether None is a value of the type: it is None's type, or a union that holds that."""
    if t.WhichOneof("type") == "union_type":
        return any(map(accepts_none, t.union_type.variants))
    return t.WhichOneof("type") == "simple" and t.simple == SimpleType.NONE


def type_at(t: LiteralType, path: Iterable[PromiseAttribute | str | int]) -> LiteralType | None:
    """The type of what lies at an attribute path in a value of type `t`; None where the type does not tell.

    Raises:
        ConversionError: No value of the type has anything there; says what it has.
    """
    walked: list[PromiseAttribute | str | int] = []
    at: LiteralType | None = t
    for step in path:
        if at is None:
            return None
        at = _one_step(at, step, path_text(walked))
        walked.append(step)
    return at


def _one_step(t: LiteralType, step: PromiseAttribute | str | int, before: str) -> LiteralType | None:
    by_index = isinstance(step, int) or (isinstance(step, PromiseAttribute) and step.WhichOneof("value") == "int_value")
    name = step.string_value if isinstance(step, PromiseAttribute) else step
    match t.WhichOneof("type"):
        case "collection_type" if by_index:
            return t.collection_type
        case "map_value_type" if not by_index:
            return t.map_value_type
        case "simple" if t.simple == SimpleType.STRUCT:
            if not by_index:
                return _field(t, str(name), before)
            if not t.structure.dataclass_type and "properties" not in t.metadata.fields:
                return None
        case "union_type":
            return _step_in_union(t.union_type, step, before)
    raise _no_attribute(step, t, before)


def _field(t: LiteralType, name: str, before: str) -> LiteralType | None:
    fields = t.structure.dataclass_type
    if fields:
        if name in fields:
            return fields[name]
        raise _no_attribute(name, t, before)
    schema = t.metadata
    if "$ref" in schema.fields:  # marshmallow's form: the class stands among the definitions
        target = schema.fields["$ref"].string_value.rpartition("/")[2]
        definitions = schema.fields["definitions"] if "definitions" in schema.fields else schema.fields["$defs"]
        schema = definitions.struct_value.fields[target].struct_value
    properties = schema.fields["properties"].struct_value.fields if "properties" in schema.fields else {}
    if not properties:
        return None
    if name in properties:
        return _type_of_json(properties[name].struct_value)
    if "additionalProperties" in schema.fields and schema.fields["additionalProperties"] != Value(bool_value=False):
        return None
    raise ConversionError(f"no .{name} in {type_text(t)}{before}: there is {', '.join(sorted(properties))}")


def _type_of_json(schema: Struct) -> LiteralType | None:
    """The type of a JSON schema, when it can be only one; a format or an enumeration may stand for many."""
    fields = schema.fields
    kind = fields["type"].string_value if "type" in fields else ""
    if kind not in _FROM_JSON or "format" in fields or "enum" in fields:
        return None
    return LiteralType(simple=_FROM_JSON[kind])


def _step_in_union(union: UnionType, step: PromiseAttribute | str | int, before: str) -> LiteralType | None:
    found: list[LiteralType | None] = []
    refusal: ConversionError | None = None
    for variant in union.variants:
        if accepts_none(variant):
            continue
        try:
            found.append(_one_step(variant, step, before))
        except ConversionError as exc:
            refusal = exc
    if refusal and not found:
        raise refusal
    if not found:
        raise _no_attribute(step, LiteralType(union_type=union), before)
    known = [t for t in found if t is not None]
    if not known or len(known) < len(found):
        return None
    return known[0] if len(known) == 1 else LiteralType(union_type=UnionType(variants=known))


def _no_attribute(step: PromiseAttribute | str | int, t: LiteralType, before: str) -> ConversionError:
    wanted = path_text([step])
    has = "elements by number" if t.HasField("collection_type") else "no attributes"
    if t.HasField("map_value_type"):
        has = "entries by name"
    elif t.structure.dataclass_type:
        has = "the fields " + ", ".join(sorted(t.structure.dataclass_type))
    return ConversionError(f"no {wanted} in {type_text(t)}{before}: it has {has}")
