"""Settings: frozen dataclasses with defaults in code, filled from `alula.toml` and the environment.

One comment per key. Every class that needs settings is handed its section; nobody looks them up.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path


class Durability(StrEnum):
    """What an acknowledged commit survives."""

    FULL = "full"
    """Power loss."""
    RELAXED = "relaxed"
    """The death of every process; a power loss may take the last commits, and never part of one."""


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """`[store]`"""

    url: str = ""
    """A path or `sqlite:///path`, or `postgresql://...`; empty: `alula.db` in the home directory."""
    durability: Durability = Durability.FULL
    busy_timeout: timedelta = timedelta(seconds=15)
    """How long a locked database is waited for."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """`[engine]`"""

    lease: timedelta = timedelta(seconds=10)
    """An engine that was not heard of for so long loses its executions; it speaks three times as often."""
    executions: int = 1_000
    """How many executions one engine has under way; others wait for it or for another engine."""
    inline_bytes: int = 64 * 1024
    """Outputs up to this size are kept in the row of their node, larger ones in a file."""
    outage: timedelta = timedelta(minutes=10)
    """How long a store or object store that does not answer is tried again before an attempt fails for it."""
    cleanup_backoff: timedelta = timedelta(minutes=5)
    """The longest wait between two tries to clean up after an attempt."""


@dataclass(frozen=True, slots=True)
class WorkersConfig:
    """`[workers]`"""

    cpus: float = 0
    """Cores that running tasks may ask for in all; 0: those of this machine."""
    memory_bytes: int = 0
    """Memory that running tasks may ask for in all; 0: that of this machine."""
    idle: timedelta = timedelta(minutes=2)
    """A worker with nothing to do for so long ends."""
    stop_grace: timedelta = timedelta(seconds=2)
    """Between asking a task to stop and killing it."""
    log_limit_bytes: int = 64 * 1024 * 1024
    """Of the output of one attempt; the middle of a longer one is dropped."""


@dataclass(frozen=True, slots=True)
class CacheConfig:
    """`[cache]`"""

    limit_bytes: int = 10 << 30
    """Beyond it, the entries that were not used for longest go."""
    max_age: timedelta | None = None
    """Entries older than this count as absent."""
    lease: timedelta = timedelta(seconds=30)
    """A reservation whose holder was not heard of for so long is free."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything."""

    home: Path = field(default_factory=lambda: home())
    """What is the user's own: `$ALULA_HOME`, else `~/.alula`."""
    data: str = ""
    """URI prefix of the files of executions; empty: `data` in the home directory."""
    store: StoreConfig = field(default_factory=StoreConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    workers: WorkersConfig = field(default_factory=WorkersConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)

    @property
    def store_url(self) -> str:
        return self.store.url or str(self.home / "alula.db")

    @property
    def data_prefix(self) -> str:
        return self.data or str(self.home / "data")


def home() -> Path:
    """Where Alula keeps what is a user's own: `$ALULA_HOME`, else `~/.alula`."""
    return Path(os.environ.get("ALULA_HOME") or Path.home() / ".alula")
