"""A block of lines at the bottom of a terminal that is painted over, a bounded number of times a second."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

import click

_UP = "\x1b[{}A"
_CLEAR_BELOW = "\x1b[0J"
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


class Screen:
    """Paints on a terminal. Not thread-safe.

    Args:
        stream: A terminal.
        color: Whether to use colours.
    """

    def __init__(self, stream: TextIO, *, color: bool = True) -> None:
        self._stream, self._color = stream, color
        self._painted: list[str] = []

    @staticmethod
    def fits(stream: TextIO) -> bool:
        """Whether a stream is a terminal on which the cursor can be moved."""
        return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")

    def size(self) -> tuple[int, int]:
        """Columns and lines of the window. The last column stays free: some terminals wrap there."""
        columns, lines = shutil.get_terminal_size()
        return max(columns - 1, 20), max(lines - 1, 4)

    def paint(self, lines: Sequence[str]) -> None:
        """Replace what was painted before."""
        shown = [line if self._color else click.unstyle(line) for line in lines]
        if shown == self._painted:
            return
        self._write(_HIDE + self._back() + "".join(f"{line}\n" for line in shown) + _SHOW)
        self._painted = shown

    def erase(self) -> None:
        """Take away what was painted."""
        self._write(self._back())
        self._painted = []

    def keep(self) -> None:
        """Leave what was painted where it is; what comes next goes below."""
        self._painted = []

    def _write(self, text: str) -> None:
        with suppress(OSError):  # a terminal that is gone stops nobody's work
            self._stream.write(text)
            self._stream.flush()

    def _back(self) -> str:
        return (_UP.format(len(self._painted)) + "\r" + _CLEAR_BELOW) if self._painted else ""
