"""Literals as parameters of a statement."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgpack

from alula.errors import Rejected
from alula.idl import Literal, LiteralType, SimpleType, literals

_PLAIN = frozenset(
    {SimpleType.INTEGER, SimpleType.FLOAT, SimpleType.STRING, SimpleType.BOOLEAN, SimpleType.DATETIME}
    | {SimpleType.DURATION, SimpleType.NONE, SimpleType.STRUCT, SimpleType.BINARY}
)


def bindable(lt: LiteralType) -> bool:
    """Whether values of this type can be parameters: plain ones, JSON, lists of plain ones, and None."""
    match lt.WhichOneof("type"):
        case "simple":
            return lt.simple in _PLAIN
        case "enum_type":
            return True
        case "collection_type":
            return bindable(lt.collection_type) and lt.collection_type.WhichOneof("type") != "collection_type"
        case "map_value_type":
            return True
        case "union_type":
            return all(bindable(one) for one in lt.union_type.variants)
        case _:
            return False


def parameters(
    inputs: Mapping[str, Literal], names: Iterable[str], *, dates: Collection[str] = (), where: str = ""
) -> dict[str, Any]:
    """The inputs that a statement asks for, as plain Python values.

    Numbers, text, booleans, aware datetimes in UTC, timedeltas, bytes, None and lists of these are themselves; dicts
    and records are JSON text. No value is ever made part of the statement.

    Args:
        dates: Inputs that are declared as `date`: the wire knows only points in time.

    Raises:
        Rejected: An input is missing, or is nothing that a database takes.
    """
    made: dict[str, Any] = {}
    faults = []
    for name in sorted(names):
        if name not in inputs:
            faults.append(f"asks for the input '{name}', which is not there")
            continue
        try:
            value = _value(inputs[name])
        except _Unfit as exc:
            faults.append(f"gets {exc} for '{name}'")
        else:
            made[name] = value.date() if name in dates and value is not None else value
    if faults:
        raise Rejected(
            f"the statement {' and '.join(faults)}",
            where=where,
            fix="inputs of statements are numbers, text, times, bytes, JSON, and lists of these",
        )
    return made


class _Unfit(Exception):
    """What it is instead."""


def _value(lit: Literal) -> Any:
    while lit.scalar.HasField("union"):
        lit = lit.scalar.union.value
    match literals.kind(lit):
        case "integer":
            return lit.scalar.primitive.integer
        case "float_value":
            return lit.scalar.primitive.float_value
        case "boolean":
            return lit.scalar.primitive.boolean
        case "string_value":
            return lit.scalar.primitive.string_value
        case "datetime":
            return literals.to_datetime(lit)
        case "duration":
            return literals.to_timedelta(lit)
        case "none_type":
            return None
        case "collection":
            return [_value(one) for one in lit.collection.literals]
        case "map":
            return json.dumps({key: _value(one) for key, one in lit.map.literals.items()}, default=str)
        case "generic":
            return json.dumps(_plain(lit.scalar.generic), ensure_ascii=False, sort_keys=True)
        case "binary" if lit.scalar.binary.tag == "msgpack":
            value = msgpack.unpackb(lit.scalar.binary.value, strict_map_key=False)
            return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, dict) else value
        case other:
            raise _Unfit(f"a value of kind {other or 'nothing'}")


def _plain(value: Any) -> Any:
    """A Struct as plain data, whole numbers as ints."""
    if hasattr(value, "fields"):
        return {key: _plain(one) for key, one in value.fields.items()}
    match value.WhichOneof("kind"):
        case "struct_value":
            return _plain(value.struct_value)
        case "list_value":
            return [_plain(one) for one in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None
