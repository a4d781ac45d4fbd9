"""Rows that the tests of this folder write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alula.store.records import Changes, Claim, Ending, ExecutionKey, NewExecution, NodeRecord
from alula.store.store import Store

NOW = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LONG = timedelta(hours=1)
CLOSING = Changes(execution=Ending("succeeded", NOW, NOW, b"outputs"), closed=True)


def new(name: str) -> NewExecution:
    return NewExecution(ExecutionKey("p", "d", name), "workflow p:d:w:v", b"closure", b"inputs", "f")


def node(path: str, body: bytes = b"body") -> NodeRecord:
    return NodeRecord(path, "running", NOW, None, body)


def step(path: object, body: bytes = b"body") -> Changes:
    return Changes(nodes=(node(str(path), body),))


async def claimed(store: Store, name: str = "x", *, owner: str = "a") -> Claim:
    """A new execution, in the hands of an engine that lives."""
    record, _ = await store.create(new(name))
    await store.beat(owner, lease=LONG)
    (claim,) = await store.claim(owner, limit=1, only=[record.id])
    return claim


async def paths(store: Store, execution: int) -> list[str]:
    return [node.path for node in await store.nodes(execution)]
