"""What answers of an API server mean; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from alula.errors import Rejected, RemoteError
from alula.hosting.k8s import quantities
from alula.plugin.failure import FailureKind
from alula.plugin.phase import PhaseInfo

_BUSY = frozenset({"TooManyRequests", "ServerTimeout", "Timeout"})
_BUSY_CODES = frozenset({429, 503, 504})
_NO_RIGHT = ("cannot create resource", "cannot get resource", "cannot list resource", "cannot delete resource")
T = TypeVar("T")


class Refused(RemoteError):
    """The API server said no.

    Args:
        status: HTTP status code.
        reason: Its own word for it: `AlreadyExists`, `Forbidden`; empty if the answer is no `Status`.
        causes: One line for each thing that is wrong, with its field.
        retry_after: Seconds that it asks us to wait; None: it does not say.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        fix: str = "",
        status: int = 0,
        reason: str = "",
        causes: tuple[str, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status, self.reason, self.causes, self.retry_after = status, reason, causes, retry_after

    @property
    def missing(self) -> bool:
        """Whether the object is not there."""
        return self.status in (404, 410)

    @property
    def expired(self) -> bool:
        """Whether a resourceVersion is too old, so that everything must be listed anew."""
        return self.status == 410 or self.reason in ("Gone", "Expired")

    @property
    def conflict(self) -> bool:
        """Whether somebody else changed the object meanwhile."""
        return self.status == 409 and self.reason == "Conflict"


def refusal(status: int, body: object, *, where: str, retry_after: float | None = None) -> Refused:
    """The error of an answer; `body` is its JSON or text."""
    if not isinstance(body, Mapping):
        return Refused(_text(body) or f"HTTP status {status}", where=where, status=status, retry_after=retry_after)
    details = body.get("details") or {}
    causes = tuple(
        ": ".join(filter(None, (str(one.get("field") or ""), str(one.get("message") or one.get("reason") or ""))))
        for one in details.get("causes") or ()
    )
    wait = details.get("retryAfterSeconds")
    return Refused(
        str(body.get("message") or body.get("reason") or f"HTTP status {status}"),
        where=where,
        fix=_fix(status, str(body.get("message") or "")),
        status=int(body.get("code") or status),
        reason=str(body.get("reason") or ""),
        causes=causes,
        retry_after=float(wait) if retry_after is None and wait else retry_after,
    )


@dataclass(frozen=True, slots=True)
class Wait:
    """There is no room, or no time, for it now."""

    reason: str
    asked: Mapping[str, str]
    """What was refused, if quota was the reason."""
    seconds: float | None = None
    """That the server asks for."""


def of_create(error: Refused) -> PhaseInfo | Wait:
    """What it means for an attempt that its object was refused.

    Source: the table of results in flyteplugins' K8s plugin manager, but that a request as large as the whole quota
    waits, since it fits once the quota is free.

    Raises:
        Rejected: The object is wrong, whoever asks and whenever.
        Refused: It has nothing to do with this object.
    """
    message = str(error.what)
    quota = quantities.exceeded(message) if error.status == 403 else None
    if quota is not None:
        asked, whole = quota
        never = quantities.over(asked, whole)
        if never:
            said = f"{message}. The quota will never allow {', '.join(f'{name}={asked[name]}' for name in never)}"
            return PhaseInfo.failed("ResourceRequestsExceedLimits", said)
        return Wait(message, asked)
    if error.status in _BUSY_CODES or error.reason in _BUSY or (error.status >= 500 and "etcdserver:" in message):
        return Wait(message, {}, error.retry_after)
    if error.status == 413 or error.reason == "RequestEntityTooLarge" or "request is too large" in message:
        raise Rejected(message, where=error.where, fix="make the task's template smaller", code="EntityTooLarge")
    if error.status == 403:
        ours = any(text in message for text in _NO_RIGHT) or "being terminated" in message
        kind = FailureKind.SYSTEM if ours else FailureKind.USER
        return PhaseInfo.failed("RuntimeFailure", message, kind=kind, recoverable=True)
    if error.status in (400, 422):
        said = "\n".join([message if not error.causes else message.partition(": ")[0] + ":", *error.causes])
        raise Rejected(said, where=error.where, fix="correct the task's container, resources or pod template")
    raise error


def _fix(status: int, message: str) -> str:
    if status == 401:
        return "give `[backends.k8s]` a token or kubeconfig that is valid"
    if status == 403 and any(text in message for text in _NO_RIGHT):
        return "grant the role in docs/how-to/kubernetes.md to this user or service account"
    if status == 404 and message.startswith("namespaces "):
        return "make the namespace, or set `[backends.k8s] create_namespace = true`"
    return ""


def _text(body: Any) -> str:
    return str(body or "").strip()[:2000]
