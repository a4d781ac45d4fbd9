"""An agent that says where it is, again and again: to a directory that engines read, or to an engine over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from alula._kits.aio import to_thread
from alula._kits.clock import Clock
from alula.errors import ConfigError, RemoteError
from alula.idl.agent import DELETES_SUCCEEDED, FINDS
from alula.plugin.announcing import Announcement, is_loopback, put
from alula.plugin.core import Plugin, SyncPlugin

LEASE = timedelta(seconds=60)
_TIMES = 4
"""How often within a lease it is renewed."""
_SECONDS = 10.0


def announcement(
    name: str, address: str, plugins: Sequence[Plugin], *, clock: Clock, plaintext: bool, lease: timedelta = LEASE
) -> Announcement:
    """What an agent that serves these plugins says of itself now."""
    jobs: list[str] = []
    calls: list[str] = []
    for plugin in plugins:
        (calls if isinstance(plugin, SyncPlugin) else jobs).extend(f"{one}@0" for one in plugin.info.task_types)
    return Announcement(
        name=name,
        address=address,
        until=clock.now() + lease,
        task_types=tuple(sorted(jobs)),
        sync_task_types=tuple(sorted(calls)),
        conventions=(FINDS, DELETES_SUCCEEDED),
        plaintext=plaintext,
    )


class Announcer:
    """Tells one place.

    Args:
        to: A directory, or the URL of an engine.
        token: What the engine wants to see, over HTTP.
    """

    def __init__(self, to: str, *, token: str = "") -> None:
        self._to, self._token = to, token
        self._url = to.rstrip("/") if to.startswith(("http://", "https://")) else ""
        if self._url.startswith("http://") and token and not is_loopback(f"{urlsplit(self._url).hostname}:0"):
            raise ConfigError(f"the token would go in plain text to {to}", fix="announce the agent over https")

    async def say(self, said: Announcement) -> None:
        """Announce it once. Raises RemoteError."""
        try:
            if self._url:
                await to_thread(self._post, said.pack())
            else:
                await to_thread(put, Path(self._to), said)
        except HTTPError as exc:
            why = exc.read(1_000).decode(errors="replace").strip() or exc.reason
            raise RemoteError(f"the engine refuses the announcement: {exc.code} {why}", where=self._to) from exc
        except (URLError, OSError) as exc:
            raise RemoteError(f"the announcement did not arrive: {exc}", where=self._to) from exc

    async def keep(
        self, say: Callable[[], Announcement], *, complain: Callable[[str], None], lease: timedelta = LEASE
    ) -> None:
        """Announce what `say` gives, for as long as it runs. A failure is told, and it is tried again soon."""
        while True:
            pause = lease.total_seconds() / _TIMES
            try:
                await self.say(say())
            except RemoteError as exc:
                complain(str(exc))
                pause = min(pause, 2.0)
            await asyncio.sleep(pause)

    def _post(self, document: dict[str, Any]) -> None:
        headers = {"content-type": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        data = json.dumps(document).encode()
        request = Request(f"{self._url}/agents/{document['name']}", data=data, headers=headers, method="PUT")
        with urlopen(request, timeout=_SECONDS) as answer:
            answer.read()
