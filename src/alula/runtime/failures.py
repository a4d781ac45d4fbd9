"""What a task raised, as the error document that a platform reads."""

from __future__ import annotations

import traceback
from datetime import datetime
from pathlib import Path

from alula.errors import AlulaError, AuthoringError, ConversionError, TaskFailure
from alula.idl import ContainerError, ErrorDocument, ExecutionError
from alula.sdk.attempts import recoverable
from alula.sdk.graph import Entity
from alula.sdk.task import PythonTask

_PACKAGE = str(Path(__file__).resolve().parents[1])
_LONGEST = 100_000
"""Characters of a message; platforms refuse or cut longer ones."""


def document(exc: BaseException, *, retries: int, at: datetime) -> ErrorDocument:
    """The error document of an attempt.

    Args:
        retries: How many the task asks for: with some, an ordinary exception is recoverable.
    """
    made = ErrorDocument(
        error=ContainerError(
            code=_code(exc),
            message=_message(exc),
            kind=ContainerError.RECOVERABLE if recoverable(exc, retries) else ContainerError.NON_RECOVERABLE,
            origin=ExecutionError.SYSTEM if _ours(exc) else ExecutionError.USER,
        )
    )
    made.error.timestamp.FromDatetime(at)
    return made


def retries_of(entity: Entity) -> int:
    """How many retries a task asks for."""
    return entity.options.retries if isinstance(entity, PythonTask) else 0


def _code(exc: BaseException) -> str:
    if isinstance(exc, TaskFailure):
        return exc.code
    return f"{'SYSTEM' if _ours(exc) else 'USER'}:{type(exc).__name__}"


def _ours(exc: BaseException) -> bool:
    """Whether the platform is to blame, and not the task: bytes that cannot be read, code that cannot be loaded."""
    if isinstance(exc, TaskFailure):
        return exc.origin == "system"
    if isinstance(exc, AuthoringError | ConversionError):
        return False
    return isinstance(exc, AlulaError)


def _message(exc: BaseException) -> str:
    """The traceback without the frames of this package, and the message."""
    shown = traceback.TracebackException.from_exception(exc)
    one: traceback.TracebackException | None = shown
    while one is not None:
        theirs = [frame for frame in one.stack if not frame.filename.startswith(_PACKAGE)]
        if theirs:
            one.stack = traceback.StackSummary.from_list(theirs)
        one = one.__cause__ or one.__context__
    text = "".join(shown.format())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}\n...\n{text[-_LONGEST // 2 :]}"
