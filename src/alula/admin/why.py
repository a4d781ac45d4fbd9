"""Why something does not run: what it waits for, what that waits for, and so on to the cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alula.admin.desk import Desk
from alula.admin.executions import ended
from alula.admin.sayings import said
from alula.admin.views import loaded, plan_of
from alula.engine.execution import Execution
from alula.engine.nodes.task import child_name
from alula.engine.plan import Kind
from alula.engine.state import HOLDS_SLOT, ROOT
from alula.engine.why import Reason, Waiting, waiting
from alula.errors import Unknown
from alula.store.records import ExecutionKey, ExecutionRecord

LIMIT = 20
"""The most that is said about one question."""
NO_ENGINE = "no_engine"
"""Beside the reasons of `engine.why`: nobody drives the execution."""
CHILD = "child"
"""An execution that the node launched is under way."""


@dataclass(frozen=True, slots=True)
class Why:
    """One link of the explanation."""

    execution: str
    path: str
    """Empty: the execution itself."""
    title: str
    reason: str
    """A word for programs: one of `engine.why.Reason`, `no_engine` or `child`."""
    text: str
    """A sentence for people, without the node's own name."""
    on: tuple[str, ...] = ()
    """What comes next in the chain: paths, signal ids or URIs."""
    until: datetime | None = None


async def why(desk: Desk, key: ExecutionKey, path: str = ROOT) -> list[Why]:
    """Why a node, or an execution, is where it is: first of itself, then of what it waits for.

    Raises:
        Unknown: There is no such execution or node.
    """
    record = await desk.store.execution(key)
    x = await loaded(desk, record)
    plan_of(x, path)
    found = [] if ended(record) else await _engine(desk, record)
    told = await said(desk, record.id)
    reports, quotas = told.reports, told.quotas
    todo, seen = [path], {path}
    while todo and len(found) < LIMIT:
        at = todo.pop(0)
        link = waiting(x, at, reports, quotas)
        found.append(_link(x, at, link))
        row = x.nodes.get(at)
        if row is not None and row.phase.terminal and (at, row.attempt) in told.stuck:
            stuck = Waiting(Reason.CLEANUP, f"its last attempt is {told.of((at, row.attempt)).stuck}")
            found.append(_link(x, at, stuck))
        if link.reason in (Reason.UPSTREAM, Reason.INSIDE, Reason.PARALLELISM):
            further = [one for one in _next(x, at, link) if one not in seen]
            todo.extend(further)
            seen.update(further)
        found += await _child(desk, x, record, at)
    return found


def _next(x: Execution, path: str, said: Waiting) -> Sequence[str]:
    """Whom to ask next; where a node waits for a slot, those that hold one are no cause worth a line each."""
    if said.reason is Reason.PARALLELISM:
        return ()
    on = [one for one in said.on if one in x.nodes or said.reason is Reason.UPSTREAM]
    waits = [one for one in on if (row := x.nodes.get(one)) is None or row.phase not in HOLDS_SLOT]
    return waits or on


def _link(x: Execution, path: str, said: Waiting) -> Why:
    title = plan_of(x, path).title if path != ROOT else x.name
    return Why(x.name, path, title, str(said.reason), said.text, said.on, said.until)


async def _engine(desk: Desk, record: ExecutionRecord) -> list[Why]:
    """Whether somebody drives the execution; nothing if all is well."""
    owners = {name: (until, lives) for name, until, lives in await desk.store.owners()}
    living = sorted(name for name, (_, lives) in owners.items() if lives)
    name = record.key.name
    if record.owner and owners.get(record.owner, (None, False))[1]:
        return []
    if record.owner:
        until = owners[record.owner][0] if record.owner in owners else None
        since = f" since {until:%Y-%m-%d %H:%M:%S} UTC" if until is not None else ""
        text = f"its engine {record.owner} was not heard of{since}"
    else:
        text = "no engine has it"
    if living:
        text += f"; one of those that live will take it: {', '.join(living[:5])}"
    else:
        text += f"; none is running: start one with alula serve, or go on with alula run --name {name} ..."
    return [Why(name, ROOT, name, NO_ENGINE, text)]


async def _child(desk: Desk, x: Execution, record: ExecutionRecord, path: str) -> list[Why]:
    """Why an execution that a node launched has not ended."""
    row = x.nodes.get(path)
    if row is None or row.phase not in HOLDS_SLOT or plan_of(x, path).kind is not Kind.LAUNCH_PLAN:
        return []
    name = child_name(x.name, path, row.attempt)
    key = ExecutionKey(record.key.project, record.key.domain, name)
    try:
        child = await desk.store.execution(key)
    except Unknown:
        return []
    text = f"it is execution {name}, which is {child.phase.replace('_', ' ')}: alula why {name} tells more"
    return [Why(x.name, path, plan_of(x, path).title, CHILD, text, (name,))]
