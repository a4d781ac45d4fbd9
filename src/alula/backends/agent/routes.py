"""Which agent serves which task type. Pure: what is known goes in, a route or a reason comes out.

An agent that does not answer keeps its task types: tasks wait for it, and nobody else is given them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches

from alula.errors import RemoteError
from alula.idl import TaskTemplate


@dataclass(frozen=True, slots=True, order=True)
class Category:
    """A task type in one version."""

    type: str
    version: int = 0

    def __str__(self) -> str:
        return f"{self.type}@{self.version}"

    @classmethod
    def read(cls, text: str) -> Category:
        """Out of `type@version`. Raises ValueError."""
        name, _, version = text.rpartition("@")
        return cls(name, int(version))


@dataclass(frozen=True, slots=True)
class Offer:
    """What an agent says that it serves."""

    types: Mapping[Category, bool] = field(default_factory=dict)
    """To whether it answers at once."""
    conventions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """One agent, and what is known of it."""

    name: str
    address: str
    offer: Offer | None = None
    """What it last said; None: it was never heard of."""
    pins: Mapping[str, bool] = field(default_factory=dict)
    """Task types that the operator says it serves, `type` or `type@version`, to whether it answers at once."""
    announced: bool = False
    """It announced itself; the others are in the settings."""
    until: datetime | None = None
    """The end of its lease. None: it has none."""
    since: datetime | None = None
    """It does not answer since then. None: it does, as far as is known."""
    problem: str = ""
    """What is wrong with it."""

    def serves(self, wanted: Category) -> bool | None:
        """Whether it answers that type at once; None: it does not serve it."""
        for pin in (str(wanted), wanted.type):
            if pin in self.pins:
                break
        else:
            return None if self.offer is None else self.offer.types.get(wanted)
        said = self.offer.types.get(wanted) if self.offer is not None else None
        return self.pins[pin] if said is None else said

    @property
    def named(self) -> str:
        return f"agent {self.name} at {self.address}"


@dataclass(frozen=True, slots=True)
class Route:
    known: Known
    sync: bool
    """It answers at once."""


@dataclass(frozen=True, slots=True)
class Routes:
    """All agents. Replaced as a whole, never changed."""

    agents: tuple[Known, ...] = ()
    listed: bool = True
    """Every agent was asked at least once, whatever it answered."""

    @classmethod
    def of(cls, agents: Iterable[Known], *, listed: bool = True) -> Routes:
        return cls(tuple(sorted(agents, key=lambda known: known.name)), listed)

    def find(self, name: str) -> Known | None:
        return next((known for known in self.agents if known.name == name), None)

    def to(self, wanted: Category, now: datetime) -> Route | None:
        """The one agent for a type. None: nobody serves it, as far as is known.

        Whom the operator pinned comes first (by version before any version), then who is in the settings, then who
        announced itself and has a lease, then who had one; of equals the first by name. Whether an agent answers right
        now plays no part, so that no task type moves to and fro.
        """
        able = [(self._rank(known, wanted, now), known) for known in self.agents]
        offers = sorted((rank, known.name, known) for rank, known in able if known.serves(wanted) is not None)
        if not offers:
            return None
        chosen = offers[0][2]
        return Route(chosen, bool(chosen.serves(wanted)))

    def silent(self) -> list[Known]:
        """Agents that were never heard of, and may serve anything."""
        return [known for known in self.agents if known.offer is None and not known.pins]

    def unserved(self, wanted: Category) -> str:
        """Why nobody serves a type, and what to do."""
        if not self.agents:
            return (
                f"no agent is known that serves tasks of type {wanted.type!r}; name one in [backends.agent.endpoints]"
            )
        every = sorted({str(one) for known in self.agents if known.offer for one in known.offer.types})
        others = [one for one in every if one.rpartition("@")[0] == wanted.type]
        if others:
            return (
                f"no agent serves {wanted}, only {', '.join(others)}; start one, or register the task in that version"
            )
        close = get_close_matches(str(wanted), every, n=1)
        hint = f"did you mean {close[0]}?" if close else f"agents serve {', '.join(every) or 'nothing yet'}"
        silent = "".join(f"; {known.named} has not answered yet" for known in self.silent())
        return f"no agent serves tasks of type {wanted}: {hint}{silent}"

    def unsure(self, wanted: Category, template: TaskTemplate) -> str:
        """Why nobody serves a task; one without a container cannot run elsewhere, so it waits for agents that were
        never heard of. Raises RemoteError for that."""
        silent = self.silent()
        if silent and template.WhichOneof("target") is None:
            waits = "; ".join(f"{known.named} was not heard of yet: {known.problem}" for known in silent)
            raise RemoteError(f"no agent that answers serves tasks of type {wanted}; {waits}")
        return self.unserved(wanted)

    @staticmethod
    def _rank(known: Known, wanted: Category, now: datetime) -> int:
        if str(wanted) in known.pins:
            return 0
        if wanted.type in known.pins:
            return 1
        if not known.announced:
            return 2
        return 3 if known.until is None or known.until > now else 4
