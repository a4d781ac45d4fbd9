"""What an engine and its worker processes say to each other: messages over socket pairs, msgpack inside frames.

Three kinds of process answer an engine, each on a stream of its own: the *keeper*, which runs none of the user's code
and ends what must end; a *zygote* per set of code, which has imported the user's modules and forks; the *workers*,
which run attempts. `VERSION` changes with every change of a message, and whoever answers says it first.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import ClassVar, TypeVar, dataclass_transform

import msgpack

from alula.errors import DataError

VERSION = 2

OUTPUTS, FUTURES, ERROR, WRITTEN = 0, 1, 2, 3
"""What `Ended.payload` is: a LiteralMap, a DynamicJobSpec, an ErrorDocument; or empty, since one of the first two lies
under the prefix of the attempt."""

BROKEN, LOST_ENGINE, LOST_SOCKET = 95, 96, 97
"""Exit codes of a worker that can answer nobody: it has met an error of its own; its engine is gone; the task has
closed its socket."""


K = TypeVar("K", bound=type)


@dataclass_transform(frozen_default=True)
def _message(kind: K) -> K:
    """A frozen dataclass, as type checkers see it. Frozen in earnest it would be made in three times the time."""
    return dataclass(slots=True)(kind)  # type: ignore[return-value] # it makes a class anew, of the same kind


@_message
class Message:
    """One message. Its fields are plain data, in order."""

    TAG: ClassVar[int]


# engine -> worker


@_message
class Run(Message):
    """Run an attempt."""

    TAG = 1
    serial: int
    """Names the job in what the worker answers."""
    template: int
    """Names the task template."""
    content: bytes
    """The TaskTemplate itself when this worker sees its name for the first time; else empty."""
    inputs: bytes
    prefix: str
    attempt: tuple[str, str, str, int]
    """Project, domain, execution, and the number of the attempt."""
    checkpoint: str
    index: int
    attempts: int
    environment: Mapping[str, str]
    log_limit_bytes: int
    user_data: str = ""
    """Where the files go that its outputs point to; empty: below `prefix`."""


# worker -> engine


@_message
class Ended(Message):
    """An attempt is over."""

    TAG = 2
    serial: int
    kind: int
    payload: bytes
    retire: str = ""
    """Why this worker must not run another one; empty: it may."""
    lost_log: str = ""
    """Why what the task printed could not be kept; empty: it was, or there was nothing."""


@_message
class Progress(Message):
    """An attempt got further. What is None has not changed."""

    TAG = 3
    serial: int
    done: float | None
    message: str | None
    checkpoint: str | None


# engine -> zygote


@_message
class Prepare(Message):
    """The first message to a zygote: the code that it stands for."""

    TAG = 10
    paths: tuple[str, ...] = ()
    """Put before `sys.path`."""
    modules: tuple[str, ...] = ()
    """Imported, so that its workers need not; what fails to import is left to them."""
    bundle: str = ""
    """URI of a code bundle, unpacked to `directory` unless that exists."""
    directory: str = ""
    """Where it is unpacked: the working directory of workers, and first on `sys.path`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that modules may look at when they are imported."""


@_message
class Fork(Message):
    """Start a worker; its socket comes with the message."""

    TAG = 11
    worker: int
    directory: str
    """Its own, already there: its output is spooled in `log`, its scratch files lie in `scratch`."""


# zygote -> engine


@_message
class Ready(Message):
    """The first message of a zygote or keeper. With a problem it is its last."""

    TAG = 20
    version: int
    pid: int
    problem: str = ""
    prepared: bool = False
    """A zygote says it once more when it has its code."""


@_message
class Forked(Message):
    """A worker lives."""

    TAG = 21
    worker: int
    pid: int


@_message
class Exited(Message):
    """A worker is dead; `status` is that of waitpid(2)."""

    TAG = 22
    worker: int
    pid: int
    status: int


# engine -> keeper


@_message
class Keep(Message):
    """The first message to a keeper: what it removes when the engine is gone."""

    TAG = 30
    spool: str


@_message
class Begin(Message):
    """Start a zygote; its socket comes with the message."""

    TAG = 31
    zygote: int
    interpreter: str
    """Of a fresh process; empty: fork the process that the keeper was forked from."""
    output: str
    """A file for what it prints."""


@_message
class End(Message):
    """Stop a worker or zygote and all of its descendants; answered by `Gone`. A pid that is gone is fine."""

    TAG = 32
    ticket: int
    pid: int
    grace_seconds: float
    """Between asking it to end and killing it; 0: it is killed at once."""


@_message
class Watch(Message):
    """Tell when a worker and its descendants hold more memory than this; 0: no more."""

    TAG = 33
    pid: int
    limit_bytes: int


@_message
class Lease(Message):
    """Kill all zygotes and workers in so many seconds, unless another one of these comes before."""

    TAG = 34
    seconds: float


# keeper -> engine


@_message
class Gone(Message):
    """Nothing is left of what was to end."""

    TAG = 40
    ticket: int


@_message
class Lost(Message):
    """A zygote is dead; `status` is that of waitpid(2)."""

    TAG = 41
    zygote: int
    status: int


@_message
class Over(Message):
    """A watched worker and its descendants hold more memory than they may."""

    TAG = 42
    pid: int
    used_bytes: int


# fmt: off
KINDS: tuple[type[Message], ...] = (
    Run, Ended, Progress, Prepare, Fork, Ready, Forked, Exited, Keep, Begin, End, Watch, Lease, Gone, Lost, Over,
)
# fmt: on
"""All messages."""

_BY_TAG = {kind.TAG: kind for kind in KINDS}
_CONTENT = {kind: attrgetter("TAG", *(one.name for one in fields(kind))) for kind in KINDS}


def encode(message: Message) -> bytes:
    """A message as bytes."""
    packed: bytes = msgpack.packb(_CONTENT[type(message)](message))
    return packed


def decode(payload: bytes) -> Message:
    """The message again. Raises DataError."""
    try:
        tag, *values = msgpack.unpackb(payload, use_list=False)
        return _BY_TAG[tag](*values)
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as exc:
        raise DataError(
            f"{payload[:40]!r} is no message of workers: {exc}",
            where=f"version {VERSION} of the messages",
            fix="let the engine and its workers use one version of Alula",
        ) from exc


@dataclass(frozen=True, slots=True)
class Root:
    """A keeper that was forked from the calling process before its threads began; it forks zygotes of that process."""

    channel: socket.socket
    pid: int
    """Of the keeper's guard, which ends when nothing of both is left."""
