"""Who pays for another attempt, and when it may start: budgets of the user, the system and interruptions apart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from alula._kits.records import replace
from alula.engine.plan import Policy
from alula.engine.state import Failure, FailureKind, NodeState, Settings


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows a failure."""

    row: NodeState
    """The node with the failure charged to it."""
    retry: bool
    delay: timedelta = timedelta(0)
    failure: Failure | None = None
    """What the node fails with if there is no retry."""


def judge(
    row: NodeState, failure: Failure, policy: Policy, settings: Settings, *, interruptible: bool, jitter: float
) -> Verdict:
    """Charge a failure of the present attempt, and decide on another one.

    A user failure costs one of the node's retries. A system failure costs one of the system's, which are counted in a
    row. An interruption of an interruptible attempt costs neither: after enough of them the node runs on machines that
    stay. There an interruption is a system failure.
    """
    kind = failure.kind
    if kind is FailureKind.INTERRUPTED and not interruptible:
        kind = FailureKind.SYSTEM
    match kind:
        case FailureKind.INTERRUPTED:
            charged = replace(row, interruptions=row.interruptions + 1)
            delay = backoff(settings.system_backoff, row.interruptions, settings.max_backoff, jitter)
            return Verdict(charged, True, delay)
        case FailureKind.SYSTEM:
            charged = replace(row, system_failures=row.system_failures + 1)
            nth, allowed, base = row.system_failures, settings.system_retries, settings.system_backoff
            retry = failure.recoverable and charged.system_failures <= allowed
        case _:
            charged = replace(row, user_failures=row.user_failures + 1, system_failures=0)
            nth, allowed, base = row.user_failures, policy.retries, settings.user_backoff
            retry = failure.recoverable and charged.user_failures <= allowed
    if retry:
        return Verdict(charged, True, backoff(base, nth, settings.max_backoff, jitter))
    exhausted = failure.recoverable and allowed > 0
    return Verdict(charged, False, failure=_exhausted(failure, row.attempt + 1) if exhausted else failure)


def backoff(base: timedelta, nth: int, most: timedelta, jitter: float) -> timedelta:
    """The wait before the retry after failure `nth` (from 0): base * 2**nth up to `most`, and up to a half on top."""
    plain = most if nth > 40 else min(base * 2**nth, most)
    return plain * (1 + jitter / 2)


def on_spot(row: NodeState, policy: Policy, settings: Settings) -> bool:
    """Whether the next attempt may run on a machine that can be taken away."""
    wanted = settings.interruptible if policy.interruptible is None else policy.interruptible
    given = settings.interruptible_failures
    allowed = given if given > 0 else max(0, settings.system_retries + 1 + given)
    return wanted and row.interruptions < allowed


def _exhausted(failure: Failure, attempts: int) -> Failure:
    return replace(
        failure,
        code=f"RetriesExhausted|{failure.code}",
        message=f"{attempts} attempts failed, the last one with: {failure.message}",
        recoverable=False,
    )
