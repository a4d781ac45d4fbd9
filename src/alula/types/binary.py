"""`bytes` as a blob, in the pickle format that flytekit uses for it, read back without running anything.

flytekit has no transformer for bytes and pickles them. A pickle of bytes holds nothing but the bytes, so a reader that
refuses to look up any class reads all of them and is safe with any file.
"""

from __future__ import annotations

import base64
import binascii
import io
import pickle
from typing import Any, NoReturn

from alula.errors import ConversionError
from alula.idl import Literal, LiteralType, literals
from alula.idl import packing as plain
from alula.types.packing import PICKLE, pickled_type
from alula.types.transformer import Converter, Packing, Place, Types, TypeTransformer, wrong_type

_PROTOCOL = 5
"""Written by every Python that runs Alula or flytekit."""


class BytesTransformer(TypeTransformer[bytes]):
    python_type = bytes
    name = "FlytePickle"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return pickled_type(bytes)

    async def to_literal(self, value: bytes, t: Any, at: Place) -> Literal:
        uri = at.new_uri("/bytes.pkl")
        await at.objects.write(uri, pickle.dumps(value, _PROTOCOL))
        return literals.blob(uri, format=PICKLE)

    async def to_python(self, lit: Literal, t: Any, at: Place) -> bytes:
        kind = literals.kind(lit)
        if kind == "blob":
            uri = lit.scalar.blob.uri
            return _bytes_of(await at.objects.read(uri), uri)
        if kind == "binary":
            return _from_plain(plain.unpacked(lit))
        if kind == "union":
            return await self.to_python(lit.scalar.union.value, t, at)
        raise ConversionError(f"expected bytes, got {kind or 'an empty'} literal")

    def guess(self, lt: LiteralType, types: Types) -> Any:
        return bytes if lt == pickled_type(bytes) else None

    def converter(self, t: Any, types: Types) -> Converter:
        made = super().converter(t, types)
        return Converter(
            t, made.literal_type, made.to_literal, made.to_python, awaits=True, copy=_bytes, name=self.name
        )

    def packing(self, t: Any, types: Types) -> Packing:
        """Inside packed data bytes are themselves, without a blob."""
        return Packing(
            pack=lambda value, at: _bytes(value),
            unpack=lambda data, at: _from_plain(data),
            copy=_bytes,
            exact=bytes,
            kinds=frozenset({bytes}),
            of=bytes,
        )


class _Inert(pickle.Unpickler):
    """Reads pickles of plain values, and of nothing that would have to be imported or called."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise ConversionError(
            f"a pickle of bytes asks for {module}.{name}",
            fix="annotate the value with alula.Pickle if you trust whoever wrote it",
        )


def _bytes_of(data: bytes, uri: str) -> bytes:
    try:
        value = _Inert(io.BytesIO(data)).load()
    except ConversionError as exc:
        exc.where = uri
        raise
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError) as exc:
        raise ConversionError(f"the {len(data)} bytes are no pickle of bytes: {exc}", where=uri) from exc
    return _bytes(value)


def _from_plain(data: Any) -> bytes:
    """Bytes as msgpack holds them, or the base64 that JSON has for them."""
    if type(data) is not str:
        return _bytes(data)
    try:
        return base64.decodebytes(data.encode())
    except binascii.Error as exc:
        raise wrong_type(data, bytes) from exc


def _bytes(value: Any) -> bytes:
    if type(value) is not bytes:
        raise wrong_type(value, bytes, "bytes(...)" if isinstance(value, bytearray | memoryview) else "")
    return value


transformers: list[TypeTransformer[Any]] = [BytesTransformer()]
