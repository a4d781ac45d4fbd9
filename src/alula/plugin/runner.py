"""What the engine asks of whatever runs attempts: start one, close one, and tell what happens.

The engine and its runners share one event loop. Everything here is called on that loop and returns at once; an
attempt that waits costs its runner some memory and nothing else, so there is no coroutine per attempt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Struct, field

from alula.data.layout import Attempt
from alula.idl import TaskNodeOverrides, TaskTemplate
from alula.plugin.failure import AttemptFailure


class AttemptId(Struct, frozen=True, gc=False):
    """One attempt of one node of one execution."""

    project: str
    domain: str
    execution: str
    path: str
    """The node's path: `n0`, `n2/n1` (in a sub-workflow), `n3[7]` (of an array)."""
    number: int
    """From 0."""
    store: str = ""
    """The tag of the store that has the execution, 8 hexadecimal digits: two stores may share a remote."""

    @property
    def name(self) -> str:
        """A name for whatever the attempt makes outside: DNS-1123, 41 characters, the same in every process.

        After the store's tag come 128 bits of a digest, so that no two attempts ever share one.
        """
        parts = (self.project, self.domain, self.execution, self.path, str(self.number))
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return f"a{self.store}{digest[: 40 - len(self.store)]}"


class Job(Struct, frozen=True, gc=False):
    """All that is needed to run one attempt. Messages are shared: never change them."""

    id: AttemptId
    template: TaskTemplate
    inputs: bytes
    """A serialized LiteralMap, complete. An array's element whose task picks its item from lists gets lists of that."""
    prefix: str
    """Where its files go (`data.layout.Attempt`): outputs, report, log, raw data. No two attempts share one."""
    overrides: TaskNodeOverrides | None = None
    """What the node changes in the task's resources and image."""
    interruptible: bool = False
    """It may run on a machine that can be taken away."""
    checkpoint: str = ""
    """The checkpoint prefix of the former attempt; empty if there was none."""
    index: int = -1
    """The place in the array; -1: not in one."""
    attempts: int = 1
    """How many attempts the task may have in all, as far as its author says."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that the execution adds."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Those of the execution."""
    fresh: bool = True
    """No process has started this attempt before, so nothing of it can be outside."""
    state: bytes = b""
    """What the runner last had kept with the attempt (`Keeps`); empty: nothing."""
    state_version: int = 0
    user_data: str = ""
    """Where the files go that its outputs point to; empty: below `prefix`."""

    @property
    def files(self) -> Attempt:
        """Where everything of it lies."""
        return Attempt(self.prefix, self.user_data)


class Started(Struct, frozen=True, gc=False):
    """User code runs now."""


class Progressed(Struct, frozen=True, gc=False):
    """The attempt got further, or its log did. What is None has not changed."""

    done: float | None = None
    """From 0 to 1."""
    message: str | None = None
    checkpoint: str | None = None
    """A prefix that the next attempt can go on from."""


class Waits(Struct, frozen=True, gc=False):
    """The attempt does not run yet, and why: for those who ask. Empty: it waits no more."""

    reason: str


class Shows(Struct, frozen=True, gc=False):
    """Where the attempt stands outside, for people: takes the place of what was shown before."""

    info: bytes
    """JSON, as `plugin.showing` packs it."""


class Keeps(Struct, frozen=True):
    """Something to be kept with the attempt, in place of what was kept before.

    A runner acts on it only when it is durable: the intent comes before the effect.
    """

    state: bytes
    version: int
    saved: Callable[[], None]
    """Called on the loop when it is durable; never, if the attempt is not this engine's any more."""


class Asks(Struct, frozen=True):
    """The attempt needs units of a pool before it goes on. Asking again for what it has, or waits for, is fine."""

    pool: str
    units: int
    granted: Callable[[], None]
    """Called on the loop once it has them; they are given back with the commit that closes the attempt."""
    priority: int = 0
    """The higher, the sooner."""


class Succeeded(Struct, frozen=True, gc=False):
    """The attempt is over, and its outputs are here or durable."""

    outputs: bytes = b""
    """A serialized LiteralMap."""
    futures: bytes = b""
    """A serialized DynamicJobSpec, from a dynamic task in place of outputs."""
    written: bool = False
    """Neither is here: what the attempt left lies under its prefix, an error perhaps, for the engine to read."""
    closed: bool = True
    """Nothing is left to clean up, so `close` need not be called."""


class Failed(Struct, frozen=True, gc=False):
    """The attempt is over."""

    failure: AttemptFailure
    checkpoint: str = ""
    closed: bool = True


Report = Started | Progressed | Waits | Shows | Keeps | Asks | Succeeded | Failed
Tell = Callable[[Report], None]


class Runner(Protocol):
    """Runs attempts. Lent to the engine by whoever puts the two together."""

    @property
    def local(self) -> bool:
        """Whether attempts end with this runner. If not, they go on outside, and `start` takes them up by their id."""
        ...

    async def open(self) -> None:
        """Get ready. Called once, on the engine's loop, before anything else."""
        ...

    async def aclose(self) -> None:
        """Leave nothing running: attempts that are under way are stopped without a report. Called once."""
        ...

    def keep(self, seconds: float) -> None:
        """Of a local runner: attempts may go on for so many seconds, and end by themselves unless this is called again
        by then, even if the engine's own process does not run meanwhile: others may begin them anew.

        Without the first call they need not be kept. An engine that nobody can take executions from never calls it.
        """
        ...

    def accepts(self, template: TaskTemplate) -> str:
        """Why tasks like this one cannot run here, in a sentence with a way out; empty if they can."""
        ...

    def start(self, job: Job, tell: Tell) -> None:
        """Run an attempt, or take up the one that runs already under `job.id`.

        Returns at once and never raises: what goes wrong is told. `tell` is called on the loop: any number of
        `Waits`, `Progressed`, `Shows`, `Keeps` and `Asks`, at most one `Started`, and then exactly one `Succeeded` or
        `Failed`, unless `close` comes first. It may be called before `start` returns.
        """
        ...

    def wake(self, id: AttemptId) -> None:
        """Somebody outside says that there is something new about an attempt."""
        ...

    def forget(self, id: AttemptId) -> None:
        """Of a runner that is not local: the attempt is, or may soon be, another engine's.

        Nothing more is done for it, here, and what is outside stays as it is. It may be started again.
        """
        ...

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        """Stop what still runs of an attempt if `abort`, and clean up after it. May be called again at any time.

        `job` is the attempt without its inputs, with what was kept of it: for a runner that must clean up what an
        earlier process started.

        `done` is called on the loop: with an empty string once nothing of the attempt is left, which is also right for
        one that this runner never saw; with a message if that failed, and the engine comes again later. After `close`
        nothing more is told about the attempt.
        """
        ...
