"""What is still to be looked at: nodes do not call each other, they leave work here.

A long chain is then a loop and never deep recursion, and a wide fan-out can be taken in portions: what is urgent is
done within the decision that it came up in, the rest may wait for the next one. A crash loses what waits, so all of
it can be found again from the rows (`engine/redrive.py`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from alula.engine.state import Failure, NodePhase


class Act(Enum):
    ENDED = "ended"
    """The node is terminal: tell what it is part of."""
    HALTED = "halted"
    """Nothing in the composite is live any more."""
    STOP = "stop"
    """The node must end before its time."""
    ACTIVATE = "activate"
    """All that the node waits for has ended well."""
    SKIP = "skip"
    """Something that the node waits for has ended badly."""
    PUMP = "pump"
    """More elements of the array may begin."""
    RESUME = "resume"
    """Bytes that the node waited for have come."""
    OWED = "owed"
    """After a restart: give again what the node waits for."""
    DELIVER = "deliver"
    """After a restart: give the commands about an open attempt again."""


class Work(NamedTuple):
    act: Act
    path: str
    then: NodePhase = NodePhase.ABORTED
    """What a node that is stopped becomes."""
    failure: Failure | None = None
    attempt: int = 0
    """Of DELIVER."""


@dataclass(slots=True)
class Agenda:
    urgent: deque[Work] = field(default_factory=deque)
    """Empty between two decisions."""
    stops: deque[Work] = field(default_factory=deque)
    """What a composite that ends has still to stop. Nothing starts before that."""
    bulk: deque[Work] = field(default_factory=deque)

    def finish(self) -> None:
        """Forget what is of no use once the execution has ended."""
        self.stops.clear()
        self.bulk = deque(work for work in self.bulk if work.act not in (Act.ACTIVATE, Act.PUMP, Act.SKIP))

    def __bool__(self) -> bool:
        return bool(self.urgent or self.stops or self.bulk)
