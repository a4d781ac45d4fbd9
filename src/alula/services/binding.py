"""Which part answers which call: one table for gRPC and HTTP, made from the services' own descriptors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from alula.errors import AlulaError, NotOffered
from alula.idl.service import ADMIN, SERVICES, messages_of

_EVENTS = "the engine is the only writer of what happens in executions; no other propeller reports here"

NOT_OFFERED: Mapping[str, str] = {
    f"{ADMIN}/CreateWorkflowEvent": _EVENTS,
    f"{ADMIN}/CreateNodeEvent": _EVENTS,
    f"{ADMIN}/CreateTaskEvent": _EVENTS,
}
"""Why a call is not answered, by `service/call`. What is here neither has a part nor will have one."""
_NOT_YET = "this server does not have it"


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call beside its request."""

    principal: str = ""
    """Who calls, as it was proved by a token; empty: nobody asked."""
    peer: str = ""
    """Where it comes from, as the transport says: `ipv4:127.0.0.1:51334`."""
    seconds: float | None = None
    """What is left until the caller gives up; None: it waits for ever."""
    base_url: str = ""
    """What this server's own URLs begin with for this caller: `http://127.0.0.1:8080`."""


class Tally(Protocol):
    """Who counts calls."""

    def answered(self, service: str, call: str, *, over: str, code: str, seconds: float) -> None:
        """One was. Must neither block nor raise."""
        ...


Answer = Callable[[Any, Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Rpc:
    """One call of one service, and who answers it."""

    method: MethodDescriptor = field(repr=False)
    asks: type[Message]
    answers: type[Message]
    answer: Answer = field(repr=False)
    reason: str = ""
    """Why it is not offered; empty: it is."""

    @property
    def service(self) -> str:
        return str(self.method.containing_service.full_name)

    @property
    def name(self) -> str:
        return str(self.method.name)


def bind(parts: Iterable[object]) -> list[Rpc]:
    """Every call of every service, in the order of the descriptors.

    A part has an attribute `service` (its full name; none: AdminService) and coroutine methods named like calls. A call
    that no part has answers UNIMPLEMENTED, and says why.

    Raises:
        AlulaError: Two parts answer one call, or a method of a part is named like no call.
    """
    found: dict[str, Answer] = {}
    for part in parts:
        service = getattr(part, "service", ADMIN)
        for name in _calls(part):
            if f"{service}/{name}" in found:
                raise AlulaError(f"two parts answer {service}/{name}", fix="take the method out of one of them")
            found[f"{service}/{name}"] = getattr(part, name)
    rpcs = []
    for described in SERVICES:
        for method in described.methods:
            key = f"{described.full_name}/{method.name}"
            asks, answers = messages_of(method)
            reason = "" if key in found else NOT_OFFERED.get(key, _NOT_YET)
            answer = found.pop(key, None) or _refusal(method.name, reason)
            rpcs.append(Rpc(method, asks, answers, answer, reason))
    if found:
        raise AlulaError(f"no service has these calls: {', '.join(sorted(found))}", fix="name them as flyteidl does")
    return rpcs


def _calls(part: object) -> Sequence[str]:
    """Names of the public methods that look like calls: they begin with a capital."""
    return [name for name in dir(type(part)) if name[0].isupper() and callable(getattr(part, name))]


def _refusal(name: str, reason: str) -> Answer:
    async def refused(request: Message, call: Call) -> Message:
        raise NotOffered(f"{name} is not offered: {reason}")

    return refused
