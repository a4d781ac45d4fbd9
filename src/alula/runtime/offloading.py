"""Literals that are too large for the map they belong to, and lie in files of their own beside it.

Flyte's engine, or another task, replaces a large literal by a note of where it is. Whoever reads inputs gets the values
themselves; whoever writes outputs leaves such notes where the platform asks for it. Source: flyteidl
core/literals.proto:LiteralOffloadedMetadata.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping

from google.protobuf.message import DecodeError

from alula.data import uris
from alula.data.objects import ObjectStore
from alula.errors import ConversionError, DamagedData
from alula.idl import Literal, LiteralMap, LiteralOffloadedMetadata
from alula.sdk.graph import Entity

_LEAST, _MOST = "_F_L_MIN_SIZE_MB", "_F_L_MAX_SIZE_MB"
"""Variables by which the platform asks for it. Source: flytekit's entry point."""
_MOST_MIB = 1000
_SUFFIX = "_offloaded_metadata.pb"
_NOTE = re.compile(rb"B[^\0]{1,5}\n")
"""How a note begins in a serialized map: field 8 of `Literal`, a length, field 1 of the metadata. It may be something
else, so this says where to look, and lets nearly all inputs pass unseen."""


async def fetched(inputs: LiteralMap, content: bytes, objects: ObjectStore) -> LiteralMap:
    """The inputs with the values themselves in place of notes, at every depth.

    Args:
        inputs: Changed in place.
        content: What they were read from.
        objects: Where the values are.

    Raises:
        DataError: One cannot be read; DamagedData, ObjectNotFound.
    """
    if holds_notes(content):
        for lit in inputs.literals.values():
            await _fill(lit, objects)
    return inputs


def holds_notes(content: bytes) -> bool:
    """Whether there may be notes in a serialized map."""
    return _NOTE.search(content) is not None


async def put_away(
    outputs: LiteralMap, entity: Entity, prefix: str, objects: ObjectStore, environment: Mapping[str, str]
) -> LiteralMap:
    """The outputs, with notes in place of those that are larger than the platform wants them; these are written below
    the prefix.

    Raises:
        ConversionError: One is larger than the platform takes at all.
        DataError: One could not be written.
    """
    if not environment.get(_LEAST):
        return outputs
    least, most = (_bytes(environment, name, mib) for name, mib in ((_LEAST, 10), (_MOST, _MOST_MIB)))
    for name, lit in outputs.literals.items():
        size = lit.ByteSize()
        if size >= most:
            raise ConversionError(
                f"output {name!r} of '{entity.short_name}' is {size:,} bytes, and the platform takes {most:,} at most",
                fix="return a File, a Directory or a data frame, whose content is stored apart",
            )
        if size < least:
            continue
        content = lit.SerializeToString(deterministic=True)
        uri = uris.join(prefix, f"{name}{_SUFFIX}")
        await objects.write(uri, content)
        note = LiteralOffloadedMetadata(uri=uri, size_bytes=size)
        note.inferred_type.CopyFrom(entity.interface.outputs[name].converter.literal_type)
        known = lit.hash or base64.b64encode(hashlib.sha256(content).digest()).decode()
        outputs.literals[name].CopyFrom(Literal(offloaded_metadata=note, hash=known))
    return outputs


async def _fill(lit: Literal, objects: ObjectStore) -> None:
    match lit.WhichOneof("value"):
        case "offloaded_metadata":
            uri, hash_of = lit.offloaded_metadata.uri, lit.hash
            lit.CopyFrom(_literal(await objects.read(uri), uri))
            if hash_of:
                lit.hash = hash_of
            await _fill(lit, objects)
        case "collection":
            for one in lit.collection.literals:
                await _fill(one, objects)
        case "map":
            for one in lit.map.literals.values():
                await _fill(one, objects)
        case "scalar" if lit.scalar.HasField("union"):
            await _fill(lit.scalar.union.value, objects)


def _literal(content: bytes, uri: str) -> Literal:
    try:
        return Literal.FromString(content)
    except DecodeError as exc:
        raise DamagedData(
            f"{uri} has {len(content)} bytes that are no Literal: {exc}", where=uri, fix="run what made it again"
        ) from exc


def _bytes(environment: Mapping[str, str], name: str, mib: int) -> int:
    text = environment.get(name, "")
    try:
        return int(text or mib) << 20
    except ValueError as exc:
        raise ConversionError(
            f"{text!r} is no number of MiB", where=f"environment variable {name}", fix="unset it, or write a number"
        ) from exc
