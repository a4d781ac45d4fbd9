"""What a caller is told when a call fails: one dict from our errors to statuses, for both servers.

What is not one of ours is a fault of this program. It is logged under an id, and the caller learns the id: never
UNKNOWN, and never UNAUTHENTICATED by accident, since clients take either for a reason to sign in.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from alula.errors import (
    AlulaError,
    AuthoringError,
    Busy,
    ConfigError,
    ConversionError,
    DataError,
    Forbidden,
    NameTaken,
    NotOffered,
    NotSignedIn,
    ObjectNotFound,
    RequestError,
    StoreError,
    StoreUnavailable,
    Throttled,
    Unknown,
    UnsafeArchive,
    Untimely,
)

log = logging.getLogger(__name__)


class Code(Enum):
    """A status of gRPC: its number, and the HTTP status that stands for it. Source: google/rpc/code.proto."""

    INVALID_ARGUMENT = 3, 400
    DEADLINE_EXCEEDED = 4, 504
    NOT_FOUND = 5, 404
    ALREADY_EXISTS = 6, 409
    PERMISSION_DENIED = 7, 403
    RESOURCE_EXHAUSTED = 8, 429
    FAILED_PRECONDITION = 9, 400
    ABORTED = 10, 409
    OUT_OF_RANGE = 11, 400
    UNIMPLEMENTED = 12, 501
    INTERNAL = 13, 500
    UNAVAILABLE = 14, 503
    UNAUTHENTICATED = 16, 401

    @property
    def number(self) -> int:
        return self.value[0]

    @property
    def http(self) -> int:
        return self.value[1]


CODES: Mapping[type[BaseException], Code] = {
    Unknown: Code.NOT_FOUND,
    NameTaken: Code.ALREADY_EXISTS,
    Busy: Code.RESOURCE_EXHAUSTED,
    Throttled: Code.RESOURCE_EXHAUSTED,
    NotSignedIn: Code.UNAUTHENTICATED,
    Forbidden: Code.PERMISSION_DENIED,
    NotOffered: Code.UNIMPLEMENTED,
    Untimely: Code.FAILED_PRECONDITION,
    RequestError: Code.INVALID_ARGUMENT,
    AuthoringError: Code.INVALID_ARGUMENT,
    ConversionError: Code.INVALID_ARGUMENT,
    ConfigError: Code.INVALID_ARGUMENT,
    UnsafeArchive: Code.INVALID_ARGUMENT,
    ObjectNotFound: Code.NOT_FOUND,
    DataError: Code.UNAVAILABLE,
    StoreUnavailable: Code.UNAVAILABLE,
    StoreError: Code.INTERNAL,
    TimeoutError: Code.DEADLINE_EXCEEDED,
}
"""The nearest class in the order of inheritance counts."""

_OURS = frozenset({Code.INTERNAL, Code.UNAVAILABLE})
"""Faults of this side, whose texts may name hosts, paths and rows: they are logged, and not told."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a call failed."""

    code: Code
    text: str


def status_of(exc: BaseException, rpc: str) -> Status:
    """What the caller of `rpc` is told of an error; what it is not told goes into the log, under an id.

    Never raises, and takes any exception: this is the last line of both servers.
    """
    code = next((CODES[kind] for kind in type(exc).__mro__ if kind in CODES), Code.INTERNAL)
    if code not in _OURS:
        if isinstance(exc, AlulaError):
            return Status(code, str(exc))
        return Status(code, f"{rpc} took longer than its caller waits")
    id = secrets.token_hex(4)
    unforeseen = not isinstance(exc, AlulaError)
    log.error("rpc.failed", extra={"rpc": rpc, "id": id, "why": str(exc)}, exc_info=exc if unforeseen else None)
    if code is Code.UNAVAILABLE:
        what = "the files" if isinstance(exc, DataError) else "the store"
        return Status(code, f"{what} of this server cannot be reached just now, id {id}; try again later")
    return Status(code, f"internal error, id {id}; the log of the server says more under this id")
