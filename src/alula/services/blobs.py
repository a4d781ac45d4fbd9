"""Values in answers: inline, or where they are too large for a message as the place of a file that holds them."""

from __future__ import annotations

from typing import Protocol

from alula.admin.desk import Desk
from alula.data import fingerprint, uris
from alula.idl import LiteralMap
from alula.idl.service import UrlBlob
from alula.services.uploads import plain as plain

INLINE_BYTES = 8 * 1024 * 1024
"""Of inputs, and of outputs. Clients take messages of 20 MiB."""


class Data(Protocol):
    """An answer with inputs and outputs."""

    @property
    def full_inputs(self) -> LiteralMap: ...
    @property
    def full_outputs(self) -> LiteralMap: ...
    @property
    def inputs(self) -> UrlBlob: ...
    @property
    def outputs(self) -> UrlBlob: ...


async def put(desk: Desk, into: Data, prefix: str, *, inputs: LiteralMap, outputs: LiteralMap) -> None:
    """Answer with inputs and outputs.

    Args:
        prefix: Below which they are written if they are too large: never changed, so once.
    """
    await _put(desk, into.full_inputs, into.inputs, inputs, uris.join(prefix, "shown-inputs.pb"))
    await _put(desk, into.full_outputs, into.outputs, outputs, uris.join(prefix, "shown-outputs.pb"))


async def _put(desk: Desk, inline: LiteralMap, blob: UrlBlob, values: LiteralMap, uri: str) -> None:
    shown = as_clients_take_it(desk, values)
    if shown.ByteSize() <= INLINE_BYTES:
        inline.CopyFrom(shown)
        return
    data = shown.SerializeToString(deterministic=True)
    if not await desk.objects.exists(uri):
        await desk.objects.write(uri, data)
    blob.url, blob.bytes = plain(uri), len(data)


def as_clients_take_it(desk: Desk, values: LiteralMap) -> LiteralMap:
    """Values whose URIs clients can read; the same message, if none needs to be changed."""
    if b"file:/" not in values.SerializeToString():
        return values
    changed = LiteralMap()
    changed.CopyFrom(values)
    fingerprint.rewrite(changed.literals.values(), plain, below=desk.data)
    return changed
