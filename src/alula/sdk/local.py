"""Run entities in this process: the conversions and semantics of the engine, without its durability.

A value between two tasks is *kept* in the form of the producer's declared type: a private copy where the type can be
copied (`Converter.copy`), else the literal itself. Every consumer gets a fresh value from it, so nothing is shared.
"""

from __future__ import annotations

import inspect
import itertools
import os
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from alula._kits import bridge
from alula.data.objects import ObjectStore
from alula.data.workspace import workspace
from alula.errors import AlulaError, ConversionError
from alula.idl import Literal
from alula.sdk import current
from alula.sdk.bind import conversion_fault, fix_of
from alula.sdk.progress import observer
from alula.sdk.reports import publisher
from alula.sdk.signature import Interface, caller
from alula.types.registry import default
from alula.types.transformer import Converter, Place

Kept = Any
"""A value between tasks: a private copy, or a `Literal` for types that cannot be copied."""


@dataclass(slots=True)
class LocalRun:
    """What all tasks of one local run share.

    Args:
        place: Where blobs go.
        cache: Whether tasks that ask for caching get it.
        overwrite_cache: Run cached tasks again and replace their entries.
        answers: Values for gates by name, in place of a prompt.
        observe: Called as (`started` | `succeeded` | `failed` | `cached` | `retrying` | `progress` | `deck`, task,
            details).
    """

    place: Place
    cache: bool = True
    overwrite_cache: bool = False
    answers: Mapping[str, Any] = field(default_factory=dict)
    observe: Callable[[str, str, str], None] | None = None
    execution: current.Execution = field(default_factory=current.Execution)

    def __post_init__(self) -> None:
        if self.execution.publish is None:
            self.execution.publish = publisher(self.place, self.tell)
        if self.execution.progress is None and self.observe is not None:
            self.execution.progress = observer(self.tell)

    def tell(self, event: str, title: str, details: str = "") -> None:
        """Say what happens to whoever observes."""
        if self.observe is not None:
            self.observe(event, title, details)

    @property
    def plain(self) -> bool:
        """Whether nobody watches, so that the shortest path may be taken."""
        return self.observe is None


_run: ContextVar[LocalRun | None] = ContextVar("alula_local_run", default=None)
_default: LocalRun | None = None
_lock = threading.Lock()


def current_run() -> LocalRun:
    """The local run of this context, or the process's own, whose blobs live in its workspace."""
    run = _run.get() or _default
    return run if run is not None else _make_default()


@contextmanager
def running(run: LocalRun) -> Iterator[LocalRun]:
    """Local calls inside belong to `run`."""
    token = _run.set(run)
    try:
        yield run
    finally:
        _run.reset(token)


def place_at(prefix: str, objects: ObjectStore) -> Place:
    """A place for blobs under `prefix`, with names that count up."""
    numbers = itertools.count()
    return Place(objects=objects, prefix=prefix, types=default, new_name=lambda: f"{os.getpid():x}-{next(numbers)}")


def _make_default() -> LocalRun:
    global _default
    with _lock:
        if _default is None:
            here = workspace()
            _default = LocalRun(place_at(here.prefix, here.objects))
    return _default


# conversions: a few lines that every local call goes through


def keep(value: Any, converter: Converter, place: Place) -> Kept:
    """A user's value as it is kept. Raises ConversionError."""
    if converter.copy is not None:
        return converter.copy(value)
    made = converter.to_literal(value, place)
    return bridge.run(made) if converter.awaits else made


def fresh(kept: Kept, converter: Converter, place: Place) -> Any:
    """A value for a user's function out of a kept one; nobody else holds it."""
    if converter.copy is not None:
        return converter.copy(kept)
    made = converter.to_python(kept, place)
    return bridge.run(made) if converter.awaits else made


async def keep_async(value: Any, converter: Converter, place: Place) -> Kept:
    """`keep`, for those who are on an event loop."""
    if converter.copy is not None:
        return converter.copy(value)
    made = converter.to_literal(value, place)
    return await made if converter.awaits else made


async def fresh_async(kept: Kept, converter: Converter, place: Place) -> Any:
    """`fresh`, for those who are on an event loop."""
    if converter.copy is not None:
        return converter.copy(kept)
    made = converter.to_python(kept, place)
    return await made if converter.awaits else made


def literal_of(kept: Kept, converter: Converter, place: Place) -> Literal:
    """A kept value as a literal."""
    if converter.copy is None:
        return kept  # type: ignore[no-any-return]
    made = converter.to_literal(kept, place)
    lit: Literal = bridge.run(made) if converter.awaits else made
    return lit


def kept_of(lit: Literal, converter: Converter, place: Place) -> Kept:
    """A literal as it is kept for this type."""
    if converter.copy is None:
        return lit
    made = converter.to_python(lit, place)
    return bridge.run(made) if converter.awaits else made


def transfer(kept: Kept, source: Converter, target: Converter, place: Place) -> Kept:
    """A kept value of one declared type as one of another, through the literal."""
    return kept if source is target else kept_of(literal_of(kept, source, place), target, place)


def keep_inputs(
    name: str, interface: Interface, given: Mapping[str, Any], run: LocalRun, where: str = ""
) -> dict[str, Kept]:
    """The arguments of a call, checked and kept; defaults filled in. Raises ConversionError with all faults.

    Args:
        where: The line of the call, for those who cannot be found on the stack.
    """
    place = run.place
    kept: dict[str, Kept] = {}
    faults: list[ConversionError] = []
    for key, one in interface.inputs.items():
        value = given.get(key, one.default)
        try:
            kept[key] = one.converter.copy(value) if one.converter.copy else keep(value, one.converter, place)
        except ConversionError as exc:
            exc.fix = exc.fix or fix_of(value, one.type)
            faults.append(conversion_fault(exc, f"input '{key}' of '{name}'", where or caller()))
    if faults:
        raise _joined(faults)
    return kept


def outputs_of(interface: Interface, result: Any, name: str, where: str) -> tuple[Any, ...]:
    """What a function returned, as one value per declared output. Raises ConversionError."""
    wanted = len(interface.outputs)
    if not interface.as_tuple:
        if wanted:
            return (result,)
        if result is not None:
            raise ConversionError(
                f"'{name}' returned {type(result).__name__}, and declares no outputs",
                where=where,
                fix="add a return annotation, or return nothing",
            )
        return ()
    if not isinstance(result, tuple | list):
        listed = ", ".join(interface.outputs)
        raise ConversionError(
            f"'{name}' returned {type(result).__name__}: {result!r:.80}, and declares {wanted} outputs ({listed})",
            where=where,
            fix="return one value for each output, as a tuple",
        )
    if len(result) != wanted:
        raise ConversionError(
            f"'{name}' returned {len(result)} values, and declares {wanted} outputs ({', '.join(interface.outputs)})",
            where=where,
            fix="return one value for each output, or change the return annotation",
        )
    return tuple(result)


def keep_outputs(name: str, where: str, interface: Interface, result: Any, place: Place) -> tuple[Kept, ...]:
    """What a function returned, checked and kept. Raises ConversionError that names the output."""
    values = outputs_of(interface, result, name, where)
    kept = []
    for value, (key, one) in zip(values, interface.outputs.items(), strict=True):
        try:
            kept.append(keep(value, one.converter, place))
        except ConversionError as exc:
            raise conversion_fault(_none_hint(exc, value, name), f"output '{key}' of '{name}'", where) from exc
    return tuple(kept)


async def keep_outputs_async(
    name: str, where: str, interface: Interface, result: Any, place: Place
) -> tuple[Kept, ...]:
    """`keep_outputs`, for those who are on an event loop."""
    values = outputs_of(interface, result, name, where)
    kept = []
    for value, (key, one) in zip(values, interface.outputs.items(), strict=True):
        try:
            kept.append(await keep_async(value, one.converter, place))
        except ConversionError as exc:
            raise conversion_fault(_none_hint(exc, value, name), f"output '{key}' of '{name}'", where) from exc
    return tuple(kept)


def present(interface: Interface, kept: Iterable[Kept], place: Place) -> Any:
    """Kept outputs as the caller of a plain function sees them."""
    values = zip(kept, interface.outputs.values(), strict=True)
    return interface.pack(tuple(fresh(value, one.converter, place) for value, one in values))


def wait_for(made: Awaitable[Any]) -> Any:
    """The result of a coroutine, from sync code, inside a running loop or not."""
    return bridge.run(made)


def _none_hint(exc: ConversionError, value: Any, name: str) -> ConversionError:
    if exc.fix:
        return exc
    fix = "return a value of the declared type, or change the return annotation"
    if value is None:
        fix = f"return a value on every path of '{name}', or declare `| None`"
    if inspect.iscoroutine(value):
        fix = f"write `await` before the call of '{value.__qualname__}'"
    exc.fix = fix
    return exc


def _joined(faults: list[ConversionError]) -> AlulaError:
    if len(faults) == 1:
        return faults[0]
    return ConversionError(
        "; ".join(fault.what for fault in faults),
        where=faults[0].where,
        fix="; ".join(dict.fromkeys(fault.fix for fault in faults if fault.fix)),
    )
