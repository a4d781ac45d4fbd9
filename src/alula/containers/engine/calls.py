"""What is asked of a container engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import BinaryIO, Protocol

from alula.containers.engine.records import Container, Event, Spec


class Engine(Protocol):
    """A container engine. Every call but `logs` and `events` ends within a deadline.

    All raise RemoteError where the engine does not answer, and Rejected for what it will never do.
    """

    @property
    def url(self) -> str: ...

    @property
    def near(self) -> bool:
        """It runs on this machine, so that it sees the same files."""
        ...

    async def open(self) -> None: ...

    async def aclose(self) -> None: ...

    async def session(self) -> str:
        """A mark of this run of the engine: another one after it was started anew. Empty: that cannot be told."""
        ...

    async def alive(self) -> bool:
        """Whether it takes new connections: one that shuts down does not, while it still answers on old ones."""
        ...

    async def has_image(self, image: str) -> bool: ...

    async def pull(self, image: str, auth: Mapping[str, str] | None = None) -> None:
        """Get an image from its registry; takes as long as it takes.

        Raises:
            Rejected: There is no such image, or not for us.
            RemoteError: The registry does not answer.
        """
        ...

    async def create(self, spec: Spec) -> bool:
        """Make a container. False: there is one of that name, and nothing was made.

        Raises:
            ImageMissing: The engine does not have its image.
        """
        ...

    async def put(self, name: str, archive: BinaryIO) -> None:
        """Unpack a tar archive at the root of a container that does not run."""
        ...

    async def take(self, name: str, path: str, archive: BinaryIO, limit_bytes: int) -> bool:
        """Write what is at a path of a container as a tar archive. False: nothing is there.

        Raises:
            Rejected: It is more than the limit.
        """
        ...

    async def start(self, name: str) -> None:
        """Start a container; one that was started already is fine."""
        ...

    async def inspect(self, name: str) -> Container:
        """Raises RemoteNotFound."""
        ...

    async def list(self, *labels: str) -> Sequence[Container]:
        """All containers with the labels, whatever their state; without how they ended."""
        ...

    async def tail(self, name: str, lines: int) -> str:
        """The last lines of a container's output; empty if there are none, or no such container."""
        ...

    async def logs(self, name: str, write: Callable[[bytes], object], *, follow: bool = True) -> None:
        """Write all that a container has printed, from its beginning on; if followed, until it has ended.

        Engines lose the end of what they follow, or wait for more of it, where the container ends meanwhile: of one
        that has ended ask for the log without that.
        """
        ...

    async def stop(self, name: str, grace_seconds: float) -> None:
        """Ask a container to stop, and kill it after the grace. One that is over or gone is fine."""
        ...

    async def remove(self, name: str, *, force: bool = True) -> bool:
        """Remove a container with its volumes. Without force, False: it runs, so it stays. One that is gone is fine."""
        ...

    def events(self, label: str) -> AsyncIterator[Event | None]:
        """What happens to containers with a label; None as soon as it is listened. Ends when the engine does."""
        ...


Connect = Callable[[str], Engine]
"""Makes an engine of a URL."""
