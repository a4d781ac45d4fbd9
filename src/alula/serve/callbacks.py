"""Signed URLs that wake an attempt: whoever is given one may say that there is something new, and nothing else.

The token names the attempt and the end of its time, under an HMAC of both. So nothing is kept for it, any replica that
has the key can check it, and to use it twice does no harm: an attempt that is woken looks at its job once more.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from alula._kits.clock import Clock
from alula._kits.seals import Seal
from alula.config import CallbacksConfig
from alula.errors import ConfigError, Unknown
from alula.plugin.runner import AttemptId
from alula.store.records import ExecutionKey
from alula.store.store import Store

PATH = "/callbacks"
_LEAST_SECRET = 16
"""Characters of a key that somebody chose."""
_LONGEST_TOKEN = 2048
_PURPOSE = b"alula-callback-1"
_FILE = "callbacks.key"


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes tokens, and reads those that it or another one with the same key has made."""

    key: bytes = field(repr=False)
    clock: Clock
    lifetime_seconds: float

    def token(self, id: AttemptId) -> str:
        ends = int(self.clock.now().timestamp() + self.lifetime_seconds)
        parts = [id.store, id.project, id.domain, id.execution, id.path, id.number, ends]
        return self._seal.token(parts)

    def read(self, token: str) -> AttemptId | None:
        """The attempt that a token is for; None: it is none of ours, or its time is over."""
        said = self._seal.read(token)
        if said is None:
            return None
        store, project, domain, execution, path, number, ends = said
        if self.clock.now().timestamp() >= ends:
            return None
        return AttemptId(project, domain, execution, path, number, store)

    @property
    def _seal(self) -> Seal:
        return Seal(self.key, _PURPOSE, _LONGEST_TOKEN)


@dataclass(slots=True)
class Callbacks:
    """What the settings say of callbacks, at work."""

    base: str
    """What people outside put before `/callbacks/...`."""
    signer: Signer
    store: Store
    _asking: dict[AttemptId, asyncio.Task[None]] = field(default_factory=dict)

    def url(self, id: AttemptId) -> str:
        return f"{self.base}{PATH}/{self.signer.token(id)}"

    async def called(self, token: str) -> bool:
        """Wake the attempt that a token is for, whichever replica has it. False: the token is worth nothing.

        Many calls at once for one attempt are one.

        Raises:
            StoreError: The store cannot be reached.
        """
        id = self.signer.read(token)
        if id is None:
            return False
        asking = self._asking.get(id)
        if asking is None:
            asking = self._asking[id] = asyncio.create_task(self._wake(id))
            asking.add_done_callback(lambda _: self._asking.pop(id, None))
        await asyncio.shield(asking)
        return True

    async def _wake(self, id: AttemptId) -> None:
        try:
            execution = await self.store.execution(ExecutionKey(id.project, id.domain, id.execution))
            await self.store.ask(execution.id, "wake", path=id.path, attempt=id.number)
        except Unknown:
            return  # it was deleted meanwhile: nothing is left to be woken, and nobody outside needs to know


def callbacks(config: CallbacksConfig, store: Store, clock: Clock, *, home: Path, shared: bool) -> Callbacks | None:
    """Callbacks as the settings have them; None: they name no address.

    Args:
        home: Where the key is kept that is made where none is given.
        shared: Other machines may use the store, too, so that they need the same key.

    Raises:
        ConfigError: The key is missing, or too short.
    """
    if not config.enabled:
        return None
    key = config.secret.encode() if config.secret else b""
    if key and len(key) < _LEAST_SECRET:
        raise ConfigError(
            f"the key of callbacks has {len(key)} characters; {_LEAST_SECRET} are the least",
            where="[callbacks] secret",
            fix="python -c 'import secrets; print(secrets.token_hex(32))' makes one",
        )
    if not key and shared:
        raise ConfigError(
            "callbacks need a key that all engines of the store share, and there is none",
            where="[callbacks] secret",
            fix="set ALULA__CALLBACKS__SECRET to the same random text for all of them",
        )
    signer = Signer(key or own_key(home / _FILE), clock, config.lifetime.total_seconds())
    return Callbacks(config.base, signer, store)


def own_key(path: Path) -> bytes:
    """A key of this user's stores, made when it is first needed; whoever is first, all read the same."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
            with suppress(FileExistsError):
                os.link(part, path)
            part.unlink()
        key = path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"a key that signs links cannot be kept: {exc}", where=str(path)) from exc
    if len(key) < _LEAST_SECRET:
        raise ConfigError(
            "a key that signs links is damaged", where=str(path), fix="delete the file: a new one is made"
        )
    return key
