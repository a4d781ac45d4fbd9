"""What a plugin's answers mean: what the engine is told, who pays, and what is no answer at all; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from alula.errors import Rejected
from alula.hosting.calls import BROKEN, CallFailed, Garbage, said, short
from alula.hosting.ward import Trouble
from alula.idl import LiteralMap
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.phase import LogLink, Phase, PhaseInfo, Transition
from alula.plugin.runner import Failed, Succeeded

_BEFORE = frozenset({Phase.WAITING, Phase.QUEUED, Phase.STARTING})
"""The attempt does not run yet."""


def checked(plugin: str, call: str, info: Any) -> PhaseInfo:
    """What a plugin says of an attempt, if it is what the contract allows. Raises Garbage."""
    fault = _fault(info)
    if fault:
        raise Garbage(f"{plugin}.{call} gave {short(info)}: {fault}", fix="it is a fault of the plugin")
    return info  # type: ignore[no-any-return]


def transition(plugin: str, answer: Any) -> Transition[Any]:
    """What `handle` gave, if it is what the contract allows. Raises Garbage."""
    if not isinstance(answer, Transition):
        raise Garbage(f"{plugin}.handle gave {short(answer)}, not a Transition", fix="it is a fault of the plugin")
    checked(plugin, "handle", answer.info)
    after: Any = answer.check_after
    if after is not None and not isinstance(after, timedelta):
        raise Garbage(
            f"{plugin}.handle gave a Transition whose check_after is {short(after)}, not a timedelta",
            fix="write `timedelta(seconds=...)`, or None to be called only when woken",
        )
    return answer


def _fault(given: Any) -> str:
    if not isinstance(given, PhaseInfo):
        return "not a PhaseInfo"
    info: Any = given
    if not isinstance(info.phase, Phase):
        return f"its phase {info.phase!r} is none"
    if info.progress is not None and not (isinstance(info.progress, int | float) and 0 <= info.progress <= 1):
        return f"its progress {info.progress!r} is not between 0 and 1"
    if not isinstance(info.reason, str):
        return "its reason is no text"
    if not isinstance(info.links, tuple) or not all(isinstance(link, LogLink) for link in info.links):
        return "its links are no tuple of LogLink"
    if not isinstance(info.custom, Mapping):
        return "its custom facts are no mapping"
    if info.outputs is not None and not isinstance(info.outputs, LiteralMap):
        return "its outputs are no LiteralMap"
    if info.phase is Phase.FAILED and info.failure is None:
        return "it failed and does not say why"
    return _fault_of_failure(info.failure) if info.failure is not None else ""


def _fault_of_failure(given: Any) -> str:
    if not isinstance(given, AttemptFailure):
        return "its failure is no AttemptFailure"
    failure: Any = given
    if not isinstance(failure.code, str) or not failure.code:
        return f"the code of its failure is {short(failure.code)}, not a text"
    if not isinstance(failure.message, str):
        return "the message of its failure is no text"
    if not isinstance(failure.kind, str) or failure.kind not in FailureKind._value2member_map_:
        return f"the kind of its failure is {short(failure.kind)}, not a FailureKind"
    if not isinstance(failure.recoverable, bool):
        return f"whether its failure is recoverable is {short(failure.recoverable)}, not True or False"
    return ""


def outcome(info: PhaseInfo) -> Succeeded | Failed | None:
    """How an attempt ended; None: it has not. What it left outside is cleaned up after that."""
    match info.phase:
        case Phase.SUCCEEDED if info.outputs is not None:
            return Succeeded(info.outputs.SerializeToString(deterministic=True), closed=False)
        case Phase.SUCCEEDED:
            return Succeeded(written=True, closed=False)
        case Phase.FAILED:
            assert info.failure is not None
            return Failed(info.failure, closed=False)
        case Phase.ABORTED:
            what = info.reason or "somebody stopped the job where it ran"
            return Failed(info.failure or AttemptFailure("RemoteAborted", what), closed=False)
    return None


def rejected(exc: Rejected) -> AttemptFailure:
    """The task cannot be done, not by this attempt at least."""
    try:
        text = str(exc)
    except BROKEN:  # it is a guest's object: its text may be none
        text = said(exc)
    return AttemptFailure(str(exc.code), text, FailureKind.USER, recoverable=bool(exc.recoverable))


def unavailable(trouble: Trouble, cause: BaseException, lasted_seconds: float) -> AttemptFailure:
    """It was tried for long enough. The user never pays for that."""
    inner = cause.cause if isinstance(cause, CallFailed) else cause
    code = "PluginFault" if isinstance(inner, Garbage) else "RemoteUnavailable"
    what = f"{trouble.what}; tried {trouble.tries} times in {lasted_seconds:.0f} s"
    return AttemptFailure(code, what, FailureKind.SYSTEM, recoverable=True)


def broken(plugin: str, exc: BaseException) -> AttemptFailure:
    """What a plugin said of an attempt could not be told to the engine."""
    what = f"what {plugin} said of the attempt cannot be told: {said(exc)}"
    return AttemptFailure("PluginFault", what, FailureKind.SYSTEM, recoverable=True)


def waits(info: PhaseInfo) -> str:
    """Why an attempt does not run yet; empty: it does."""
    return (info.reason or info.phase.value) if info.phase in _BEFORE else ""


def message(plugin: str, call: str, exc: BaseException) -> str:
    """A failed call in one line, with the plugin's name."""
    if isinstance(exc, CallFailed):
        return str(exc)
    if isinstance(exc, Garbage):  # it names the call that gave it
        return said(exc)
    return f"{plugin}.{call}: {said(exc)}"
