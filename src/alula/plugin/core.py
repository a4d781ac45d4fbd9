"""The contract that every kind of plugin reduces to: a durable state machine per attempt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

from alula.errors import Unknown
from alula.idl import TaskTemplate
from alula.plugin.context import TaskContext
from alula.plugin.phase import PhaseInfo, StateT, Transition


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """What a plugin is, for whoever lists, routes and checks."""

    name: str
    """That of its entry point, and of its section `[backends.<name>]`."""
    task_types: frozenset[str]
    config: type | None = None
    """What `TaskTemplate.custom` holds: a frozen dataclass, or a message of `alula.idl.plugins`. Templates are checked
    against it at registration, and `alula plugin schema` prints it. None: anything."""
    settings: type | None = None
    """A frozen dataclass of the operator's settings, all with defaults; handed to the plugin's constructor as its only
    argument, filled from `[backends.<name>]`. None: the constructor takes nothing."""
    opt_in: bool = False
    """It takes tasks only if the operator names it, by a route or a section; for types that others run as well."""
    gives_way: bool = False
    """Where another plugin claims a type as well, that one runs it, unless a section of this one's own is there."""
    takes_rest: str = ""
    """A key of its settings: while it is true, the plugin runs what the workers would. Empty: it never does."""
    section: str = ""
    """The section `[backends.<section>]` of its settings, if another plugin shares it; empty: that of its name."""
    state_version: int = 1
    """Of `CorePlugin.state_type`, or of a WebApiPlugin's key: counted up when an older state needs `upgrade`."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A job at the remote that carries a name of ours."""

    name: str
    """`TaskContext.name` of the attempt that it was made for."""
    what: str
    """For people: `pod default/a1b2`, `Slurm job 17`."""


class Plugin:
    """The root of all kinds. Its object holds clients, never the state of a task.

    Everything is called on one event loop of the plugin's own, which no other plugin and not the engine shares. Any
    call may be cancelled when it takes longer than its deadline, and is then made again later.

    What a call raises says who pays: `errors.Rejected` fails the attempt, at the user's cost; `errors.Throttled` slows
    all calls down; `errors.NotReady` has the attempt wait; anything else is tried again with a growing pause, and never
    charged to the user.
    """

    info: PluginInfo

    def accepts(self, template: TaskTemplate) -> str | None:
        """Of a plugin that learns its task types while it runs: why it does not take a task like this one, in a
        sentence with a way out; empty if it does. None: `info.task_types` says it all.

        Asked from the engine's thread, often: it looks at what the plugin has at hand, and waits for nothing.

        Raises:
            RemoteError: It cannot be known yet; the task waits, and is told why.
        """
        return None

    async def open(self) -> None:
        """Make clients. Called once, before any task; tried again later if it raises, and tasks wait meanwhile."""

    async def close(self) -> None:
        """Let go of clients. Called once, after the last task."""

    async def secret(self, key: str, group: str = "") -> str:
        """A secret that the operator's settings name, for calls that have no task to ask: `get`, `delete`, `owned`. It
        is struck out like those of tasks. Lent: a host puts its own in the place of this one, before `open`.

        Raises:
            Unknown: There is none; says where it was looked for.
        """
        what = f"there is no secret {key!r}"
        raise Unknown(what, where=self.info.name, fix="a host lends secrets; this one has none")

    async def owned(self) -> Sequence[Owned]:
        """All jobs at the remote that any attempt of this store made, for `alula leaks`."""
        raise NotImplementedError

    async def reclaim(self, job: Owned) -> None:
        """Stop and remove a job of `owned` that no attempt has any more."""
        raise NotImplementedError

    def upgrade(self, state: dict[str, Any], version: int) -> dict[str, Any]:
        """The fields of a state that an older version of the plugin wrote, as this one reads them."""
        return state


class CorePlugin(Plugin, ABC, Generic[StateT]):
    """A plugin that decides itself what happens next, and remembers what it must.

    The calls of one attempt never overlap. After `abort` or `finalize` there is no `handle`.
    """

    state_type: type[StateT]
    """A frozen dataclass of plain values, kept as JSON with `info.state_version`."""

    @abstractmethod
    async def handle(self, task: TaskContext, state: StateT | None) -> Transition[StateT]:
        """Advance by one step. `state` is what was last returned and became durable; None: nothing yet.

        After a crash it may be called again with a state that was handled already.
        """

    @abstractmethod
    async def abort(self, task: TaskContext, state: StateT | None, reason: str) -> None:
        """Stop the work. Repeated until it returns; called at least once unless the attempt succeeded."""

    @abstractmethod
    async def finalize(self, task: TaskContext, state: StateT | None) -> None:
        """Leave nothing behind. Repeated until it returns; called at least once for every attempt, after `abort`."""


class SyncPlugin(Plugin, ABC):
    """One call that gives the outputs: a lookup, a small query, a notification. Waiting in it costs nobody else."""

    timeout_seconds: float = 60.0

    @abstractmethod
    async def do(self, task: TaskContext) -> PhaseInfo:
        """The outcome. After a crash it is called again, so doing it twice must be harmless."""
