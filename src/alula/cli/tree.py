"""A board as a tree of lines that fits a window, whatever the size of the execution. Pure.

Work and lines are bounded by the height of the window: of a composite with more nodes than there is room for, those
that failed and those under way are shown, the others are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice

from alula._kits.units import shown_duration
from alula.cli.board import Board
from alula.cli.said import Frame, mark, words
from alula.cli.width import Part, clean, fitted
from alula.engine.plan import Kind
from alula.engine.state import ROOT, NodePhase

_FEW = 4
"""Elements of an array that are shown one by one."""
_TAIL = 5
"""Lines of output that are shown."""


def lines(
    board: Board, frame: Frame, *, width: int, height: int, tails: Mapping[str, Iterable[str]] | None = None
) -> list[str]:
    """What a window shows: a header, the tree, and the last lines of what runs.

    Args:
        tails: By path, the last lines that tasks printed.
    """
    shown = _output(board, tails or {}, max(min(_TAIL, height - 6), 0))
    room = max(height - 1 - len(shown), 3)
    tree = _Tree(board, frame).scope(ROOT, 1, room) if ROOT in board.rows else []
    return [fitted(parts, width) for parts in [_header(board, frame), *tree[:room], *shown]]


def _header(board: Board, frame: Frame) -> list[Part]:
    row = board.rows.get(ROOT)
    parts = [Part(f" {board.title}", bold=True), Part(f"  {board.name}", "cyan")]
    if row is None:
        return [Part("◌", dim=True), *parts, Part("  waits for an engine", dim=True)]
    if not row.phase.terminal:
        return [mark(board, row, frame), *parts, *words(board, row, frame)]
    took = Part(f"  {shown_duration(row.ended_at - row.since)}" if row.ended_at else "", dim=True)
    return [mark(board, row, frame), *parts, Part(f"  {row.phase}".replace("_", " ")), took]


def _output(board: Board, tails: Mapping[str, Iterable[str]], room: int) -> list[list[Part]]:
    """The last lines of the tasks that run, the newest task last."""
    found = [(board.full_title(path), clean(line)) for path in board.running for line in tails.get(path, ())]
    shown = found[-room:] if room else []
    return [[Part("  "), Part(title, dim=True), Part(" │ ", dim=True), Part(line)] for title, line in shown]


class _Tree:
    def __init__(self, board: Board, frame: Frame) -> None:
        self.board, self.frame = board, frame

    def scope(self, path: str, depth: int, room: int) -> list[list[Part]]:
        """The nodes in a composite, in at most `room` lines."""
        scope = self.board.scopes.get(path)
        if scope is None or room < 1:
            return []
        is_array = path != ROOT and self.board.plan(path).kind is Kind.ARRAY and not self.board.rows[path].phase.good
        if is_array or scope.total > room:
            return self.folded(path, depth, min(room, 2 * _FEW + 1) if is_array else room)
        paths = list(self.board.children(path))
        spare = room - len(paths)
        made: list[list[Part]] = []
        for one in paths:
            made.append(self.node(one, depth))
            inner = self.inside(one, depth, spare)
            spare -= len(inner)
            made += inner
        return made

    def folded(self, path: str, depth: int, room: int) -> list[list[Part]]:
        """Some of the nodes in a composite, and how many more there are."""
        scope = self.board.scopes[path]
        bad = list(islice(scope.bad, max(room // 3, 1)))
        live = list(islice(scope.live, max(room - len(bad) - 1, 0)))
        if path != ROOT and self.board.plan(path).kind is Kind.ARRAY:
            live = live[:_FEW]
        spare = room - len(bad) - len(live) - 1
        made = []
        for one in [*bad, *live]:
            made.append(self.node(one, depth))
            inner = self.inside(one, depth, spare)
            spare -= len(inner)
            made += inner
        left = [
            (scope.good, "done"),
            (scope.skipped, "skipped"),
            (len(scope.bad) - len(bad), "more failed"),
            (len(scope.live) - len(live), "more under way"),
            (scope.to_come, "to come"),
        ]
        said = ", ".join(f"{count:,} {what}" for count, what in left if count > 0)
        return [*made, [Part("  " * depth), Part(f"… {said}", dim=True)]] if said else made

    def node(self, path: str, depth: int) -> list[Part]:
        row = self.board.rows.get(path)
        indent = Part("  " * depth)
        if row is None:
            over = self.board.rows[ROOT].phase.terminal
            return [
                indent,
                Part("· ", dim=True),
                Part(clean(self.board.title_of(path)), dim=True),
                Part("  did not run" if over else "", dim=True),
            ]
        said = words(self.board, row, self.frame)
        if path.endswith("]") or row.phase is NodePhase.SKIPPED:
            said = [replace(part, dim=part.dim or not part.color) for part in said]
        return [indent, mark(self.board, row, self.frame), Part(" "), Part(clean(self.board.title_of(path))), *said]

    def inside(self, path: str, depth: int, room: int) -> list[list[Part]]:
        """What is in a node that is worth being opened: it is under way, or something in it failed."""
        row = self.board.rows.get(path)
        if row is None or row.phase.good or path not in self.board.scopes:
            return []
        return self.scope(path, depth + 1, room)
