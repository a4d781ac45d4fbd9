"""What is known of all agents: settings, announcements, and what each says that it serves. Nothing is ever unlearned
because somebody does not answer, and what was learned survives a restart.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alula._kits import lazy
from alula._kits.aio import to_thread
from alula._kits.clock import Clock
from alula.backends.agent.channels import CallFailed, Channels, Peer
from alula.backends.agent.routes import Category, Known, Offer, Routes
from alula.backends.agent.settings import Endpoint, Settings
from alula.errors import ConfigError
from alula.idl.agent import CONVENTIONS, LIST, Agent, ListAgentsRequest
from alula.plugin.announcing import Announcement, is_loopback, listed

if TYPE_CHECKING:
    import asyncio
else:
    asyncio = lazy.module("asyncio")

log = logging.getLogger(__name__)

_LEARNED = "learned.json"
_TICK_SECONDS = 1.0
"""How often announcements are looked for."""


class Directory:
    """Belongs to one event loop, but for `routes`, which anybody may read.

    Args:
        keeps: It writes down what it learned; only one of several that share a directory need do so.
        back: Told the name of an agent that answers again.
    """

    def __init__(
        self,
        settings: Settings,
        channels: Channels,
        clock: Clock,
        *,
        keeps: bool = True,
        back: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._settings, self._channels, self._clock, self._keeps = settings, channels, clock, keeps
        self._back = back
        self._offers: dict[str, Offer] = {}
        self._since: dict[str, tuple[datetime, str]] = {}
        self._announced: dict[str, Announcement] = {}
        self._asked = False
        self._kept: dict[str, Any] = {}
        self._asking: asyncio.Task[None] | None = None
        self.routes = Routes((), listed=False)

    async def open(self) -> None:
        """Take up what is known, and ask every agent once; those that do not answer in time are asked again later."""
        learned = await to_thread(_recall, self._settings.directory)
        for name, offer in learned.items():
            self._offers.setdefault(name, offer)
        await self._read()
        if self._settings.endpoints or self._announced:
            await self.refresh()
        self._asked = True
        self._renew()
        self._asking = asyncio.create_task(self._keep(), name="alula-agents")

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    def peer(self, name: str, address: str = "") -> Peer:
        """How an agent is called now; one that is not known any more, at the address that it had."""
        endpoint = self._settings.endpoints.get(name)
        if endpoint is not None:
            return Peer(name, endpoint.address, endpoint)
        said = self._announced.get(name)
        if said is not None:
            return Peer(name, said.address, self._registered(said))
        plain = self._settings.registered.plaintext or is_loopback(address)
        return Peer(name, address, replace(self._settings.registered, address=address, plaintext=plain))

    def answered(self, peer: Peer) -> None:
        """It was heard of."""
        if self._since.pop(peer.name, None) is not None:
            self._renew()
            self._back(peer.name)

    def silent(self, peer: Peer, why: str) -> str:
        """It was not heard of; gives a sentence about that."""
        since, _ = self._since.setdefault(peer.name, (self._clock.now(), why))
        self._since[peer.name] = (since, why)
        self._renew()
        return f"{peer.named} does not answer since {since.astimezone(UTC):%H:%M:%S} UTC: {why}"

    async def refresh(self) -> None:
        """Ask all agents what they serve."""
        names = sorted({*self._settings.endpoints, *self._announced})
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(self._ask(self.peer(name)))
        if self._keeps:
            await to_thread(self._note)

    async def _keep(self) -> None:
        due = self._clock.monotonic() + self._settings.refresh.total_seconds()
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            try:
                fresh = await self._read()
                if fresh or self._clock.monotonic() >= due:
                    due = self._clock.monotonic() + self._settings.refresh.total_seconds()
                    await self.refresh()
            except OSError as exc:
                log.warning("agents.unread", extra={"why": str(exc)})

    async def _read(self) -> bool:
        """Look for announcements; says whether there are new ones."""
        now = self._clock.now()
        said = await to_thread(listed, self._settings.directory)
        current = {one.name: one for one in said if one.until > now - self._settings.forget}
        fresh = {name: one.address for name, one in current.items()} != {
            name: one.address for name, one in self._announced.items()
        }
        for name, one in current.items():
            if name not in self._settings.endpoints and self._announced.get(name) != one:
                self._offers[name] = _offer_of(one)
        if current != self._announced:
            self._announced = current
            self._renew()
        return fresh

    async def _ask(self, peer: Peer) -> None:
        try:
            answer, headers = await self._channels.call(
                peer, LIST, ListAgentsRequest(), within=peer.endpoint.list_timeout
            )
        except (CallFailed, ConfigError) as exc:
            if isinstance(exc, CallFailed) and exc.status == "UNIMPLEMENTED":  # its types are pinned, or none
                self._offers.setdefault(peer.name, Offer())
                self.answered(peer)
            else:
                self.silent(peer, exc.what)
            return
        types = _types_of(list(answer.agents))
        said = headers.get(CONVENTIONS, "").split(",")
        conventions = frozenset(one.strip() for one in (*said, *peer.endpoint.conventions) if one.strip())
        self._offers[peer.name] = Offer(types, conventions)
        self.answered(peer)
        self._renew()

    def _registered(self, said: Announcement) -> Endpoint:
        """How an agent that announced itself is talked to: in plain text only if the operator allows it, or nearby."""
        allowed = self._settings.registered
        plain = said.plaintext and (allowed.plaintext or is_loopback(said.address))
        if plain and allowed.ca_file:
            allowed = replace(allowed, ca_file="", cert_file="", key_file="")
        return replace(allowed, address=said.address, plaintext=plain)

    def _renew(self) -> None:
        """Put what is known in place, for all to read."""
        known = []
        for name, endpoint in self._settings.endpoints.items():
            pins = dict.fromkeys(endpoint.task_types, False) | dict.fromkeys(endpoint.sync_task_types, True)
            known.append(self._known(name, endpoint.address, pins=pins))
        for name, said in self._announced.items():
            if name not in self._settings.endpoints:
                known.append(replace(self._known(name, said.address), announced=True, until=said.until))
        self.routes = Routes.of(known, listed=self._asked)

    def _known(self, name: str, address: str, *, pins: Mapping[str, bool] | None = None) -> Known:
        since, problem = self._since.get(name, (None, ""))
        return Known(name, address, self._offers.get(name), pins or {}, since=since, problem=problem)

    def _note(self) -> None:
        """Write down what is known of the agents in the settings, if it is new. Blocks."""
        learned = {
            name: {
                "types": {str(one): sync for one, sync in sorted(offer.types.items())},
                "conventions": sorted(offer.conventions),
            }
            for name, offer in sorted(self._offers.items())
            if name in self._settings.endpoints and offer.types
        }
        if learned == self._kept:
            return
        try:
            self._settings.directory.mkdir(parents=True, exist_ok=True)
            draft = self._settings.directory / f".{_LEARNED}.{os.getpid()}"
            draft.write_text(json.dumps(learned, indent=1))
            os.replace(draft, self._settings.directory / _LEARNED)
            self._kept = learned
        except OSError as exc:
            log.warning("agents.unkept", extra={"why": str(exc)})


def _recall(directory: Path) -> dict[str, Offer]:
    """What was learned before; what cannot be read was not."""
    try:
        found = json.loads((directory / _LEARNED).read_text())
        return {
            name: Offer(
                {Category.read(one): bool(sync) for one, sync in said["types"].items()}, frozenset(said["conventions"])
            )
            for name, said in found.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _types_of(agents: list[Agent]) -> dict[Category, bool]:
    """What agents behind one address serve, by type and version."""
    types: dict[Category, bool] = {}
    for agent in agents:
        for name in agent.supported_task_types:  # of agents that know no versions
            types.setdefault(Category(name, 0), agent.is_sync)
        for one in agent.supported_task_categories:
            types[Category(one.name, one.version)] = agent.is_sync
    return types


def _offer_of(said: Announcement) -> Offer:
    types = dict.fromkeys(map(Category.read, said.task_types), False)
    types |= dict.fromkeys(map(Category.read, said.sync_task_types), True)
    return Offer(types, frozenset(said.conventions))
