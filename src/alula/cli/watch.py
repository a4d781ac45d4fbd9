"""Showing an execution while it goes: a live tree on a terminal, lines elsewhere, nothing if that is asked for."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum

import click

from alula.cli.aside import aside
from alula.cli.board import Board
from alula.cli.lines import Lines
from alula.cli.said import Frame
from alula.cli.screen import Screen
from alula.cli.tree import lines
from alula.cli.width import Part, clean
from alula.engine.observe import Committed, PlanOf, Said, Silent
from alula.engine.state import ROOT, Row
from alula.plugin.runner import AttemptId, Shows, Waits
from alula.store.records import ExecutionRecord, ProgressRecord

_BEAT = 0.1
"""Seconds between two paints at least."""
_FIRST = 0.15
"""A run that is over before this paints only its end."""
_SLOW_EVERY = 5
"""Beats between two looks for what takes long."""
_KEPT = 5
"""Lines of output that are kept of each task that runs."""


class View(StrEnum):
    TREE = "tree"
    LINES = "lines"
    QUIET = "quiet"

    @classmethod
    def fitting(cls, *, quiet: bool) -> View:
        """What suits standard error."""
        if quiet:
            return cls.QUIET
        return cls.TREE if Screen.fits(sys.stderr) else cls.LINES


class Watch(Silent):
    """Shows one execution on standard error. An observer of the engine that drives it, and fed by hand where another
    one does.

    Args:
        id: The execution.
        solo: It is made of one node.
    """

    def __init__(self, board: Board, id: int, view: View, *, solo: bool = False) -> None:
        self.board, self.view = board, view
        self._id = id
        self._lines = Lines(board, solo=solo)
        self._solo = solo
        color = click.get_current_context(silent=True)
        self._screen = Screen(sys.stderr, color=color is None or color.color is not False)
        self._tails: dict[str, deque[str]] = {}
        self._rests: dict[AttemptId, str] = {}
        self._beats = 0
        self.note = ""
        """A line under the tree."""
        self.here = asyncio.Event()
        """Set once the engine of this process has the execution."""
        self.elsewhere = False
        """Another process drives it."""
        self.over = asyncio.Event()
        """Set once the end of the execution has been shown."""

    # --- what comes in ---

    def taken(self, execution: ExecutionRecord, plan_of: PlanOf) -> None:
        if execution.id == self._id:
            self.elsewhere = False
            self.here.set()

    def owned(self, owner: str, *, ours: str) -> None:
        """Take in which engine the store says has the execution, and had some moments ago: by now it may be ours."""
        self.elsewhere = not self.here.is_set() and owner not in ("", ours)

    def committed(self, execution: ExecutionRecord, commit: Committed) -> None:
        if execution.id == self._id:
            self.feed(commit.rows)

    def reported(self, execution: ExecutionRecord, path: str, attempt: int, report: Said) -> None:
        if execution.id != self._id or isinstance(report, Shows):
            return
        pace = self.board.pace(path)
        if isinstance(report, Waits):
            pace.message = report.reason
        else:
            pace.done = report.done if report.done is not None else pace.done
            pace.message = report.message if report.message is not None else pace.message

    def feed(self, rows: Iterable[Row], *, silently: bool = False) -> None:
        """Rows as they are now."""
        now = datetime.now(UTC)
        for former, row in self.board.take(rows):
            if row.phase.terminal:
                self._tails.pop(row.path, None)
            if self.view is View.LINES and not silently:
                for line in self._lines.of(former, row, now):
                    self.say(line)
        root = self.board.rows.get(ROOT)
        if root is not None and root.phase.terminal:
            self.over.set()

    def told(self, progress: Iterable[ProgressRecord]) -> None:
        """What attempts say of themselves, as the store has it."""
        for one in progress:
            if one.path in self.board.rows and not self.board.rows[one.path].phase.terminal:
                pace = self.board.pace(one.path)
                pace.done, pace.message = one.done, one.message

    def printed(self, id: AttemptId, data: bytes) -> None:
        """What an attempt of any execution prints, piece by piece."""
        if id.execution != self.board.name or self.view is View.QUIET:
            return
        *whole, rest = (self._rests.get(id, "") + data.decode(errors="replace")).split("\n")
        if rest:
            self._rests[id] = rest
        else:
            self._rests.pop(id, None)
        self.output(id.path, whole)

    def output(self, path: str, texts: Iterable[str]) -> None:
        """Lines that a task printed."""
        if self.view is View.TREE:
            self._tails.setdefault(path, deque(maxlen=_KEPT)).extend(texts)
        elif self.view is View.LINES:
            title = clean(self.board.full_title(path))
            for text in texts:
                self.say(f"{Part(f'  {title} │ ', dim=True)}{clean(text)}")

    # --- what goes out ---

    def say(self, line: str) -> None:
        """A line that stays."""
        if self.view is View.TREE:
            self._screen.erase()
        if self.view is not View.QUIET:
            aside(line)

    async def show(self) -> None:
        """Paint until it is cancelled."""
        if self.view is View.QUIET:
            return
        await asyncio.sleep(_FIRST)
        while True:
            self._beats += 1
            if self.view is View.TREE:
                self.paint()
            elif self._beats % _SLOW_EVERY == 0:
                for line in self._lines.slow(datetime.now(UTC)):
                    self.say(line)
            await asyncio.sleep(_BEAT)

    def paint(self, *, last: bool = False) -> None:
        """Paint the tree as it is now; the last one stays."""
        if self.view is not View.TREE or (last and self._solo):
            self._screen.erase()
            return
        width, height = self._screen.size()
        frame = Frame(datetime.now(UTC), self._beats)
        shown = lines(
            self.board, frame, width=width, height=height - bool(self.note), tails={} if last else self._tails
        )
        self._screen.paint([*shown, *([self.note] if self.note and not last else [])])
        if last:
            self._screen.keep()

    def end(self) -> None:
        """Say what is left to say: the beginnings of lines, and the tree as it is in the end."""
        for id, rest in list(self._rests.items()):
            self.output(id.path, [rest])
        self._rests.clear()
        self.paint(last=True)
