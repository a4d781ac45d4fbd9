"""What a host needs of an adapter beside the contract of Core plugins."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from alula._kits.clock import Clock
from alula.hosting.calls import Calls
from alula.plugin.context import TaskContext
from alula.plugin.core import CorePlugin, PluginInfo
from alula.plugin.phase import StateT
from alula.plugin.webapi import Limits


@dataclass(frozen=True, slots=True)
class Means:
    """What a host lends its adapter. Everything is called on the plugin's loop."""

    calls: Calls
    """Every call of the plugin goes through it."""
    clock: Clock
    rng: random.Random
    outage: timedelta
    limits: Callable[[Limits], Limits]
    """The limits that count now, given those of the plugin; asked again now and then."""
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    """Runs something until the host ends; what it raises is logged."""
    pools: Callable[[Mapping[str, int]], None]
    """Makes pools with so many units, unless there are some of these names."""
    section: Callable[[str], Mapping[str, Any]]
    """What settings say below `[backends.<name>]`."""
    settled: Callable[[BaseException | None], None]
    """Told how a call went that no attempt waited for: a `get` of many, a watch."""
    cluster: Callable[[Any, Clock], Any] | None = None
    """Makes the way to a Kubernetes cluster, in place of a connection to an API server."""
    again: Callable[[TaskContext], None] = lambda task: task.wake()
    """Has an attempt handled again, because the adapter itself knows more. `TaskContext.wake` also says that there is
    news outside, so that the adapter must look."""


class Adapter(CorePlugin[StateT]):
    """A simpler kind of plugin as a Core plugin.

    It makes its own calls, each within its deadline, so the host sets none. It may raise `NotYet` out of any method.
    """

    info: PluginInfo
    cleans_blind = False
    """It can clean up after an attempt whose state cannot be read."""
    state_kind: Any = None
    """The type of a state, where that is no dataclass; None: `state_type`."""

    async def open(self) -> None:
        """Called when the plugin is open."""

    async def close(self) -> None:
        """Called before the plugin is closed."""

    def look(self, task: TaskContext) -> None:
        """Somebody outside says that there is something new about the attempt: what is known of it is old."""

    def forget(self, task: TaskContext) -> None:
        """The attempt goes on elsewhere, or not at all: keep nothing of it."""
