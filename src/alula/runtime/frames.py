"""Tracebacks as the user wants them: their own frames, without ours in between."""

from __future__ import annotations

import traceback
from pathlib import Path

_PACKAGE = str(Path(__file__).resolve().parents[1]) + "/"
_MACHINERY = (
    "/asyncio/",
    "/concurrent/futures/",
    "/contextlib.py",
    "/functools.py",
    "/importlib/",
    "<frozen ",
    "/threading.py",
)
"""Parts of the standard library through which we call the user's code."""


def folded(exc: BaseException) -> tuple[traceback.TracebackException, int]:
    """What happened, without the frames of this package, and how many frames were left out.

    An error that never came by code of the user's keeps its frames: they are all there is to see.
    """
    shown = traceback.TracebackException.from_exception(exc, compact=True)
    return shown, sum(_fold(one) for one in _chain(shown))


def _chain(first: traceback.TracebackException) -> list[traceback.TracebackException]:
    """An error, what it came from, and the members of its group."""
    found = [first]
    for one in found:
        found += [other for other in (one.__cause__, one.__context__, *(one.exceptions or ())) if other is not None]
    return found


def _fold(one: traceback.TracebackException) -> int:
    frames = list(one.stack)
    if not any(is_users(frame) for frame in frames):
        return 0
    while not is_users(frames[0]):
        del frames[0]
    theirs = [frame for frame in frames if not frame.filename.startswith(_PACKAGE) and not _made(frame)]
    left_out = len(one.stack) - len(theirs)
    one.stack = traceback.StackSummary.from_list(theirs)
    return left_out


def is_users(frame: traceback.FrameSummary) -> bool:
    """Whether a frame is neither ours nor of the machinery between us and the user."""
    ours = frame.filename.startswith(_PACKAGE) or _made(frame)
    return not ours and not any(part in frame.filename for part in _MACHINERY)


def _made(frame: traceback.FrameSummary) -> bool:
    """Whether it is the constructor that `dataclass` wrote for a class: it has no line to show."""
    return frame.filename == "<string>" and frame.name == "__init__"
