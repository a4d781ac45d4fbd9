"""The figures of the control plane: how soon an execution starts, how many a second, and how fast its lists turn pages.

The server is `alula serve` as a process of its own, durable: on SQLite (FULL), or on a Postgres of this machine with
`fsync` and `synchronous_commit` on. Whoever asks is a process too, over gRPC.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import grpc
import psycopg

from alula.engine.codec import pack_node
from alula.engine.state import NodePhase, NodeState, Values
from alula.idl import Identifier, ResourceType, WorkflowExecutionIdentifier
from alula.idl.service import (
    ADMIN,
    ExecutionCreateRequest,
    ExecutionCreateResponse,
    ExecutionList,
    LaunchPlanCreateRequest,
    LaunchPlanCreateResponse,
    LaunchPlanSpec,
    NamedEntityIdentifier,
    NodeExecutionList,
    NodeExecutionListRequest,
    ResourceListRequest,
    Sort,
    TaskCreateRequest,
    TaskCreateResponse,
    WorkflowCreateRequest,
    WorkflowCreateResponse,
)
from alula.sdk.serialize import SerializationSettings, serialize
from alula.store.rows import moment, node_row
from bench import served
from bench.durable import Table
from tests.servers.postgres import NoPostgres, running_postgres

PARTS = ("create", "load", "pages")
_HERE = Path(__file__).resolve().parents[1]
_NODES = 10
"""Of each execution in the lists."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is asked for."""

    creates: int
    load: int
    executions: int
    pages: int


FULL = Size(creates=300, load=3_000, executions=100_000, pages=1_000)
SHORT = Size(creates=50, load=500, executions=10_000, pages=100)


def measure(parts: Sequence[str], *, short: bool) -> None:
    """Print the figures of these parts."""
    size, table = SHORT if short else FULL, Table()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if {"create", "load"} & set(parts):
            with _server(home / "runs") as (address, database):
                asyncio.run(_runs(address, database, size, table, parts))
            try:
                with running_postgres(durable=True) as url, _server(home / "served", url) as (address, _):
                    asyncio.run(_runs(address, url, size, table, parts))
            except NoPostgres as exc:
                table.note("the same on Postgres", "left out", str(exc))
        if "pages" in parts:
            with _server(home / "pages") as (address, database):
                asyncio.run(_one(address, database))
            _fill(database, size.executions)
            with _server(home / "pages") as (address, database):
                asyncio.run(_pages(address, size, table))


async def _runs(address: str, database: Path | str, size: Size, table: Table, parts: Sequence[str]) -> None:
    where, least = ("SQLite", 200) if isinstance(database, Path) else ("Postgres", 300)
    async with AsyncExitStack() as stack:
        ask = stack.enter_context(_asking(database))
        calls = await stack.enter_async_context(_clients(address, 50))
        await _registered(calls[0])
        await _done(ask, [await _create(calls[0])])  # the workers are warm after it
        if "create" in parts:
            names = []
            for _ in range(size.creates):
                names.append(await _create(calls[0]))
                await _done(ask, names[-1:])
            taken = _until_started(ask, names)
            table.bar(
                f"CreateExecution to the first task's start, idle, {where}",
                f"p50 {_at(taken, 0.5):.1f} ms, p99 {_at(taken, 0.99):.1f} ms",
                "p50 under 10, p99 under 50",
                met=_at(taken, 0.5) < 10 and _at(taken, 0.99) < 50,
            )
        if "load" in parts:
            begun, left = perf_counter(), iter(range(size.load))

            async def submit(call: Calls) -> list[str]:
                return [await _create(call) for _ in left]

            made = await asyncio.gather(*map(submit, calls))
            await _done(ask, [name for names in made for name in names])
            rate = size.load / (perf_counter() - begun)
            table.bar(
                f"{size.load:,} executions of one task, by 50 clients, {where}",
                f"{rate:.0f}/s",
                f"at least {least}/s",
                met=rate >= least,
            )


async def _one(address: str, database: Path) -> None:
    """One execution, which is the pattern for many."""
    async with _clients(address, 1) as [call]:
        await _registered(call)
        with _asking(database) as ask:
            await _done(ask, [await _create(call, "bench.served.nine")])


async def _pages(address: str, size: Size, table: Table) -> None:
    async with _clients(address, 1) as [call]:
        for name, sort, filters in (
            ("newest first", "created_at", ""),
            ("of one workflow", "created_at", "eq(workflow.name,flow8)"),
            ("failed or aborted", "created_at", "value_in(phase,FAILED;ABORTED)"),
            ("of one user", "created_at", "eq(user,user7)"),
            ("with a tag", "created_at", "eq(execution_tag.name,t3)"),
            ("by start", "started_at", ""),
            ("by last change", "updated_at", ""),
            ("by duration", "duration", ""),
            ("failed, by duration", "duration", "eq(phase,FAILED)"),
            ("of a user, by start", "started_at", "eq(user,user7)+eq(state,EXECUTION_ACTIVE)"),
        ):
            taken = await _turned(call, sort, filters, size.pages)
            table.bar(
                f"a page of 100 of {size.executions:,} executions, {name}",
                f"p50 {_at(taken, 0.5):.1f} ms, p99 {_at(taken, 0.99):.1f} ms",
                "p99 under 50",
                met=_at(taken, 0.99) < 50,
            )
        taken = []
        for nth in range(size.pages):
            id = WorkflowExecutionIdentifier(
                project="bench", domain="bench", name=f"x{(nth * 7_919) % size.executions:06}"
            )
            begun = perf_counter()
            await call(
                "ListNodeExecutions", NodeExecutionListRequest(workflow_execution_id=id, limit=100), NodeExecutionList
            )
            taken.append(1000 * (perf_counter() - begun))
        table.bar(
            f"the nodes of one, of {size.executions * _NODES:,}",
            f"p50 {_at(taken, 0.5):.1f} ms, p99 {_at(taken, 0.99):.1f} ms",
            "p99 under 50",
            met=_at(taken, 0.99) < 50,
        )


async def _turned(call: Calls, sort: str, filters: str, most: int) -> list[float]:
    """Milliseconds of each page, from the first one on, and over again after the last."""
    taken: list[float] = []
    request = ResourceListRequest(id=NamedEntityIdentifier(project="bench", domain="bench"), limit=100, filters=filters)
    request.sort_by.key, request.sort_by.direction = sort, Sort.DESCENDING
    while len(taken) < most:
        begun = perf_counter()
        found = await call("ListExecutions", request, ExecutionList)
        taken.append(1000 * (perf_counter() - begun))
        request.token = found.token
    return taken


# --- the server, and who asks it ---

Calls = Callable[[str, Any, type[Any]], Awaitable[Any]]


@contextmanager
def _server(home: Path, store: str = "") -> Iterator[tuple[str, Path]]:
    """Its address and its database, unless the store is elsewhere."""
    home.mkdir(exist_ok=True)
    log = home / "serve.log"
    command = [sys.executable, "-m", "alula.cli.main", "serve", "--grpc", "127.0.0.1:0", "--data", str(home)]
    command += ["--store", store] if store else []
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, cwd=home, env={**os.environ, "PYTHONPATH": str(_HERE)}
        )
    try:
        while (found := re.search(r"^gRPC at (\S+)$", log.read_text(), re.MULTILINE)) is None:
            if process.poll() is not None:
                raise SystemExit(f"bench: alula serve has ended:\n{log.read_text()}")
            time.sleep(0.05)
        yield found[1], home / "alula.db"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@asynccontextmanager
async def _clients(address: str, count: int) -> AsyncIterator[list[Calls]]:
    """Each with a connection of its own."""
    own = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address, options=own) for _ in range(count)]

    def calling(channel: Any) -> Calls:
        def call(name: str, request: Any, answers: type[Any]) -> Awaitable[Any]:
            made: Awaitable[Any] = channel.unary_unary(
                f"/{ADMIN}/{name}",
                request_serializer=type(request).SerializeToString,
                response_deserializer=answers.FromString,
            )(request)
            return made

        return call

    yield [calling(channel) for channel in channels]
    await asyncio.gather(*(channel.close() for channel in channels))


async def _registered(call: Calls) -> None:
    for one in (served.one, served.nine):
        specs = serialize(one, SerializationSettings(project="bench", domain="bench", version="v1"))
        for task in specs.tasks.values():
            await call("CreateTask", TaskCreateRequest(id=task.template.id, spec=task), TaskCreateResponse)
        for flow in specs.workflows.values():
            id = flow.template.id
            await call("CreateWorkflow", WorkflowCreateRequest(id=id, spec=flow), WorkflowCreateResponse)
            request = LaunchPlanCreateRequest(id=_plan(id.name), spec=LaunchPlanSpec(workflow_id=id))
            await call("CreateLaunchPlan", request, LaunchPlanCreateResponse)


def _plan(name: str) -> Identifier:
    return Identifier(resource_type=ResourceType.LAUNCH_PLAN, project="bench", domain="bench", name=name, version="v1")


async def _create(call: Calls, what: str = "bench.served.one") -> str:
    request = ExecutionCreateRequest(project="bench", domain="bench", name=f"x{uuid.uuid4().hex}")
    request.spec.launch_plan.CopyFrom(_plan(what))
    return str((await call("CreateExecution", request, ExecutionCreateResponse)).id.name)


# --- the database, to look at and to fill ---


Ask = Callable[[str, Sequence[str]], list[Any]]


@contextmanager
def _asking(database: Path | str) -> Iterator[Ask]:
    """Rows of a database: a file, or the URL of a server."""
    if isinstance(database, Path):
        with closing(sqlite3.connect(database)) as rows:
            yield lambda text, values: rows.execute(text, values).fetchall()
    else:
        with psycopg.connect(database, autocommit=True) as session:
            yield lambda text, values: session.execute(text.replace("?", "%s").encode(), values).fetchall()


async def _done(ask: Ask, names: Sequence[str]) -> None:
    """Wait until executions have ended."""
    marks = ",".join("?" * len(names))
    asked = f"SELECT count(*) FROM executions WHERE ended_at IS NOT NULL AND name IN ({marks})"
    while ask(asked, names)[0][0] < len(names):  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.01)


def _until_started(ask: Ask, names: Sequence[str]) -> list[float]:
    """Milliseconds from the creation of executions to the start of their first task, by the clock of the server."""
    asked = "SELECT x.name, a.started_at - x.created_at FROM executions x JOIN attempts a ON a.execution = x.id"
    found = dict(ask(asked, ()))
    return [found[name] / 1000 for name in names]


def _fill(database: Path, count: int) -> None:
    """Many executions of ten nodes each, like the one that is there."""
    with sqlite3.connect(database) as rows:
        columns = [name for _, name, *_ in rows.execute("PRAGMA table_info(executions)")]
        pattern = dict(zip(columns, rows.execute("SELECT * FROM executions").fetchone(), strict=True))
        since = pattern["created_at"]

        def execution(nth: int) -> list[Any]:
            at = since + nth * 1_000
            phase = "failed" if nth % 50 == 7 else "aborted" if nth % 1_000 == 1 else "succeeded"
            flow = f"flow{nth % 50}"
            changed = {"id": nth + 1_000, "name": f"x{nth:06}", "phase": phase, "workflow_name": flow}
            changed |= {"created_at": at, "started_at": at + 500, "ended_at": at + 100_000 + nth * 104_729 % 5_000_000}
            changed |= {"principal": f"user{nth % 20}", "tags": f"\nt{nth % 70}\n" if nth % 10 == 0 else ""}
            return [changed.get(column, pattern[column]) for column in columns]

        marks = ",".join("?" * len(columns))
        rows.executemany(f"INSERT INTO executions VALUES ({marks})", map(execution, range(count)))
        at = moment(since)
        bodies = [
            node_row(
                0, pack_node(NodeState(path, NodePhase.SUCCEEDED, at, outputs=Values(), started_at=at, ended_at=at))
            )
            for path in ("", *(f"n{nth}" for nth in range(_NODES - 1)))
        ]
        nodes = ((nth + 1_000, *row[1:]) for nth in range(count) for row in bodies)
        rows.executemany("INSERT INTO nodes VALUES (?, ?, ?, ?, ?, ?)", nodes)


def _at(taken: Sequence[float], share: float) -> float:
    return sorted(taken)[min(len(taken) - 1, int(len(taken) * share))]
