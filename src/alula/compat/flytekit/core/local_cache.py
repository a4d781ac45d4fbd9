"""The cache of local runs: Alula's own."""

from __future__ import annotations

from alula.compat.names import mirror
from alula.sdk import local_cache


class LocalTaskCache:
    """What programs for flytekit do with the cache."""

    @staticmethod
    def initialize() -> None:
        """Nothing: the cache is there when it is first used."""

    @staticmethod
    def clear() -> None:
        """Forget everything."""
        local_cache.clear()


__getattr__, __dir__ = mirror(__name__, {})
