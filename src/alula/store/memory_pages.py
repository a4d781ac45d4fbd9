"""`PageStore` in memory: the same columns and tests as `page_statements` has them for databases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from alula.store.memory_rows import Rows
from alula.store.pages import Key, bounds
from alula.store.records import Condition, ExecutionKey, ExecutionRecord, NodeRecord, Page, Plain
from alula.store.rows import ARCHIVED, lines, micros, name_in

T = TypeVar("T")
Values = Mapping[str, Plain]

_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "in": lambda value, wanted: value in wanted,
    "not_in": lambda value, wanted: value not in wanted,
    "gt": lambda value, wanted: bool(value > wanted),
    "gte": lambda value, wanted: bool(value >= wanted),
    "lt": lambda value, wanted: bool(value < wanted),
    "lte": lambda value, wanted: bool(value <= wanted),
    "holds": lambda value, wanted: wanted in value,
    "starts": lambda value, wanted: bool(value.startswith(wanted)),
    "ends": lambda value, wanted: bool(value.endswith(wanted)),
}


class PagesInMemory(Rows):
    """What is listed for people and other programs."""

    async def page_executions(self, project: str, domain: str, page: Page) -> Sequence[tuple[Key, ExecutionRecord]]:
        records = [row.record for row in self._executions.values()]
        here = [one for one in records if (one.key.project, one.key.domain) == (project, domain)]
        found = chosen([(one.id, _values(one), one) for one in here], page)
        return [(key, replace(one, inputs=b"", outputs=b"", settings=b"")) for key, one in found]

    async def page_nodes(
        self, execution: int, inside: str, page: Page, *, elements: bool = False
    ) -> Sequence[tuple[Key, NodeRecord]]:
        low, high = bounds(inside, elements=elements)
        rows = [row for path, row in self._at(execution).nodes.items() if low < path < high]
        direct = [row for row in rows if not {"/", "["} & set(row.path[len(low) :])]
        return chosen([(row.path, _node_values(row), row) for row in direct], page)

    async def page_named(self, execution: int, paths: Collection[str], page: Page) -> Sequence[tuple[Key, NodeRecord]]:
        rows = (await self.nodes_at(execution, paths)).values()
        return chosen([(row.path, _node_values(row), row) for row in rows], page)

    async def nodes_at(self, execution: int, paths: Collection[str]) -> Mapping[str, NodeRecord]:
        rows = self._at(execution).nodes
        return {path: rows[path] for path in paths if path in rows}

    async def expanded(self, execution: int, paths: Collection[str]) -> Collection[str]:
        return set(paths) & self._at(execution).expansions.keys()

    async def expansion(self, execution: int, path: str) -> bytes | None:
        found = self._at(execution).expansions.get(path)
        return found.closure if found is not None else None

    async def roots(self, executions: Collection[int]) -> Mapping[int, NodeRecord]:
        there = {id: self._executions[id].nodes.get("") for id in executions if id in self._executions}
        return {id: root for id, root in there.items() if root is not None}

    async def keys(self, executions: Collection[int]) -> Mapping[int, ExecutionKey]:
        return {id: self._executions[id].record.key for id in executions if id in self._executions}

    async def archive(self, execution: int, *, away: bool, who: str) -> None:
        row = self._at(execution)
        row.record = replace(row.record, archived=away, state_at=self.clock.now(), state_by=who)

    async def note_abort(self, execution: int, who: str) -> None:
        row = self._at(execution)
        row.record = replace(row.record, aborted_by=row.record.aborted_by or who)


def chosen(rows: Sequence[tuple[Plain, Values, T]], page: Page) -> list[tuple[Key, T]]:
    """The page of these rows, each of which comes with its id and its columns."""
    found = [((values[page.sort], id), one) for id, values, one in rows if fits(values, page.where)]
    found.sort(key=lambda row: row[0], reverse=page.descending)
    if page.after is not None:
        last: Any = page.after
        found = [(key, one) for key, one in found if (key < last if page.descending else key > last)]
    return found[: page.limit]


def fits(values: Values, where: Collection[Condition]) -> bool:
    """Whether columns are as all conditions have them."""
    return all(_TESTS[one.test](values[one.column], one.value) for one in where)


def _values(record: ExecutionRecord) -> Values:
    created, started = micros(record.created_at), _micros(record.started_at)
    ended = _micros(record.ended_at)
    return {
        "created_at": created,
        "started_at": started,
        "updated_at": ended or started or created,
        "duration": ended - (started or created) if ended else 0,
        "mode": record.mode,
        "state": ARCHIVED if record.archived else 0,
        "parent": record.parent.execution if record.parent is not None else 0,
        "name": record.key.name,
        "phase": record.phase,
        "entity": record.entity,
        "entity_name": name_in(record.entity),
        "workflow": record.workflow,
        "workflow_name": name_in(record.workflow),
        "principal": record.principal,
        "tags": lines(record.tags),
    }


def _node_values(row: NodeRecord) -> Values:
    since = micros(row.since)
    return {
        "created_at": since,
        "updated_at": _micros(row.ended_at) or since,
        "path": row.path,
        "phase": row.phase,
    }


def _micros(at: datetime | None) -> int:
    return micros(at) if at is not None else 0
