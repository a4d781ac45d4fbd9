"""Pydantic models as packed data: what `model_dump_json` says, and read with all of their validators.

A field that needs I/O (a `File`, a list of them, a model that holds one) is packed by its own type, beside the dump.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from alula.errors import ConversionError, UnsupportedType
from alula.idl import Literal, LiteralType
from alula.types.packing import field_type, packed_converter, packed_type, parts_later
from alula.types.transformer import Converter, Packing, Place, Types, TypeTransformer, split, type_name, wrong_type


class ModelTransformer(TypeTransformer[BaseModel]):
    python_type = BaseModel
    name = "Pydantic Transformer"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        cls: type[BaseModel] = split(t)[0]
        lt = packed_type()
        lt.metadata.update(cls.model_json_schema())
        lt.structure.SetInParent()
        for name, field in cls.model_fields.items():
            found = field_type(field.annotation, types)
            if found is not None:
                lt.structure.dataclass_type[name].CopyFrom(found)
        return lt

    def to_literal(self, value: BaseModel, t: Any, at: Place) -> Any:
        return at.types.converter(t).to_literal(value, at)

    def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        return at.types.converter(t).to_python(lit, at)

    def converter(self, t: Any, types: Types) -> Converter:
        return packed_converter(t, self.literal_type(t, types), types.packing(t), self.name)

    def packing(self, t: Any, types: Types) -> Packing:
        cls: type[BaseModel] = split(t)[0]
        stored = _stored_fields(cls, types)
        if stored:
            return _with_io(cls, stored)

        def pack(value: Any, at: Place | None = None) -> Any:
            return _dumped(value, cls)

        def unpack(data: Any, at: Place | None = None) -> Any:
            if isinstance(data, cls):
                return data
            return _read(json.dumps(data), cls)

        def copy(value: Any) -> Any:
            return _read(json.dumps(_dumped(value, cls)), cls)

        return Packing(pack=pack, unpack=unpack, copy=copy, kinds=frozenset({dict}), of=cls)


def _stored_fields(cls: type[BaseModel], types: Types) -> dict[str, Packing]:
    """The fields whose values need I/O, by name."""
    found = {}
    for name, field in cls.model_fields.items():
        try:
            packing = types.packing(field.annotation)
        except UnsupportedType:
            continue  # pydantic knows how to dump it
        if packing.awaits:
            found[name] = packing
    return found


def _with_io(cls: type[BaseModel], stored: Mapping[str, Packing]) -> Packing:
    async def pack(value: Any, at: Place) -> Any:
        _check(value, cls)
        parts = [(packing, packing.pack, getattr(value, name)) for name, packing in stored.items()]
        done = dict(zip(stored, await parts_later(parts, at, _step(stored)), strict=True))
        rest = _dumped(value, cls, exclude=set(stored))
        whole = rest | done
        return {name: whole[name] for name in [*cls.model_fields, *(value.model_extra or {})] if name in whole}

    async def unpack(data: Any, at: Place) -> Any:
        if type(data) is not dict:
            raise wrong_type(data, cls)
        here = {name: packing for name, packing in stored.items() if name in data}
        parts = [(packing, packing.unpack, data[name]) for name, packing in here.items()]
        done = dict(zip(here, await parts_later(parts, at, _step(here)), strict=True))
        whole = {**data, **done}
        return _validated(cls, lambda: cls.model_validate(whole, strict=False, by_alias=True, by_name=True))

    return Packing(pack=pack, unpack=unpack, awaits=True, kinds=frozenset({dict}), of=cls)


def _step(names: Mapping[str, Any]) -> Any:
    listed = list(names)
    return lambda nth: f".{listed[nth]}"


def _check(value: Any, cls: type[BaseModel]) -> None:
    if not isinstance(value, cls):
        raise wrong_type(value, cls)


def _dumped(value: Any, cls: type[BaseModel], exclude: set[str] | None = None) -> Any:
    """What `model_dump_json` writes, as plain data. It would make None of NaN and of the infinities."""
    _check(value, cls)
    try:
        return value.model_dump(mode="json", exclude=exclude)
    except PydanticSerializationError as exc:
        raise ConversionError(f"{type_name(cls)} cannot be written: {exc}") from exc


def _read(text: str, cls: type[BaseModel]) -> Any:
    """A model of the names of its fields, under which it is written as flytekit does it, or of their aliases."""
    context = {"deserialize": True}
    return _validated(cls, lambda: cls.model_validate_json(text, context=context, by_alias=True, by_name=True))


def _validated(cls: type[BaseModel], read: Any) -> Any:
    try:
        return read()
    except ValidationError as exc:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors(include_url=False))
        raise ConversionError(f"{type_name(cls)} refuses these values: {faults}") from exc


transformers: list[TypeTransformer[Any]] = [ModelTransformer()]
