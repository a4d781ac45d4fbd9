"""Values on their way in and out of attempts: complete inputs, outputs that fit, large ones kept in files.

An object store that does not answer is tried again, spaced out, for as long as `EngineConfig.outage` says: an outage
costs nobody a retry.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from google.protobuf.message import DecodeError

from alula._kits.aio import gather, to_thread
from alula._kits.clock import Clock
from alula.config import EngineConfig
from alula.data.layout import Outputs
from alula.data.objects import ObjectStore
from alula.engine.crash import crash_point
from alula.engine.nodes.array import together
from alula.engine.state import Failure, FailureKind, Ref, Values
from alula.errors import DamagedData, DataError, ObjectNotFound
from alula.idl import ContainerError, ErrorDocument, ExecutionError, LiteralMap, SimpleType, TypedInterface, VariableMap
from alula.idl.interface import unfit_values

R = TypeVar("R")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_AT_A_TIME = 16
_LARGE = 256 * 1024
"""Bytes from which on values are looked at in a thread: it would hold the loop for too long."""
_EACH = 256
"""Bytes that the work on one set of values counts for, however small they are."""
_RECENT_BYTES = 64 * 1024 * 1024
_SHOWN = 5
_PRIMITIVES: dict[str, SimpleType] = {
    "integer": SimpleType.INTEGER,
    "float_value": SimpleType.FLOAT,
    "string_value": SimpleType.STRING,
    "boolean": SimpleType.BOOLEAN,
}
LIMIT_BYTES = 1 << 30
"""The most that the outputs of one attempt may take, files that they refer to not counted."""


class Depot:
    """Reads and writes values in an object store.

    Args:
        objects: Where they are.
        clock: For how long it is tried.
        rng: Spaces the tries.
        config: What is kept in rows, and how long an outage may take.
    """

    def __init__(self, objects: ObjectStore, clock: Clock, rng: random.Random, config: EngineConfig) -> None:
        self._objects, self._clock, self._rng = objects, clock, rng
        self.inline_bytes, self._outage, self.limit_bytes = config.inline_bytes, config.outage, LIMIT_BYTES
        self._room = asyncio.Semaphore(64)
        self._recent: OrderedDict[str, bytes] = OrderedDict()
        """Outputs that were read lately: the elements of an array take the same ones, all at once."""
        self._recent_bytes = 0
        self._reading: dict[str, asyncio.Lock] = {}

    async def read(self, uri: str) -> bytes:
        """The bytes of one object. Raises ObjectNotFound, and DataError once an outage has lasted too long."""
        async with self._room:
            return await self._patiently(lambda: self._objects.read(uri))

    async def write(self, uri: str, data: bytes) -> None:
        """Put one object. Raises DataError once an outage has lasted too long."""
        async with self._room:
            await self._patiently(lambda: self._objects.write(uri, data))

    async def outputs(self, uri: str) -> bytes:
        """What an attempt left, which never changes once it was taken: read once for many who ask at a time."""
        if uri not in self._recent:
            lock = self._reading.setdefault(uri, asyncio.Lock())
            try:
                async with lock:
                    data = self._recent.get(uri)
                    if data is None:
                        data = await self.read(uri)
                        self._keep_recent(uri, data)
                    return data
            finally:
                if not lock.locked():
                    self._reading.pop(uri, None)
        self._recent.move_to_end(uri)
        return self._recent[uri]

    def _keep_recent(self, uri: str, data: bytes) -> None:
        if len(data) > _RECENT_BYTES // 4:
            return
        self._recent[uri] = data
        self._recent_bytes += len(data)
        while self._recent_bytes > _RECENT_BYTES:
            self._recent_bytes -= len(self._recent.popitem(last=False)[1])

    async def _patiently(self, call: Callable[[], Awaitable[R]]) -> R:
        until, pause = self._clock.monotonic() + self._outage.total_seconds(), _FIRST_PAUSE
        while True:
            try:
                return await call()
            except (ObjectNotFound, DamagedData):
                raise
            except (DataError, OSError):
                wait = pause * (0.5 + self._rng.random())
                if self._clock.monotonic() + wait > until:
                    raise
            await asyncio.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def complete(self, values: Values) -> bytes:
        """A serialized LiteralMap of all values, what they refer to read in.

        Raises:
            DataError: Something could not be read, or is not what it should be.
        """
        if not values.refs:
            return values.data
        uris = list(dict.fromkeys(ref.uri for ref in values.refs))
        read = dict(zip(uris, await gather(self.outputs, uris, limit=_AT_A_TIME), strict=True))

        def put_together() -> bytes:
            maps = {uri: _parsed(data, uri) for uri, data in read.items()}
            whole = LiteralMap.FromString(values.data)
            for ref in values.refs:
                if ref.var not in maps[ref.uri].literals:
                    raise DamagedData(f"there is no value {ref.var!r} in {ref.uri}", where=ref.uri)
                whole.literals[ref.name].CopyFrom(maps[ref.uri].literals[ref.var])
            return whole.SerializeToString(deterministic=True)

        return await _computed(put_together, sum(map(len, read.values())))

    async def keep(self, data: bytes, uri: str, *, written: bool = False) -> Values:
        """Values for a row: small ones as they are, large ones in a file at `uri`, and the row refers to it.

        Args:
            data: A serialized LiteralMap.
            uri: Where it goes if it is too large.
            written: It is there already.
        """
        if len(data) <= self.inline_bytes:
            return Values(data)
        if not written:
            crash_point("outputs.before")
            await self.write(uri, data)
            crash_point("outputs.after")
        return await _computed(lambda: _split(data, uri, self.inline_bytes), len(data))

    async def gathered(self, names: Sequence[str], elements: Sequence[Values | None], uri: str) -> Values:
        """The lists of what an array's elements gave. Raises DataError, also if they are too long."""
        total = 0

        async def whole(one: Values | None) -> Values | None:
            nonlocal total
            if one is not None and one.refs:
                one = Values(await self.complete(one))
                total += len(one.data)
                if total > self.limit_bytes:
                    raise DataError(
                        f"the outputs of its {len(elements):,} elements take more than {self.limit_bytes:,} bytes "
                        "together, which is the most that one list of them may",
                        where=uri,
                        fix="have the elements return files, or let flytekit put large values away (_F_L_MIN_SIZE_MB)",
                    )
            return one

        found = (
            await gather(whole, elements, limit=_AT_A_TIME) if any(one and one.refs for one in elements) else elements
        )
        size = sum(len(one.data) + _EACH for one in found if one is not None)
        values = await _computed(lambda: together(tuple(names), list(found)), size)
        crash_point("gather.before")
        kept = await self.keep(values.data, uri)
        crash_point("gather.after")
        return kept


def _parsed(data: bytes, uri: str) -> LiteralMap:
    try:
        return LiteralMap.FromString(data)
    except DecodeError as exc:
        raise DamagedData(f"{uri} holds no values: {exc}", where=uri) from exc


def _split(data: bytes, uri: str, limit: int) -> Values:
    """The largest values by reference, until the rest is small."""
    whole = LiteralMap.FromString(data)
    sizes = sorted(((len(name) + lit.ByteSize(), name) for name, lit in whole.literals.items()), reverse=True)
    left, refs = len(data), []
    for size, name in sizes:
        if left <= limit:
            break
        left -= size
        del whole.literals[name]
        refs.append(Ref(name, uri, name))
    return Values(whole.SerializeToString(deterministic=True), tuple(sorted(refs, key=lambda ref: ref.name)))


async def _computed(call: Callable[[], R], size: int) -> R:
    return await to_thread(call) if size > _LARGE else call()


# --- Outputs of attempts --------------------------------------------------------------------------------------------


def misfit(data: bytes, interface: TypedInterface) -> Failure | None:
    """Why outputs cannot be taken; None if they can. Looks at every value."""
    declared = interface.outputs
    if not data and not declared.variables:
        return None
    try:
        values = LiteralMap.FromString(data)
    except DecodeError as exc:
        return Failure("OutputsBadFormat", f"its outputs cannot be read: {exc}", FailureKind.SYSTEM, recoverable=True)
    if _plainly_fit(values, declared):
        return None
    faults = unfit_values(values, declared)
    if not faults:
        return None
    if not values.literals:
        return Failure("OutputsNotGenerated", "it ended without outputs: " + _some(faults), recoverable=True)
    return Failure("OutputsUnfit", "its outputs do not fit its interface: " + _some(faults))


def _plainly_fit(values: LiteralMap, declared: VariableMap) -> bool:
    """Whether all values are primitives of the very types that are declared, as those of most tasks are."""
    found, variables = values.literals, declared.variables
    if len(found) != len(variables):
        return False
    for name, variable in variables.items():
        if name not in found:
            return False
        kind = _PRIMITIVES.get(found[name].scalar.primitive.WhichOneof("value") or "")
        if kind is None or variable.type.simple != kind:
            return False
    return True


def large(data: bytes) -> bool:
    """Whether looking at outputs would hold the loop for too long."""
    return len(data) > _LARGE


async def misfit_of_large(data: bytes, interface: TypedInterface) -> Failure | None:
    """As `misfit`, in a thread."""
    return await to_thread(misfit, data, interface)


async def left_behind(depot: Depot, files: Outputs, interface: TypedInterface) -> tuple[bytes, bytes] | Failure:
    """What an attempt wrote under its prefix, as Flyte's containers do: outputs and futures, or why it failed.

    Source: flyteidl core/errors.proto, and the table M8 of our suite.
    """
    try:
        return _from_error(await depot.read(files.error))
    except ObjectNotFound:
        pass
    try:
        return b"", await depot.read(files.futures)
    except ObjectNotFound:
        pass
    if not interface.outputs.variables:
        return b"", b""
    try:
        data = await depot.read(files.outputs)
    except ObjectNotFound:
        if not unfit_values(LiteralMap(), interface.outputs):
            return b"", b""
        return Failure("OutputsNotFound", f"it left no outputs: there is no {files.outputs}", recoverable=True)
    if len(data) > LIMIT_BYTES:
        return Failure("OutputSizeExceeded", f"its outputs take {len(data)} bytes, and {LIMIT_BYTES} may be")
    return data, b""


def _from_error(data: bytes) -> Failure:
    try:
        error = ErrorDocument.FromString(data).error
    except DecodeError as exc:
        return Failure("ErrorFileBadFormat", f"its error cannot be read: {exc}", FailureKind.SYSTEM, recoverable=True)
    if not error.code and not error.message:
        return Failure("ErrorFileBadFormat", "its error says nothing", FailureKind.SYSTEM, recoverable=True)
    kind = FailureKind.SYSTEM if error.origin == ExecutionError.SYSTEM else FailureKind.USER
    return Failure(error.code, error.message, kind, recoverable=error.kind == ContainerError.RECOVERABLE)


def _some(faults: Iterable[str]) -> str:
    all_of_them = list(faults)
    more = f"; and {len(all_of_them) - _SHOWN} more" if len(all_of_them) > _SHOWN else ""
    return "; ".join(all_of_them[:_SHOWN]) + more
