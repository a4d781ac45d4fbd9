"""The standard descriptors and streams of a process that was started without some of them (`>&-`)."""

from __future__ import annotations

import os
import sys


def fill() -> None:
    """Let each of 0, 1 and 2 that is closed lead to nothing. Else the next file or socket would be taken for it."""
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it is `fd`: those below are open
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for good
