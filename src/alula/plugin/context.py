"""What the engine lends a plugin for one attempt. A protocol: tests fake it freely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from alula.data.objects import ObjectStore
from alula.idl import LiteralMap, Resources, TaskNodeOverrides, TaskTemplate
from alula.plugin.runner import AttemptId

C = TypeVar("C")


class TaskContext(Protocol):
    """One attempt, as its plugin sees it. Messages are shared: never change them."""

    @property
    def id(self) -> AttemptId: ...

    @property
    def name(self) -> str:
        """DNS-1123, 41 characters, unique, the same on every call and in every process. Name remote jobs with it: it
        is the idempotency key."""
        ...

    @property
    def fresh(self) -> bool:
        """Whether nothing of this attempt can be outside yet: no process has handled it before."""
        ...

    @property
    def template(self) -> TaskTemplate: ...

    @property
    def labels(self) -> Mapping[str, str]:
        """What to mark the remote job with: `alula.dev/store`, `project`, `domain`, `execution`, `node`, `attempt`; all
        are valid label values of Kubernetes."""
        ...

    @property
    def output_prefix(self) -> str:
        """Where its files go: `outputs.pb`, `error.pb`, `deck.html` (`data.layout.Outputs`)."""
        ...

    @property
    def raw_prefix(self) -> str:
        """Where files and data sets go that its outputs point to."""
        ...

    @property
    def objects(self) -> ObjectStore: ...

    @property
    def interruptible(self) -> bool:
        """It may run on a machine that can be taken away."""
        ...

    @property
    def attempts(self) -> int:
        """How many attempts the task may have in all, as far as its author says."""
        ...

    @property
    def overrides(self) -> TaskNodeOverrides | None:
        """What the node changes in the task's resources and image, for a remote that wants to know."""
        ...

    def custom(self, as_: type[C]) -> C:
        """`template.custom` as a dataclass or a message of `alula.idl.plugins`; whole numbers are ints again.

        Raises:
            Rejected: It does not fit, with every fault; let it pass.
        """
        ...

    def argv(self) -> list[str]:
        """The container's command and arguments, with templates filled in. Raises Rejected."""
        ...

    def fill(self, words: Sequence[str]) -> list[str]:
        """Other words of a command line, or values of variables, with templates filled in. Raises Rejected."""
        ...

    def environ(self) -> dict[str, str]:
        """The container's variables, with templates filled in, and those that say which attempt this is. Raises
        Rejected."""
        ...

    def resources(self) -> Resources:
        """What the task asks for, with the node's overrides."""
        ...

    async def inputs(self) -> LiteralMap:
        """Complete. Not to be had in `abort` and `finalize` after a restart: raises Unknown there."""
        ...

    async def inputs_uri(self) -> str:
        """Where the inputs lie as a file (`inputs.pb`); written when it is first asked for."""
        ...

    async def secret(self, key: str, group: str = "") -> str:
        """A secret, which is struck out of whatever this plugin says from now on.

        Raises:
            Unknown: There is none; says where it was looked for.
        """
        ...

    async def storage(self) -> Mapping[str, str]:
        """The variables with which the task reaches the object stores that it reads and writes, and nothing else there:
        addresses, and credentials that soon expire, as `[storage] tasks` has it. For its own environment alone, and
        made anew at every call. None for data that are files of this machine. Not to be had in `abort` and `finalize`.

        Raises:
            RemoteError: A store gives no credentials.
        """
        ...

    async def reserve(self, pool: str, units: int = 1) -> bool:
        """Take units of a pool, once per attempt; given back by the engine when the attempt is closed.

        False: not yet. The engine says what it waits for, and handles the attempt again when it has them.

        Raises:
            Rejected: They are less than one.
        """
        ...

    def callback_url(self) -> str | None:
        """A signed URL; whoever posts to it has the attempt handled again at once. None: none is configured."""
        ...

    def wake(self) -> None:
        """Have the attempt handled again now. Safe from any thread."""
        ...
