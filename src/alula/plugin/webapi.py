"""Jobs of a remote service: create, find, get, delete. The engine adds quotas, rate limits, batching and clean-up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Generic, TypeVar

from alula.errors import PluginError, RemoteError
from alula.idl import LiteralMap
from alula.plugin.context import TaskContext
from alula.plugin.core import Plugin
from alula.plugin.phase import PhaseInfo

KeyT = TypeVar("KeyT")
"""A frozen dataclass of plain values: it is kept as JSON, and survives restarts. Never holds a secret."""
RemoteT = TypeVar("RemoteT")
"""What the service says of a job. Lives in memory only."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard the engine may lean on the remote. Operators can change all of it at run time."""

    writes_per_second: float = 10.0
    """`create`, `find` and `delete` together."""
    reads_per_second: float = 10.0
    """Calls of `get`, each of up to `batch` keys."""
    batch: int = 100
    refresh: timedelta = timedelta(seconds=30)
    """How old a status may be. A young job is asked for sooner: after a tenth of its age, at most twice a second."""
    timeout: timedelta = timedelta(seconds=30)
    """For one call."""
    concurrent: int = 64
    """Calls under way at a time."""
    settle: timedelta = timedelta(seconds=2)
    """How long a `create` whose answer was lost may still take effect, hence how long `find` is asked before it counts
    as never made."""
    pools: Mapping[str, int] = field(default_factory=dict)
    """Pools that `pool` names, and their units until somebody sets them."""

    def __post_init__(self) -> None:
        found: list[tuple[str, object, str]] = []
        for one in fields(self):
            value, kind = getattr(self, one.name), str(one.type)
            fits, wanted = _KINDS.get(kind, (_units, "names of pools with whole numbers of units"))
            if not fits(value):
                found.append((one.name, value, wanted))
        if found:
            said = "; ".join(f"{name} is {value!r}, and must be {wanted}" for name, value, wanted in found)
            raise PluginError(f"these are no limits of a plugin: {said}", fix="see alula.plugin.webapi.Limits")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _rate(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _span(value: object) -> bool:
    return isinstance(value, timedelta)


def _units(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(units, int) and units >= 0 for name, units in value.items()
    )


_KINDS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "float": (_rate, "a number"),
    "int": (_whole, "a whole number above 0"),
    "timedelta": (_span, "a timedelta, as `timedelta(seconds=30)`"),
}


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines of a job's log."""

    lines: tuple[str, ...]
    token: str = ""
    """What to ask with for the next lines; empty: that was all."""
    reason: str = ""
    """Why there are none."""


class WebApiPlugin(Plugin, ABC, Generic[KeyT, RemoteT]):
    key_type: type[KeyT]
    limits: Limits = Limits()
    idempotent_create: bool = False
    """A second `create` under the same `task.name` gives the job that is there, so none is looked for before it. But
    clean-up asks `find` where the answer to a create was lost: it never creates."""

    keeps_log: bool = False
    """It writes the log of the attempt itself, while the job runs, or in `delete`."""

    def pool(self, task: TaskContext) -> str | None:
        """The pool that this attempt draws a unit from; None: none."""
        return None

    @abstractmethod
    async def create(self, task: TaskContext) -> KeyT:
        """Start a job named `task.name`, marked with `task.labels`, and give its key. Must not wait for its end."""

    @abstractmethod
    async def find(self, task: TaskContext) -> KeyT | None:
        """The job that is named `task.name`, whatever its state; asked after a crash, or when an answer was lost.

        A remote that can only return None here and is not `idempotent_create` can leak: it is graded B, and says so.
        """

    @abstractmethod
    async def get(self, keys: Sequence[KeyT]) -> Sequence[RemoteT | RemoteError]:
        """What the service says of each job, in the order of the keys.

        RemoteNotFound: the job is not there any more. Another RemoteError: this one could not be asked about now, which
        counts as if the call had failed for it alone; for a plugin whose jobs are in several places.
        """

    @abstractmethod
    async def delete(self, key: KeyT) -> None:
        """Stop the job and remove it. One that is over or gone is fine. Called for every attempt, succeeded or not."""

    @abstractmethod
    def phase(self, task: TaskContext, remote: RemoteT) -> PhaseInfo:
        """Read what the service said. No I/O."""

    async def outputs(self, task: TaskContext, key: KeyT, remote: RemoteT) -> LiteralMap | None:
        """Fetch the results of a job that has succeeded. None: `phase` gave them, or the job wrote them itself."""
        return None

    async def logs(self, task: TaskContext, key: KeyT, token: str = "") -> LogPage:
        """Lines of the job's log, from a token on; asked for before the job is deleted. They become the log of its
        attempt, which `alula logs` shows. The attempt does not suffer where this fails."""
        raise NotImplementedError
