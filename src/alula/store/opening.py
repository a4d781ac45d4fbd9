"""Opening a store: `open_store`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from alula._kits import lazy
from alula._kits.clock import Clock, SystemClock
from alula.config import Durability, StoreConfig
from alula.errors import ConfigError
from alula.store.connection import Database
from alula.store.files import open_file
from alula.store.relational import SqlStore
from alula.store.store import Store

if TYPE_CHECKING:
    from alula.store import servers
else:
    servers = lazy.module("alula.store.servers")  # brings psycopg, which is an extra

_DEFAULTS = StoreConfig()


def open_store(
    url: str,
    *,
    durability: Durability = _DEFAULTS.durability,
    busy_timeout: timedelta = _DEFAULTS.busy_timeout,
    clock: Clock | None = None,
) -> Store:
    """The store at a URL, made or upgraded if need be. Blocks; call it before the loop runs, or in a thread.

    Args:
        url: A path, `sqlite:///path` or `postgresql://user@host/database`.
        durability: What an acknowledged commit survives.
        busy_timeout: How long to wait for a lock, and for a server that went away.
        clock: What leases and times go by on SQLite; on Postgres it is the server's clock.

    Raises:
        StoreUnavailable: It cannot be reached, opened or made.
        StoreDamaged: It is no store, is corrupt, or was written by a newer Alula.
        ConfigError: The URL is none that a store can have.
    """
    return SqlStore(_database(url, durability, busy_timeout, clock or SystemClock()))


def file_of(url: str) -> str | None:
    """The path of the file that a URL names; None: it names no file."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    return unquote(rest[1:]) if scheme == "sqlite" and rest.startswith("/") and not urlsplit(url).query else None


def _database(url: str, durability: Durability, busy_timeout: timedelta, clock: Clock) -> Database:
    path = file_of(url)
    if path is not None:
        return open_file(path, durability=durability, busy_timeout=busy_timeout, clock=clock)
    scheme, _, rest = url.partition("://")
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        try:
            return servers.open_server(f"postgresql://{rest}", durability=durability, busy_timeout=busy_timeout)
        except ModuleNotFoundError as exc:
            raise ConfigError(
                f"a store on Postgres needs {exc.name}, which is not installed",
                where="store.url",
                fix="pip install 'alula[postgres]'",
            ) from exc
    raise ConfigError(
        f"{scheme!r} is no kind of store",
        where="store.url",
        fix="a path, sqlite:///path (sqlite:////path from the root), or postgresql://user@host/database",
    )
