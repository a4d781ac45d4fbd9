"""Many commits in one transaction: one check of all fences, then few statements whatever the number of rows."""

from __future__ import annotations

from collections.abc import Sequence

from alula._kits.texts import storable
from alula.errors import FenceLost
from alula.store.connection import Connection
from alula.store.leasing import free
from alula.store.records import Changes, Claim, Ending
from alula.store.rows import (
    Row,
    attempt_row,
    execution_fence,
    execution_record,
    job_row,
    micros_or_none,
    node_row,
    stuck_row,
)

_Commit = tuple[Claim, Changes]


class _Rows:
    """What the commits of a group write, by key: of several rows with one key the last counts."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[int, str], Row] = {}
        self.attempts: dict[tuple[int, str, int], Row] = {}
        self.progress: dict[tuple[int, str, int], Row] = {}
        self.expansions: dict[tuple[int, str], Row] = {}
        self.signals: dict[tuple[int, str], Row] = {}
        self.jobs: dict[tuple[int, str, int], Row] = {}
        self.stuck: dict[tuple[int, str, int], Row] = {}
        self.freed: list[tuple[int, str, int]] = []
        self.endings: dict[int, tuple[Ending, bool]] = {}
        self.done: list[int] = []
        self.closed: list[int] = []
        self.children: list[int] = []

    def add(self, execution: int, changes: Changes) -> None:
        for node in changes.nodes:
            self.nodes[execution, node.path] = node_row(execution, node)
        for attempt in changes.attempts:
            self.attempts[execution, attempt.path, attempt.number] = attempt_row(execution, attempt)
        for told in changes.progress:
            key = execution, told.path, told.number
            self.progress[key] = (*key, told.done, storable(told.message))
        for expansion in changes.expansions:
            self.expansions.setdefault((execution, expansion.path), (execution, expansion.path, expansion.closure))
        for signal in changes.signals:
            self.signals.setdefault((execution, signal.signal_id), (execution, signal.signal_id, signal.value))
        for job in changes.jobs:
            self.jobs[execution, job.path, job.number] = job_row(execution, job)
        for stuck in changes.stuck:
            self.stuck[execution, stuck.path, stuck.number] = stuck_row(execution, stuck)
        if changes.freed:
            self.freed += ((execution, *key) for key in changes.freed)
        self.done += changes.commands_done
        if changes.execution is not None:
            self.endings[execution] = changes.execution, changes.closed
        if changes.closed:
            self.closed.append(execution)
        if changes.tell_parent:
            self.children.append(execution)

    def write(self, connection: Connection) -> None:
        for name, rows in (
            ("node", self.nodes),
            ("attempt", self.attempts),
            ("progress", self.progress),
            ("expansion", self.expansions),
            ("signal", self.signals),
            ("job_put", self.jobs),
            ("stuck_put", self.stuck),
        ):
            if rows:
                connection.insert(name, list(rows.values()))
        for key in self.freed:
            free(connection, *key)
        if self.done:
            connection.rows("commands_done", ids=self.done)
        if self.endings:
            connection.insert("ending", [_ending(execution, *how) for execution, how in self.endings.items()])
            connection.news.executions.update(dict.fromkeys(self.endings))
        if self.closed:
            if left := [execution for execution in self.closed if not self.endings.get(execution, (None, False))[1]]:
                connection.rows("closed", ids=left)
            connection.rows("closed_commands", ids=self.closed)
            connection.rows("closed_progress", ids=self.closed)
            connection.news.executions.update(dict.fromkeys(self.closed))
        for execution in self.children:
            for (parent,) in connection.rows("tell_parent", execution=execution, body=b""):
                connection.news.executions[parent] = None


def write(connection: Connection, commits: Sequence[_Commit], *, again: bool = False) -> list[FenceLost | None]:
    """Write all commits whose fence is the present one. What is in the way of each of them, in their order.

    Args:
        again: The same was written before, and nobody knows whether that stays.
    """
    if len(commits) == 1:
        found = connection.rows("fence", execution=commits[0][0].execution)
    else:
        found = connection.rows("fences", ids=list(dict.fromkeys(claim.execution for claim, _ in commits)))
    held = {id: (owner, fence) for id, owner, fence in found}
    rows = _Rows()
    lost: list[FenceLost | None] = []
    for claim, changes in commits:
        holder = held.get(claim.execution, ("", 0))
        if holder != (claim.owner, claim.fence):
            done = again and changes.closed and _closed_under(connection, claim)
            lost.append(None if done else fence_lost(claim, holder[0]))
            continue
        rows.add(claim.execution, changes)
        if changes.closed:
            del held[claim.execution]
        lost.append(None)
    rows.write(connection)
    return lost


def _closed_under(connection: Connection, claim: Claim) -> bool:
    """Whether an execution was closed by a commit of this claim."""
    row = connection.one("execution", id=claim.execution)
    return row is not None and not execution_record(row).open and execution_fence(row)[1] == claim.fence


def check_fence(connection: Connection, claim: Claim) -> None:
    """Raises FenceLost if another engine has the execution; nobody takes it before this transaction is over."""
    row = connection.one("fence", execution=claim.execution)
    holder = ("", 0) if row is None else (row[1], row[2])
    if holder != (claim.owner, claim.fence):
        raise fence_lost(claim, holder[0])


def fence_lost(claim: Claim, holder: str) -> FenceLost:
    return FenceLost(
        f"engine {claim.owner!r} has lost execution {claim.execution} (its fence is {claim.fence})",
        where=f"engine {holder!r} has it" if holder else "nobody has it",
        fix="nothing: whoever has it now goes on with it",
    )


def _ending(execution: int, ending: Ending, closed: bool) -> Row:
    times = micros_or_none(ending.started_at) or 0, micros_or_none(ending.ended_at) or 0
    return execution, ending.phase, *times, ending.outputs, storable(ending.error), closed
