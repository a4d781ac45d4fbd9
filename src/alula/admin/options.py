"""How an execution is run: what was asked for, over what its launch plan says, over the defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any

from alula.engine.state import Settings
from alula.idl.admin import LaunchPlanSpec


@dataclass(frozen=True, slots=True)
class Options:
    """None: not said here. Names and meanings are those of `engine.state.Settings`."""

    max_parallelism: int | None = None
    """Tasks and child executions at a time; 0: no limit."""
    cache: bool | None = None
    """Whether tasks that ask for the cache get it."""
    overwrite_cache: bool | None = None
    interruptible: bool | None = None
    """For tasks and workflows that do not say."""
    queued_timeout: timedelta | None = None
    attempt_timeout: timedelta | None = None
    node_timeout: timedelta | None = None
    workflow_timeout: timedelta | None = None
    system_retries: int | None = None
    """System failures in a row that a node survives."""
    interruptible_failures: int | None = None
    terms: str | None = None
    """As `Terms.pack` packs them."""

    def over(self, other: Options) -> Options:
        """These, and what they do not say from `other`."""
        return replace(other, **self._said())

    def settings(self, base: Settings | None = None) -> Settings:
        return replace(base or Settings(), **self._said())

    def faults(self) -> list[str]:
        """What cannot be, one line each."""
        found = []
        for name, value in self._said().items():
            if isinstance(value, timedelta) and value <= timedelta(0):
                found.append(f"{name}: is {value}, and must be more than nothing")
            elif name in ("max_parallelism", "system_retries") and isinstance(value, int) and value < 0:
                found.append(f"{name}: is {value}, and must be 0 or more")
        return found

    def _said(self) -> dict[str, Any]:
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in said.items() if value is not None}


def of_plan(plan: LaunchPlanSpec) -> Options:
    """What a launch plan says."""
    return Options(
        max_parallelism=plan.max_parallelism or None,
        overwrite_cache=plan.overwrite_cache or None,
        interruptible=plan.interruptible.value if plan.HasField("interruptible") else None,
    )
