"""Who makes a cache entry right now: of equal nodes one runs, and the others wait for its outputs.

A node asks when it has a slot, and is never given a reservation that it did not ask for: while it waited for a slot,
others would wait for the reservation, maybe those that have the slots.

A reservation belongs to a node of an execution, not to an engine: whoever takes the execution over goes on with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from alula._kits.aio import gather
from alula.store.store import CacheStore

log = logging.getLogger(__name__)

_LOOK_AGAIN = timedelta(milliseconds=500)
"""How often at most it is looked after keys that nodes of other engines may have let go."""
_AT_A_TIME = 16
BROKEN = Exception
"""A cache that does not work may raise anything; whoever asks it must not wait for ever, nor its engine end. What is
no fault of a store or of what it keeps is logged whole (`Memo._warn`)."""

Node = tuple[int, str]
"""A node that asks: id of its execution, path."""
Key = Callable[[], Awaitable[str | None]]


@dataclass(slots=True, eq=False)
class _Call:
    """A question for a reservation, while it is under way."""

    over: bool = False
    """Nobody waits for the answer."""
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def wanted(self) -> bool:
        return not self.over


class Reservations:
    """The reservations that nodes of one engine have or wait for. `run` must be running for as long as there are any.

    Args:
        cache: Where they are kept.
        lease: How long one lasts that nobody renews.
        there: Whether a good entry is under a key now.
        warn: Told of a cache that does not work.
    """

    def __init__(
        self,
        cache: CacheStore,
        lease: timedelta,
        *,
        there: Callable[[str], Awaitable[bool]],
        warn: Callable[[Exception], None],
    ) -> None:
        self._cache, self._lease, self._there, self._warn = cache, lease, there, warn
        self._held: dict[Node, tuple[str, str]] = {}
        """Those to keep alive: key and holder."""
        self._calls: dict[_Call, Node] = {}
        """Questions that are under way, and who asks."""
        self._waiting: dict[str, dict[Node, Callable[[], None]]] = {}
        """By key, who waits, first come first."""
        self._over: dict[Node, int] = {}
        """Nodes that gave back what they had not asked this engine for, and up to which generation of questions: one
        may still be on its way."""
        self._freeing: dict[Node, asyncio.Event] = {}
        """Nodes whose reservation is being given back: whoever asks again waits for that."""
        self._stirred, self._holding = asyncio.Event(), asyncio.Event()
        self._frees = 0

    def holds(self, node: Node) -> bool:
        return node in self._held

    def over(self, node: Node, generation: int) -> bool:
        """Whether a node has given back what it asks for only now: it has ended in between."""
        return generation <= self._over.get(node, -1)

    async def take(self, node: Node, key: Awaitable[str], holder: str, freed: Callable[[], None]) -> datetime | None:
        """Ask for the reservation of a key.

        Args:
            key: Worked out within the call, since the node may end meanwhile.
            holder: The name of the node, the same in every engine.
            freed: Called once, when it is worth while to look again, if another node has it.

        Returns:
            None: The node has it, and it is kept alive until `free`. Else until when another one has it.

        Raises:
            StoreError, and whatever `key` raises.
        """
        call, frees = _Call(), self._frees
        self._calls[call] = node
        try:
            at = await key
            while node in self._freeing and call.wanted():
                await self._freeing[node].wait()
            if not call.wanted():
                return None
            until = await self._cache.reserve(at, holder, lease=self._lease)
        finally:
            del self._calls[call]
            call.done.set()
        if not call.wanted():
            return until
        if until is None:
            self.wait_no_more(at, node)
            self._held[node] = at, holder
            self._holding.set()
        else:
            self._waiting.setdefault(at, {})[node] = freed
            if frees != self._frees:  # it may have been freed while we asked
                self._stirred.set()
        return until

    def free(self, node: Node, generation: int, key: Key, holder: str) -> Coroutine[Any, Any, None]:
        """Give back what a node holds or waits for, and tell others who wait for it.

        What to do is settled by the call, so the session may be dropped before the coroutine runs.

        Args:
            generation: Of the questions that this ends, the last one.
            key: Asked only if the node does not hold it here. None: it is not known any more, and it expires.
        """
        asked = [call for call, asker in self._calls.items() if asker == node]
        for call in asked:
            call.over = True
        held = self._held.pop(node, None)
        if held is None and not asked:
            self._over[node] = generation
        first = [call.done for call in asked]
        if node in self._freeing:
            first.append(self._freeing[node])
        done = self._freeing[node] = asyncio.Event()

        async def give_back() -> None:
            try:
                for event in first:
                    await event.wait()
                at = held[0] if held is not None else await key()
                if at is None:
                    return
                self.wait_no_more(at, node)
                self._frees += 1
                await self._give_back(at, holder)
            finally:
                done.set()
                if self._freeing.get(node) is done:
                    del self._freeing[node]
            await self._look_after(at)

        return give_back()

    def wait_no_more(self, key: str, node: Node) -> None:
        nodes = self._waiting.get(key, {})
        nodes.pop(node, None)
        if not nodes:
            self._waiting.pop(key, None)

    def drop(self, execution: int) -> None:
        """Forget an execution whose session ended. What its nodes hold stays for whoever goes on with it."""
        for node in [node for node in self._held if node[0] == execution]:
            del self._held[node]
        for node in [node for node in self._over if node[0] == execution]:
            del self._over[node]
        for call, asker in self._calls.items():
            call.over = call.over or asker[0] == execution
        for key, nodes in list(self._waiting.items()):
            for node in [node for node in nodes if node[0] == execution]:
                self.wait_no_more(key, node)

    def wake(self) -> None:
        """Something is new in the store, maybe by another process: a reservation may be free. Costs nothing."""
        if self._waiting:
            self._stirred.set()

    async def run(self) -> None:
        """Keep reservations alive, and look after those of others, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat())
            group.create_task(self._look())

    async def _beat(self) -> None:
        while True:
            await self._holding.wait()
            await asyncio.sleep(self._lease.total_seconds() / 3)
            await gather(self._extend, list(self._held), limit=_AT_A_TIME)
            if not self._held:
                self._holding.clear()

    async def _extend(self, node: Node) -> None:
        held = self._held.get(node)
        if held is None:
            return
        try:
            until = await self._cache.reserve(held[0], held[1], lease=self._lease)
        except BROKEN as exc:
            self._warn(exc)
            return
        if self._held.get(node) == held:
            if until is not None:  # we were silent for too long
                del self._held[node]
                log.warning("cache.reservation_lost", extra={"holder": held[1]})
        elif until is None:  # freed while it was extended
            await self._give_back(*held)

    async def _give_back(self, key: str, holder: str) -> None:
        try:
            await self._cache.free(key, holder)
        except BROKEN as exc:
            self._warn(exc)

    async def _look(self) -> None:
        while True:
            await self._stirred.wait()
            await asyncio.sleep(_LOOK_AGAIN.total_seconds())
            self._stirred.clear()
            await gather(self._look_after, list(self._waiting), limit=_AT_A_TIME)

    async def _look_after(self, key: str) -> None:
        """Tell all that wait if there is an entry now; else the first one, if the reservation is free."""
        if key not in self._waiting:
            return
        if await self._there(key):
            for freed in self._waiting.pop(key, {}).values():
                freed()
        elif not await self._taken(key):
            for node, freed in list(self._waiting.get(key, {}).items())[:1]:
                self.wait_no_more(key, node)
                freed()
            if key in self._waiting:  # the first one may wait for a slot: then it is the next one's turn
                self._stirred.set()

    async def _taken(self, key: str) -> bool:
        try:
            return await self._cache.reserved(key)
        except BROKEN as exc:
            self._warn(exc)
            return True
