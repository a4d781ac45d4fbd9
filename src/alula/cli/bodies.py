"""What the body of a workflow raises, while a command reads it."""

from __future__ import annotations

import traceback

from alula.cli.card import short_path
from alula.runtime.frames import is_users
from alula.sdk.workflow import read


def came_of_one(exc: BaseException) -> bool:
    """Whether it came of the body of a workflow: it is the user's, and no fault of this program."""
    return any(frame.f_code is read.__code__ for frame, _ in traceback.walk_tb(exc.__traceback__))


def in_a_line(exc: BaseException) -> str:
    """What was raised, and where in the user's code."""
    what = "".join(traceback.format_exception_only(exc)).strip()
    theirs = [frame for frame in traceback.extract_tb(exc.__traceback__) if is_users(frame)]
    return f"{what} ({short_path(theirs[-1].filename)}:{theirs[-1].lineno})" if theirs else what
