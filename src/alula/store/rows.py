"""Rows of the database to records and back. The order of fields is that of the columns in `tables`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from alula._kits.texts import storable
from alula.store.records import (
    AttemptRecord,
    CacheRecord,
    EntityRecord,
    ExecutionKey,
    ExecutionRecord,
    JobRecord,
    LeaseRecord,
    NewExecution,
    NodeRecord,
    Parent,
    PoolRecord,
    StuckRecord,
)

ARCHIVED = 1
"""A state of executions, in Flyte's numbers."""

Row = tuple[Any, ...]
"""As the database gives it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """A time as it is stored: microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def micros_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def moment(stored: int) -> datetime:
    """A time that was stored."""
    return _EPOCH + timedelta(microseconds=stored)


def moment_or_none(stored: int | None) -> datetime | None:
    return None if stored is None else _EPOCH + timedelta(microseconds=stored)


def span(length: timedelta) -> int:
    """A duration in microseconds."""
    return length // _MICROSECOND


def node_row(execution: int, node: NodeRecord) -> Row:
    return execution, node.path, node.phase, micros(node.since), micros_or_none(node.ended_at), node.body


def node_record(row: Row) -> NodeRecord:
    path, phase, since, ended_at, body = row
    return NodeRecord(path, phase, moment(since), moment_or_none(ended_at), body)


def attempt_row(execution: int, attempt: AttemptRecord) -> Row:
    return (
        execution,
        attempt.path,
        attempt.number,
        attempt.phase,
        attempt.open,
        micros(attempt.since),
        micros_or_none(attempt.started_at),
        micros_or_none(attempt.ended_at),
        attempt.body,
    )


def attempt_record(row: Row) -> AttemptRecord:
    path, number, phase, open, since, started_at, ended_at, body = row
    times = moment(since), moment_or_none(started_at), moment_or_none(ended_at)
    return AttemptRecord(path, number, phase, bool(open), *times, body)


def execution_values(new: NewExecution, digest: str, now: int) -> dict[str, Any]:
    """The columns of a new execution."""
    parent = new.parent or Parent(0, "", 0)
    workflow = workflow_of(new)
    return {
        "project": new.key.project,
        "domain": new.key.domain,
        "name": new.key.name,
        "entity": new.entity,
        "fingerprint": new.fingerprint,
        "phase": "queued",
        "open": True,
        "owner": "",
        "fence": 0,
        "created_at": now,
        "started_at": None,
        "ended_at": None,
        "inputs": new.inputs,
        "outputs": b"",
        "error": "",
        "settings": new.settings,
        "closure": digest,
        "reference": new.reference,
        "parent": parent.execution,
        "parent_path": parent.path,
        "parent_attempt": parent.attempt,
        "labels": json.dumps(dict(new.labels)),
        "facts": json.dumps(dict(new.facts)),
        "entity_name": name_in(new.entity),
        "workflow": workflow,
        "workflow_name": name_in(workflow),
        "principal": new.principal,
        "state_by": "",
        "aborted_by": "",
        "tags": lines(new.tags),
        "mode": new.mode,
        "state": 0,
        "state_at": None,
        "spec": new.spec or None,
    }


def execution_record(row: Row) -> ExecutionRecord:
    id, project, domain, name, entity, fingerprint, phase, open, owner, _fence, *rest = row
    created_at, started_at, ended_at, inputs, outputs, error, settings, closure, reference, *rest = rest
    parent, parent_path, parent_attempt, labels, facts, _, workflow, _, principal, *rest = rest
    state_by, aborted_by, tags, mode, state, state_at, spec = rest
    return ExecutionRecord(
        id=id,
        key=ExecutionKey(project, domain, name),
        entity=entity,
        fingerprint=fingerprint,
        phase=phase,
        open=bool(open),
        created_at=moment(created_at),
        started_at=moment_or_none(started_at),
        ended_at=moment_or_none(ended_at),
        inputs=inputs,
        outputs=outputs,
        error=error,
        settings=settings,
        closure=closure,
        reference=reference,
        parent=Parent(parent, parent_path, parent_attempt) if parent else None,
        labels=json.loads(labels),
        facts=json.loads(facts),
        owner=owner,
        workflow=workflow,
        principal=principal,
        aborted_by=aborted_by,
        tags=tuple(tags.split("\n")[1:-1]),
        mode=mode,
        archived=state == ARCHIVED,
        state_at=moment_or_none(state_at),
        state_by=state_by,
        spec=spec or b"",
    )


def lines(texts: Sequence[str]) -> str:
    """Texts as one, in which each is found by the line breaks around it."""
    return "".join(["\n", *(f"{text}\n" for text in texts)]) if texts else ""


def workflow_of(new: NewExecution) -> str:
    """What it runs, if that is known."""
    return new.workflow or (new.entity if new.entity.startswith("workflow:") else "")


def name_in(id: str) -> str:
    """The name in `kind:project:domain:name:version`, which may hold colons."""
    return ":".join(id.split(":")[3:-1])


def execution_fence(row: Row) -> tuple[str, int]:
    """Who has an execution, and under which fence."""
    return row[8], row[9]


def entity_values(entity: EntityRecord, now: int) -> dict[str, Any]:
    return {
        "kind": entity.kind,
        "project": entity.project,
        "domain": entity.domain,
        "name": entity.name,
        "version": entity.version,
        "digest": entity.digest,
        "spec": entity.spec,
        "closure": entity.closure,
        "created_at": now if entity.created_at is None else micros(entity.created_at),
    }


def entity_record(row: Row) -> EntityRecord:
    """An entity, from a row with its spec and closure or without."""
    kind, project, domain, name, version, digest, *rest, created_at = row
    spec, closure = rest or (b"", b"")
    return EntityRecord(kind, project, domain, name, version, digest, spec, closure, moment(created_at))


def cache_row(record: CacheRecord) -> Row:
    times = micros(record.created_at), micros(record.used_at)
    return record.key, record.task, record.outputs, record.source, record.size_bytes, *times


def cache_record(row: Row) -> CacheRecord:
    key, task, outputs, source, size_bytes, created_at, used_at = row
    return CacheRecord(key, task, outputs, source, size_bytes, moment(created_at), moment(used_at))


def job_row(execution: int, job: JobRecord) -> Row:
    return execution, job.path, job.number, job.state, job.version, job.info


def job_record(row: Row) -> JobRecord:
    return JobRecord(*row)


def stuck_row(execution: int, stuck: StuckRecord) -> Row:
    return execution, stuck.path, stuck.number, micros(stuck.since), stuck.tries, storable(stuck.error)


def stuck_record(row: Row, execution: int = 0) -> StuckRecord:
    path, number, since, tries, error = row
    return StuckRecord(path, number, moment(since), tries, error, execution)


def pool_row(pool: PoolRecord) -> Row:
    return pool.name, pool.units, pool.per_project, json.dumps(dict(pool.weights), sort_keys=True), pool.priority


def pool_record(row: Row) -> PoolRecord:
    name, units, per_project, weights, priority = row
    return PoolRecord(name, units, per_project, json.loads(weights), priority)


def lease_record(row: Row) -> LeaseRecord:
    id, pool, execution, path, number, units, project, priority, since, granted, bypassed = row
    asked = units, project, priority, moment(since)
    return LeaseRecord(id, pool, execution, path, number, *asked, bool(granted), bypassed)
