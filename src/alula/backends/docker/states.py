"""What the state of a container says of the attempt: who ended it, and who pays; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from alula.containers.engine.records import Container, Status
from alula.plugin.failure import FailureKind
from alula.plugin.phase import Phase, PhaseInfo

OOM, RESTARTED, KILLED, SAID = "OOMKilled", "EngineRestarted", "Killed", "USER:ContainerError"
_BY_SIGNAL = {137: "SIGKILL", 143: "SIGTERM"}
"""Exit codes of what was ended from outside: 128 and the signal."""
_LOST = 255
"""What an engine writes for a container of which it does not know how it ended."""
_CRASHES = {132: "SIGILL", 134: "SIGABRT", 135: "SIGBUS", 136: "SIGFPE", 139: "SIGSEGV"}
_CANNOT = {126: "its command cannot be executed", 127: "its command was not found"}
_NO_ALULA = (
    "the image {} has no Alula, which runs Python tasks: let an ImageSpec(base_image=..., packages=[...]) add it, or "
    "install it where the image is built"
)
_NOT_BEGUN = re.compile(r"(?:\(catatonit:\d+\): |^)failed to exec pid1: (.*)", re.MULTILINE)
"""What the init process of Podman prints if there is no such command; in two pieces, so that a log may have but one."""
_SHOWN = 1000
"""Characters of the log that a failure repeats."""


@dataclass(frozen=True, slots=True)
class View:
    """A container, and what was found out about its end."""

    container: Container
    restarted: bool = False
    """The engine was started anew since the container was."""
    tail: str = ""
    """The end of its log."""
    said: str = ""
    """What it left as the reason of its failure."""
    reported: bool = False
    """It left an error of its own where the engine reads it."""
    told: bool = False
    """Somebody else wanted it to end before it did."""


def suspicious(container: Container) -> bool:
    """Whether it may not have ended by itself."""
    return container.status.over and not container.out_of_memory and container.exit_code in (*_BY_SIGNAL, _LOST)


def phase_of(view: View, *, python_image: str = "") -> PhaseInfo:
    """What the state of a container means.

    Args:
        python_image: Its image, if its command is one of those that run Python tasks.
    """
    found = view.container
    match found.status:
        case Status.CREATED:
            return PhaseInfo(Phase.STARTING, "its container is being started")
        case Status.PAUSED:
            return PhaseInfo(Phase.RUNNING, "somebody has paused its container")
        case Status.EXITED | Status.DEAD | Status.REMOVING:
            return _ended(view, python_image)
    return PhaseInfo(Phase.RUNNING)


def _ended(view: View, python_image: str) -> PhaseInfo:
    found, code = view.container, view.container.exit_code
    if view.said:
        return PhaseInfo.failed(SAID, view.said, recoverable=True)
    if view.told and code == 0:
        what = "its container was told to end, and not by Alula: somebody did it, or its engine was shut down"
        return PhaseInfo.failed(KILLED, what, kind=FailureKind.SYSTEM, recoverable=True)
    if found.status is Status.EXITED and code == 0:
        return PhaseInfo.succeeded()
    if found.out_of_memory:
        what = "its container used more memory than it may: raise the memory limit of the task, or let it use less"
        return PhaseInfo.failed(OOM, _with_tail(what, view), recoverable=True)
    if view.restarted and suspicious(found):
        what = f"the container engine was restarted, which ended its container (exit code {code})"
        return PhaseInfo.failed(RESTARTED, what, kind=FailureKind.SYSTEM, recoverable=True)
    if code in _BY_SIGNAL:
        who = "somebody did it, its machine, or its kernel for memory"
        what = f"its container was ended with {_BY_SIGNAL[code]}, and not by Alula: {who}"
        return PhaseInfo.failed(KILLED, _with_tail(what, view), kind=FailureKind.SYSTEM, recoverable=True)
    if found.status is not Status.EXITED:
        what = f"the engine could not end its container in good order: {found.error or found.status}"
        return PhaseInfo.failed("ContainerLost", what, kind=FailureKind.SYSTEM, recoverable=True)
    if view.reported:
        return PhaseInfo.succeeded()  # what the task says itself is better: the engine reads it
    what = f"its container ended with exit code {code}"
    if code in _CRASHES:
        return PhaseInfo.failed(
            f"USER:{_CRASHES[code]}", _with_tail(f"{what}: {_CRASHES[code]}", view), recoverable=True
        )
    missing = _NOT_BEGUN.search(view.tail) if code == 1 else None
    if missing and not python_image:
        what = f"its command cannot be executed: {missing[1].lower()}"
        return PhaseInfo.failed("CannotRun", _with_tail(what, view))
    if (code in _CANNOT or missing) and python_image:
        return PhaseInfo.failed("CannotRun", _with_tail(_NO_ALULA.format(python_image), view))
    if code in _CANNOT:
        return PhaseInfo.failed("CannotRun", _with_tail(f"{what}: {_CANNOT[code]}", view))
    return PhaseInfo.failed("USER:Exited", _with_tail(what, view), recoverable=True)


def _with_tail(what: str, view: View) -> str:
    tail = view.tail.strip()
    if not tail:
        return f"{what}; it has printed nothing"
    return f"{what}; its log ends with:\n{tail[-_SHOWN:]}"
