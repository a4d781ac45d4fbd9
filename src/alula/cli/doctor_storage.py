"""What `alula doctor` says of the place for the files of executions: whether it is there, and can be written."""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import dataclass, replace

from alula._kits.aio import to_thread
from alula.config import Config, Lending
from alula.data import credentials, uris
from alula.data.settings import StoreSettings
from alula.data.stores import Objects
from alula.errors import AlulaError, DataError

_SECONDS = 10.0
"""A store that takes longer for a few bytes is none to work with."""
_LEND_SECONDS = 900


@dataclass(frozen=True, slots=True)
class StorageState:
    """What there is to know of it."""

    prefix: str = ""
    scheme: str = ""
    endpoint: str = ""
    """The address in use; empty: the vendor's, or none."""
    keys: tuple[str, ...] = ()
    """Names of the settings of this store, wherever they come from."""
    state: str = "ok"
    """`ok` or `broken`."""
    trouble: str = ""
    fix: str = ""
    tasks: str = ""
    """What tasks in containers get: `limited`, `own` or `nothing`."""
    lending: str = ""
    """How that went; empty: there is nothing to lend."""


def looked_at(config: Config) -> StorageState:
    """The state of the place that the settings name. Writes a few bytes there, and removes them."""
    return asyncio.run(_looked_at(config))


async def _looked_at(config: Config) -> StorageState:
    prefix = config.data_prefix
    scheme = uris.scheme(prefix)
    settings = StoreSettings.of_config(config.storage, os.environ)
    settings = replace(settings, retries=0, connect_seconds=min(settings.connect_seconds, _SECONDS))
    settings = replace(settings, timeout_seconds=min(settings.timeout_seconds, _SECONDS))
    found = StorageState(prefix=prefix, scheme=scheme)
    if scheme in ("s3", "gs", "az"):
        own = settings.of(scheme)
        address = own.get("endpoint") or own.get("base_url") or ""
        found = replace(found, endpoint=address, keys=tuple(sorted(own)), tasks=str(settings.tasks))
    try:
        await _tried(Objects(settings), prefix)
    except AlulaError as exc:
        return replace(found, state="broken", trouble=exc.what, fix=exc.fix)
    return replace(found, lending=await _lent(settings, prefix)) if found.tasks else found


async def _tried(objects: Objects, prefix: str) -> None:
    """Raises DataError, with what the store cannot."""
    folder = uris.join(prefix, f".alula-doctor-{secrets.token_hex(4)}")
    uri = uris.join(folder, "file")
    sent = secrets.token_bytes(16)
    await objects.write(uri, sent)
    try:
        back = await objects.read(uri)
        listed = [one async for one in objects.list(folder)]
    finally:
        await objects.delete(uri)
        if (here := objects.local_path(folder)) is not None:
            await to_thread(here.rmdir)
    if back != sent or len(listed) != 1:
        raise DataError(
            f"{prefix} does not give back what is written there",
            where=prefix,
            fix="check that the endpoint is an object store, with no cache before it",
        )


async def _lent(settings: StoreSettings, prefix: str) -> str:
    """What tasks would get."""
    if settings.tasks is not Lending.LIMITED:
        return "the credentials of this process" if settings.tasks is Lending.OWN else "addresses only"
    reach = uris.join(prefix, "some", "task")
    try:
        variables = await credentials.lend(settings, read=[], write=[reach], seconds=_LEND_SECONDS)
    except AlulaError as exc:
        return f"none: {exc.what}"
    if not credentials.secrets(variables):
        return "addresses only: no keys are known here that could be lent"
    return "short-lived credentials"


def rows(found: StorageState) -> list[tuple[str, str, str]]:
    """For a table: name, value, note."""
    shown = [("files", found.prefix, "")]
    if found.tasks:
        shown.append(("endpoint", found.endpoint or "the vendor's own", ""))
        shown.append(("settings", ", ".join(found.keys) or "none: an identity of the machine is looked for", ""))
    if found.trouble:
        shown += [("trouble", "broken", found.trouble), ("fix", found.fix, "")]
    else:
        shown.append(("tried", "ok", "written, read, listed and deleted"))
    if found.lending:
        shown.append((f"tasks ({found.tasks})", found.lending, ""))
    return shown
