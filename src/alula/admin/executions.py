"""Executions: create, abort, recover, run again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace

from alula._kits.aio import to_thread
from alula.admin.desk import Desk, refuse
from alula.admin.entities import Launchable
from alula.admin.names import name_fault, new_name, place_faults
from alula.admin.options import Options
from alula.admin.retention import leftover_of
from alula.admin.views import loaded, plan_of
from alula.compiler.launching import complete
from alula.compiler.shape import differences
from alula.data import fingerprint, uris
from alula.engine.codec import pack_settings, read_settings
from alula.engine.execution import Execution
from alula.engine.plan import compile_plan
from alula.engine.state import NodePhase, Settings
from alula.errors import Busy, ConversionError, NameTaken, Unknown, Untimely
from alula.idl import CompiledWorkflowClosure, Literal, LiteralMap
from alula.idl.casting import why_unfit
from alula.idl.ids import id_text
from alula.idl.interface import unfit_values
from alula.idl.literals import digest
from alula.idl.packing import plain_of
from alula.idl.types import type_text
from alula.store.records import ExecutionKey, ExecutionRecord, NewExecution

_TRIES = 8
"""How often a new random name is drawn: ten thousand million names, so the second is hardly ever needed."""

_COUNTED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Asked:
    """How somebody asked for an execution over the wire: kept with it, and shown."""

    spec: bytes = b""
    """A serialized ExecutionSpec."""
    principal: str = ""
    mode: int = 0
    """How it came about, in the numbers of ExecutionMetadata.ExecutionMode."""
    tags: tuple[str, ...] = ()
    notices: tuple[bytes, ...] = ()
    """Who is told of its end: `NewExecution.notices`."""
    limited: str = ""
    """The launch plan that limits how many run: `NewExecution.limited`."""
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """An execution as somebody asks for it."""

    project: str
    domain: str
    inputs: Mapping[str, Literal] = field(default_factory=dict)
    name: str = ""
    """Empty: a new one. The same name with the same inputs stands for the same execution."""
    options: Options = field(default_factory=Options)
    """What they do not say is as the launch plan says, then as usual."""
    signals: Mapping[str, Literal] = field(default_factory=dict)
    """Answers to gates, given beforehand."""
    labels: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class Created:
    record: ExecutionRecord
    new: bool
    """False: it was there already, with the same inputs."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """What an execution runs, as its code says it now."""

    what: Launchable
    facts: Mapping[str, str]


async def create(desk: Desk, what: Launchable, order: Order) -> Created:
    """Create an execution, or find the one that has the name and the same inputs. An engine takes it from there.

    One that was begun by `recover`, `rerun` or `relaunch` is found as well, if it runs the same with the same inputs.

    Raises:
        RequestError: With every fault of names, inputs, options and answers at once.
        NameTaken: The name stands for something else; says what differs.
        Busy: As many are open as may be.
        AtLimit: As many of its launch plan run as that allows.
    """
    inputs, faults = complete(what.intake, order.inputs)
    faults = [f"inputs.{fault}" for fault in faults] + _faults(what.closure, order)
    if faults:
        raise refuse(f"no execution of {what.id.name} was created", faults, where=what.entity)
    closure = what.packed or what.closure.SerializeToString(deterministic=True)
    data = inputs.SerializeToString(deterministic=True)
    new = NewExecution(
        key=ExecutionKey(order.project, order.domain, order.name),
        entity=what.entity,
        closure=closure,
        inputs=data,
        fingerprint=_fingerprint(what.entity, hashlib.sha256(closure).hexdigest(), await _digest(inputs, desk.data)),
        settings=pack_settings(order.options.over(what.options).settings()),
        labels=order.labels,
        facts={**what.facts, **order.facts},
        signals={id: lit.SerializeToString(deterministic=True) for id, lit in order.signals.items()},
        workflow=id_text(what.closure.primary.template.id),
    )
    asked = _as_asked(new, order.asked)
    try:
        return await _create(desk, asked)
    except NameTaken as exc:
        there = await _begun_again(desk, asked, exc)
        return Created(there, new=False)


async def recover(
    desk: Desk,
    key: ExecutionKey,
    *,
    name: str = "",
    options: Options | None = None,
    renewed: Renewed | None = None,
    asked: Asked | None = None,
) -> Created:
    """Run what did not end well in an execution that has ended, and take the rest over from it.

    Args:
        renewed: Go on with this version of it, whose workflows must have the same nodes.
        asked: How it was asked for; none: as the former one was.

    Raises:
        Unknown: There is no such execution.
        Untimely: It has not ended, or ended well.
        RequestError: The new version has other nodes.
        NameTaken: The name stands for something else.
    """
    record = await _ended(desk, key)
    if record.phase == NodePhase.SUCCEEDED:
        raise Untimely(
            f"execution {key.name} has succeeded: there is nothing to recover",
            fix=f"run nodes of it again with alula rerun {key.name} --node NODE",
        )
    new = _as_asked(await _copy(desk, record, name, options, _verb(record, ())), asked)
    return await _again(desk, record, new, (), renewed)


async def rerun(
    desk: Desk,
    key: ExecutionKey,
    *,
    nodes: Sequence[str] = (),
    name: str = "",
    options: Options | None = None,
    renewed: Renewed | None = None,
) -> Created:
    """Run some nodes of an execution that has ended once more, with all that comes after them; without any, all of it.

    Args:
        nodes: Their paths. What ended badly runs again anyhow; all else is taken over.
        renewed: Go on with this version of it, whose workflows must have the same nodes; with `nodes` only.

    Raises:
        Unknown: There is no such execution, or no such node.
        RequestError: It has not ended; or the new version has other nodes.
        NameTaken: The name stands for something else.
    """
    record = await _ended(desk, key)
    if not nodes:
        return await relaunch(desk, key, name=name, options=options)
    await _check_nodes(desk, record, nodes)
    chosen = tuple(dict.fromkeys(nodes))
    new = await _copy(desk, record, name, options, _verb(record, chosen))
    return await _again(desk, record, new, chosen, renewed)


async def relaunch(
    desk: Desk,
    key: ExecutionKey,
    *,
    name: str = "",
    options: Options | None = None,
    asked: Asked | None = None,
) -> Created:
    """A new execution of the same thing with the same inputs, from the start. Raises Unknown, NameTaken."""
    record = await desk.store.execution(key)
    return await _create(desk, _as_asked(await _copy(desk, record, name, options, "relaunch"), asked))


async def abort(desk: Desk, key: ExecutionKey, *, reason: str = "", principal: str = "") -> ExecutionRecord:
    """Ask for an execution to be stopped; its engine does it soon. Asking again is fine.

    Args:
        principal: Who asks.

    Raises:
        Unknown: There is no such execution.
        Untimely: It has ended by itself.
    """
    record = await desk.store.execution(key)
    if record.phase == NodePhase.ABORTED:
        return record
    if ended(record):
        raise Untimely(f"execution {key.name} cannot be aborted: it has {_said(record.phase)}")
    if principal:
        await desk.store.note_abort(record.id, principal)
    await desk.store.ask(record.id, "abort", body=(reason or "it was aborted").encode(errors="backslashreplace"))
    return record


def ended(record: ExecutionRecord) -> bool:
    """Whether an execution has come to its end; attempts may still be cleaned up after."""
    return record.phase in _TERMINAL


_TERMINAL = frozenset(str(phase) for phase in NodePhase if phase.terminal)


async def _create(desk: Desk, new: NewExecution) -> Created:
    """Write it down, under a new name if it has none."""
    drawn = not new.key.name
    await _see_room(desk, new.key)
    for _ in range(_TRIES):
        one = replace(new, key=replace(new.key, name=new_name(desk.random))) if drawn else new
        try:
            if drawn or await leftover_of(desk, one.key) is None:
                record, fresh = await desk.store.create(one)
                if fresh or not drawn:
                    return Created(record, fresh)
        except NameTaken as exc:
            if not drawn:
                raise await _taken(desk, one) from exc
        if not drawn:
            raise NameTaken(
                f"the name {one.key.name} was that of an execution that is gone, and its files are still in use",
                where="the cache, or an execution that took them over, refers to them",
                fix="choose another name",
            )
    raise NameTaken(f"{_TRIES} random names were all taken", fix="give the execution a name")


async def _see_room(desk: Desk, key: ExecutionKey) -> None:
    """See that one more execution may be created; one that is there may always be asked for. Raises Busy.

    Counted once for many, and again within a second, as others may create some, too.
    """
    room, now = desk.room, desk.clock.monotonic()
    if not desk.backlog:
        return
    if room.left <= 0 or now - room.counted > _COUNTED_SECONDS:
        room.left, room.counted = desk.backlog - await desk.store.count_open(desk.backlog), now
    room.left -= 1
    if room.left >= 0:
        return
    if key.name:
        with suppress(Unknown):
            await desk.store.execution(key)
            return
    raise Busy(
        f"{desk.backlog:,} executions are open already, as many as may be",
        where="engine.backlog",
        fix="try again when some have ended: alula get executions --phase running shows them; or raise engine.backlog",
    )


async def _begun_again(desk: Desk, new: NewExecution, taken: NameTaken) -> ExecutionRecord:
    """The execution that has the name, if it runs the same with the same inputs, and only began in another way.

    Raises:
        NameTaken: As it was given; or it may be another one, for it names files that are not ours.
    """
    try:
        there = await desk.store.execution(new.key)
    except Unknown:
        raise taken from None
    before, now = LiteralMap.FromString(there.inputs), LiteralMap.FromString(new.inputs)
    same = there.entity == new.entity and there.closure == hashlib.sha256(new.closure).hexdigest()
    if not same or await _digest(before, desk.data) != await _digest(now, desk.data):
        raise taken
    named = fingerprint.uris_in(before.literals.values(), below=desk.data)
    if any(fingerprint.local_path(uri) and not uri.startswith(uris.base(desk.data)) for uri in named):
        raise NameTaken(
            f"there is an execution named {new.key.name} already: it names files that may have changed since",
            where=taken.where,
            fix="go on with it by the command that began it; or choose another name",
        )
    return there


async def _taken(desk: Desk, new: NewExecution) -> NameTaken:
    """What stands in the way of a name, and in what it differs."""
    there = await desk.store.execution(new.key)
    differs = []
    if there.entity != new.entity:
        differs.append(f"it runs {there.entity}, and not {new.entity}")
    before, now = LiteralMap.FromString(there.inputs).literals, LiteralMap.FromString(new.inputs).literals
    names = [
        name for name in sorted({*before, *now}) if name not in before or name not in now or before[name] != now[name]
    ]
    if names:
        shown = (f"{name} ({_shown(before.get(name))} there, {_shown(now.get(name))} here)" for name in names)
        differs.append(f"its inputs are other ones: {', '.join(shown)}")
    if there.entity == new.entity and there.closure != hashlib.sha256(new.closure).hexdigest():
        differs.append("what it runs was declared differently then")
    if there.reference != new.reference:
        differs.append("it recovers another execution" if there.reference else "it recovers none")
    if not differs:
        differs.append("it was begun in another way")
    return NameTaken(
        f"there is an execution named {new.key.name} already: {'; '.join(differs)}",
        where=f"project {new.key.project}, domain {new.key.domain}; it is {there.phase.replace('_', ' ')}",
        fix="choose another name, or leave it out to get a new one",
    )


def _verb(record: ExecutionRecord, nodes: Sequence[str]) -> str:
    return f"recover {record.id} {' '.join(sorted(nodes))}"


async def _again(
    desk: Desk, record: ExecutionRecord, new: NewExecution, nodes: tuple[str, ...], renewed: Renewed | None
) -> Created:
    if renewed is not None:
        new = _as_it_is_now(new, renewed)
    settings = replace(read_settings(new.settings), rerun=nodes)
    return await _create(desk, replace(new, reference=record.id, settings=pack_settings(settings)))


def _as_asked(new: NewExecution, asked: Asked | None) -> NewExecution:
    if asked is None:
        return new
    return replace(new, **{one.name: getattr(asked, one.name) for one in fields(Asked)})


def _as_it_is_now(new: NewExecution, renewed: Renewed) -> NewExecution:
    """An execution that goes on with another version of what it runs. Raises RequestError."""
    what = renewed.what
    faults = differences(CompiledWorkflowClosure.FromString(new.closure), what.closure)
    faults += unfit_values(LiteralMap.FromString(new.inputs), what.closure.primary.template.interface.inputs)
    if faults:
        raise refuse(
            f"the code of {what.id.name} has changed too much to go on with",
            faults,
            fix="put back the code as it was, or run it anew: alula run",
        )
    return replace(
        new,
        entity=what.entity,
        workflow=id_text(what.closure.primary.template.id),
        closure=what.closure.SerializeToString(deterministic=True),
        fingerprint=_fingerprint(new.fingerprint, what.entity),
        facts={**new.facts, **renewed.facts},
    )


async def _copy(desk: Desk, record: ExecutionRecord, name: str, options: Options | None, verb: str) -> NewExecution:
    wanted = options or Options()
    fault = name_fault(name) if name else ""
    if faults := [*([fault] if fault else []), *(f"options.{one}" for one in wanted.faults())]:
        raise refuse(f"execution {record.key.name} was not run again", faults)
    settings: Settings = wanted.settings(replace(read_settings(record.settings), rerun=()))
    return NewExecution(
        key=replace(record.key, name=name),
        entity=record.entity,
        closure=await desk.store.closure(record.closure),
        inputs=record.inputs,
        fingerprint=hashlib.sha256(f"{verb}\0{record.fingerprint}".encode()).hexdigest(),
        settings=pack_settings(settings),
        labels=record.labels,
        facts=record.facts,
        workflow=record.workflow,
        spec=record.spec,
        principal=record.principal,
        mode=record.mode,
        tags=record.tags,
    )


async def _ended(desk: Desk, key: ExecutionKey) -> ExecutionRecord:
    record = await desk.store.execution(key)
    if not ended(record):
        raise Untimely(
            f"execution {key.name} has not ended: it is {_said(record.phase)}",
            fix=f"wait for it, or stop it: alula abort {key.name}",
        )
    return record


async def _check_nodes(desk: Desk, record: ExecutionRecord, nodes: Iterable[str]) -> None:
    x = await loaded(desk, record)
    unknown = [path for path in nodes if not path or not _has(x, path)]
    if unknown:
        there = ", ".join(row.path for row in await desk.store.nodes(record.id, limit=21) if row.path)
        raise Unknown(
            f"execution {record.key.name} has no node {', '.join(unknown)}",
            fix=f"there are: {there or 'none that have begun'}",
        )


def _has(x: Execution, path: str) -> bool:
    try:
        plan_of(x, path)
    except Unknown:
        return False
    return True


def _faults(closure: CompiledWorkflowClosure, order: Order) -> list[str]:
    faults = place_faults(order.project, order.domain)
    if order.name and (fault := name_fault(order.name)):
        faults.append(f"name: {fault}")
    faults += [f"options.{fault}" for fault in order.options.faults()]
    if order.signals:
        there = compile_plan(closure).signals
        for id, lit in order.signals.items():
            if id not in there:
                shown = ", ".join(f"{name}: {type_text(t)}" for name, t in sorted(there.items()))
                faults.append(f"signals.{id}: no gate waits for it; there are: {shown or 'none'}")
            elif reason := why_unfit(lit, there[id]):
                faults.append(f"signals.{id}: {reason}")
    return faults


async def _digest(inputs: LiteralMap, data: str) -> str:
    """A name for inputs that is the same for the same content of local files, wherever they lie."""
    counted = LiteralMap()
    counted.CopyFrom(inputs)

    def content() -> str:
        fingerprint.rewrite(counted.literals.values(), fingerprint.content_or_name, below=data)
        return digest(counted)

    local = any(map(fingerprint.local_path, fingerprint.uris_in(counted.literals.values(), below=data)))
    return await to_thread(content) if local else digest(counted)


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _shown(lit: Literal | None) -> str:
    """A value in a few letters."""
    if lit is None:
        return "nothing"
    try:
        text = repr(plain_of(lit))
    except ConversionError:
        return "a value"
    return text if len(text) <= 40 else f"{text[:37]}..."


def _said(phase: str) -> str:
    return phase.replace("_", " ")
