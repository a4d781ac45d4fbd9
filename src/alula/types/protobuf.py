"""Protobuf messages as a Struct of their JSON form; a `ListValue` as a list of literals."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message

from alula.errors import ConversionError, UnsupportedType
from alula.idl import ListValue, Literal, LiteralType, SimpleType, Struct, literals
from alula.idl import packing as plain
from alula.types.transformer import Converter, Place, Types, TypeTransformer, split, type_name

_KEY = "pb_type"
_WELL_KNOWN = "google.protobuf."
_INSTEAD = {
    "Timestamp": "datetime",
    "Duration": "timedelta",
    "FieldMask": "list[str]",
    "Value": "google.protobuf.struct_pb2.Struct",
    "BoolValue": "bool | None",
    "BytesValue": "bytes | None",
    "DoubleValue": "float | None",
    "FloatValue": "float | None",
    "Int32Value": "int | None",
    "Int64Value": "int | None",
    "StringValue": "str | None",
    "UInt32Value": "int | None",
    "UInt64Value": "int | None",
}
"""Messages whose JSON is no object, which a Struct cannot hold, and what to declare instead."""


class MessageTransformer(TypeTransformer[Message]):
    python_type = Message
    name = "Protobuf-Transformer"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        cls = split(t)[0]
        if getattr(cls, "DESCRIPTOR", None) is None:
            raise UnsupportedType(f"{type_name(cls)} names no message", fix="declare the class of one message")
        instead = _INSTEAD.get(cls.DESCRIPTOR.full_name.removeprefix(_WELL_KNOWN))
        if instead is not None and cls.DESCRIPTOR.full_name.startswith(_WELL_KNOWN):
            raise UnsupportedType(
                f"the JSON of the message {cls.DESCRIPTOR.full_name} is no object, and cannot be stored",
                fix=f"declare {instead} instead",
            )
        lt = LiteralType(simple=SimpleType.STRUCT)
        lt.metadata.update({_KEY: f"{cls.__module__}.{cls.__name__}"})
        return lt

    def to_literal(self, value: Message, t: Any, at: Place) -> Literal:
        if isinstance(value, ListValue):
            items: list[Any] = list(value)
            return literals.collection(at.types.converter(type(item)).to_literal(item, at) for item in items)
        struct = Struct()
        struct.update(MessageToDict(value))
        return literals.generic(struct)

    def to_python(self, lit: Literal, t: Any, at: Place) -> Message:
        data = plain.plain_of(lit)
        made: Message = split(t)[0]()
        try:
            return ParseDict(data, made)
        except (ParseError, TypeError, AttributeError) as exc:
            raise ConversionError(f"no {type_name(split(t)[0])}: {exc}") from exc

    def guess(self, lt: LiteralType, types: Types) -> Any:
        if lt.WhichOneof("type") != "simple" or lt.simple != SimpleType.STRUCT or _KEY not in lt.metadata:
            return None
        module, _, name = str(lt.metadata[_KEY]).rpartition(".")
        if module.endswith("_pb2"):  # a literal type may come from anywhere: it imports generated messages, no more
            importlib.import_module(module)
        return getattr(sys.modules.get(module), name, None)

    def converter(self, t: Any, types: Types) -> Converter:
        made, check = super().converter(t, types), self.check

        def copy(value: Any) -> Message:
            check(value, t)
            new: Message = type(value)()
            new.CopyFrom(value)
            return new

        return Converter(t, made.literal_type, made.to_literal, made.to_python, copy=copy, name=self.name)


transformers: list[TypeTransformer[Any]] = [MessageTransformer()]
