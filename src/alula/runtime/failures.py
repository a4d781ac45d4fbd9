"""What a task raised, as the error document that a platform reads."""

from __future__ import annotations

from datetime import datetime
from enum import Enum, auto

from alula.errors import AlulaError, AuthoringError, ConversionError, DamagedData, DataError, TaskFailure
from alula.idl import ContainerError, ErrorDocument, ExecutionError
from alula.runtime.frames import folded
from alula.sdk.attempts import recoverable
from alula.sdk.graph import Entity
from alula.sdk.task import PythonTask

_LONGEST = 100_000
"""Characters of a message; platforms refuse or cut longer ones."""


class Phase(Enum):
    """How far an attempt came."""

    CODE = auto()
    """The task is being found. Code that is not there, or cannot be imported, is its author's fault, as in flytekit."""
    INPUTS = auto()
    """What the platform passes is being read; what goes wrong is its fault."""
    TASK = auto()


def document(exc: BaseException, *, phase: Phase, retries: int, at: datetime, worker: str = "") -> ErrorDocument:
    """The error document of an attempt.

    Args:
        exc: What ended the attempt.
        phase: When that was.
        retries: How many the task asks for: with some, an ordinary exception of its code is recoverable.
        at: The time.
        worker: Which of several containers of one task this is.
    """
    system = phase is Phase.INPUTS or (isinstance(exc, DataError) if phase is Phase.CODE else _is_ours(exc))
    again = _may_pass(exc) if system else recoverable(exc, retries)
    made = ErrorDocument(
        error=ContainerError(
            code=_code(exc, "SYSTEM" if system else "USER"),
            message=_message(exc),
            kind=ContainerError.RECOVERABLE if again else ContainerError.NON_RECOVERABLE,
            origin=ExecutionError.SYSTEM if system else ExecutionError.USER,
            worker=worker,
        )
    )
    made.error.timestamp.FromDatetime(at)
    return made


def retries_of(entity: Entity) -> int:
    """How many retries a task asks for."""
    return entity.options.retries if isinstance(entity, PythonTask) else 0


def _code(exc: BaseException, origin: str) -> str:
    return exc.code if isinstance(exc, TaskFailure) else f"{origin}:{type(exc).__name__}"


def _is_ours(exc: BaseException) -> bool:
    """Whether the platform is to blame and not the task: bytes that cannot be read, a plugin that breaks."""
    if isinstance(exc, TaskFailure):
        return exc.origin == "system"
    return isinstance(exc, AlulaError) and not isinstance(exc, AuthoringError | ConversionError)


def _may_pass(exc: BaseException) -> bool:
    """Whether a fault of the platform may be gone at the next attempt."""
    if isinstance(exc, TaskFailure):
        return exc.recoverable
    return isinstance(exc, DataError) and not isinstance(exc, DamagedData)


def _message(exc: BaseException) -> str:
    text = "".join(folded(exc)[0].format()).encode(errors="backslashreplace").decode()  # names of files may be no UTF-8
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}\n...\n{text[-_LONGEST // 2 :]}"
