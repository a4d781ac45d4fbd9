"""Leaving the threads of a native library in peace when the process ends.

A thread of obstore that comes back into Python while the interpreter ends aborts the process: what had succeeded ends
with SIGABRT. It happens to those who end right after their last write, as a container does with its outputs, because
the thread that brings the news is still about to leave when the news has arrived.
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
from functools import cache

_PAUSE_SECONDS = 0.0005
_MOST_SECONDS = 2.0


@cache
def wait_at_exit() -> None:
    """Have the end of this process wait until no foreign thread is inside of Python; the first call counts."""
    atexit.register(wait)


def wait() -> None:
    """Return once no thread is inside of Python that Python did not start, at the latest after two seconds."""
    end = time.monotonic() + _MOST_SECONDS
    time.sleep(_PAUSE_SECONDS)  # one that is just coming in gets the lock of the interpreter
    while foreign() and time.monotonic() < end:
        time.sleep(_PAUSE_SECONDS)


def foreign() -> bool:
    """Whether a thread is inside of Python that Python did not start."""
    ours = {thread.ident for thread in threading.enumerate()}
    return any(thread not in ours for thread in sys._current_frames())
