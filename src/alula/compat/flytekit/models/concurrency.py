"""How many executions of a launch plan may run at a time."""

from __future__ import annotations

from typing import Any

from alula.compat.model import Model
from alula.compat.names import mirror
from alula.idl import admin


class ConcurrencyLimitBehavior:
    """What becomes of one execution too many."""

    SKIP = admin.ConcurrencyLimitBehavior.CONCURRENCY_LIMIT_BEHAVIOR_SKIP


class ConcurrencyPolicy(
    Model, idl=admin.ConcurrencyPolicy, fields="max_concurrency behavior", renamed={"max_concurrency": "max"}
):
    def __init__(self, max_concurrency: int, behavior: Any = None) -> None:
        super().__init__(max_concurrency, ConcurrencyLimitBehavior.SKIP if behavior is None else behavior)


__getattr__, __dir__ = mirror(__name__, {})
