"""`AsyncRun`: one execution, as a client holds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from alula.admin import executions, signals, values, views
from alula.admin import why as reasons
from alula.admin.options import Options
from alula.admin.signals import Signal
from alula.admin.views import AttemptView, NodeView
from alula.admin.why import Why
from alula.client.ending import as_error, failure_of, values_of
from alula.client.logs import LogLine, read_logs
from alula.engine.codec import read_closure
from alula.engine.state import ROOT
from alula.errors import Unknown
from alula.idl import TypedInterface
from alula.idl.types import type_text
from alula.sdk.graph import Entity
from alula.store.records import ExecutionRecord
from alula.types import maps
from alula.types.registry import default

if TYPE_CHECKING:
    from alula.client.asynchronous import AsyncClient


class AsyncRun:
    """One execution. What it says of itself is as of the last look (`refresh`, `wait`).

    Args:
        entity: What runs, if it is known here: then outputs have the types that it declares.
        new: Whether it was created just now.
    """

    def __init__(self, client: AsyncClient, record: ExecutionRecord, entity: Entity | None, *, new: bool) -> None:
        self._client, self.record, self._entity, self.new = client, record, entity, new

    @property
    def name(self) -> str:
        return self.record.key.name

    @property
    def id(self) -> int:
        return self.record.id

    @property
    def phase(self) -> str:
        """`queued`, `running`, `succeeded`, `failed`, ..."""
        return self.record.phase

    @property
    def ended(self) -> bool:
        return executions.ended(self.record)

    @property
    def created_at(self) -> datetime:
        return self.record.created_at

    def __repr__(self) -> str:
        return f"<execution {self.name}: {self.phase}>"

    async def refresh(self) -> Self:
        """Look again. Raises Unknown if it was deleted."""
        self.record = await self._client.house.store.execution_by_id(self.id)
        return self

    async def wait(self, timeout: float | None = None) -> Self:  # noqa: ASYNC109 - what people look for
        """Wait for the end. Raises TimeoutError after so many seconds; the execution goes on."""
        async with asyncio.timeout(timeout):
            self.record = await self._client.until_ended(self.id)
        return self

    async def outputs(self) -> dict[str, Any]:
        """What it gave, by name, waited for.

        Raises:
            TaskFailure: It did not end well.
        """
        if not self.ended:
            await self.wait()
        error = await self.error()
        if error is not None:
            raise error
        found = await values.outputs(self._client.desk, self.record.key)
        return await values_of(found, self._entity, await self.interface(), self._client.place(self.name))

    async def result(self) -> Any:
        """What calling the entity gives: the one output, a tuple of several, or None."""
        found = await self.outputs()
        if self._entity is not None:
            return self._entity.interface.pack(tuple(found[name] for name in self._entity.interface.outputs))
        return next(iter(found.values())) if len(found) == 1 else tuple(found.values()) or None

    async def error(self) -> Exception | None:
        """How it failed; None if it did not, or has not ended."""
        if not self.ended or self.phase == "succeeded":
            return None
        return as_error(self.record, await failure_of(self._client.house.store, self.record))

    async def interface(self) -> TypedInterface:
        """What it takes and gives."""
        data = await self._client.house.store.closure(self.record.closure)
        return read_closure(data).primary.template.interface

    async def nodes(self, path: str = ROOT, *, deep: bool = True, elements: int = views.ELEMENTS) -> list[NodeView]:
        """A node and what is in it. Raises Unknown."""
        return await views.nodes(self._client.desk, self.record.key, path, deep=deep, elements=elements)

    async def attempts(self, path: str | None = None) -> list[AttemptView]:
        """The attempts of a node, or all of them. Raises Unknown."""
        return await views.attempts(self._client.desk, self.record.key, path)

    async def logs(
        self, path: str | None = None, *, attempt: int | None = None, follow: bool = False
    ) -> AsyncGenerator[LogLine, None]:
        """What tasks printed, of one node or all; until the end, if it is followed. Raises Unknown."""
        async for line in read_logs(self._client.desk, self.record.key, path, attempt=attempt, follow=follow):
            yield line

    async def why(self, path: str = ROOT) -> list[Why]:
        """Why it, or a node of it, is where it is. Raises Unknown."""
        return await reasons.why(self._client.desk, self.record.key, path)

    async def signals(self) -> list[Signal]:
        """What it asks of people."""
        return await signals.signals(self._client.desk, self.record.key)

    async def signal(self, id: str, value: Any) -> None:
        """Give a gate its value. Raises Unknown, RequestError, ConversionError."""
        wanted = {one.id: one.type for one in await self.signals()}
        if id not in wanted:
            there = ", ".join(f"{name}: {type_text(t)}" for name, t in wanted.items())
            raise Unknown(f"no gate of {self.name} waits for {id!r}", fix=f"there are: {there or 'none'}")
        converter = default.converter(default.guess(wanted[id]))
        found = await maps.to_literals({id: value}, {id: converter}, self._client.place(self.name))
        await signals.give(self._client.desk, self.record.key, id, found.literals[id])

    async def approve(self, id: str, *, yes: bool = True) -> None:
        """Say yes or no at a gate. Raises Unknown, RequestError."""
        await signals.approve(self._client.desk, self.record.key, id, yes=yes)

    async def abort(self, reason: str = "", *, wait: bool = True) -> Self:
        """Stop it. Without an engine that has it, the one of this client does it.

        Raises:
            RequestError: It has ended by itself.
        """
        await executions.abort(self._client.desk, self.record.key, reason=reason)
        await self._client.drive(self)
        return await self.wait() if wait else self

    async def recover(self, *, name: str = "", wait: bool = True, options: Options | None = None) -> AsyncRun:
        """A new execution that runs what did not succeed here, and takes the rest over. Raises RequestError."""
        made = await executions.recover(self._client.desk, self.record.key, name=name, options=options)
        return await self._next(made, wait)

    async def rerun(self, *nodes: str, name: str = "", wait: bool = True, options: Options | None = None) -> AsyncRun:
        """A new execution that runs some nodes again, with what comes after them; without any, all of it."""
        made = await executions.rerun(self._client.desk, self.record.key, nodes=nodes, name=name, options=options)
        return await self._next(made, wait)

    async def _next(self, made: executions.Created, wait: bool) -> AsyncRun:
        run = AsyncRun(self._client, made.record, self._entity, new=made.new)
        await self._client.drive(run)
        return await run.wait() if wait else run
