"""Executions of the machine, seen on a board."""

from __future__ import annotations

import click

from alula.cli.board import Board
from alula.cli.lines import Lines
from alula.cli.said import Frame
from alula.cli.tree import lines
from alula.engine.events import Event
from alula.engine.machine import decide
from alula.engine.turn import Decision
from alula.idl import CompiledWorkflowClosure
from tests.unit.engine.stage import Stage


class Watched(Stage):
    """A stage whose rows go to a board, too."""

    def __init__(self, closure: CompiledWorkflowClosure, **settings: object) -> None:
        super().__init__(closure, **settings)  # type: ignore[arg-type]
        self.careful = False
        self.board = Board("calm-otter", "workflow flow", closure)
        self.plain = Lines(self.board)
        self.said: list[str] = []

    def take(self, event: Event) -> Decision:
        return self._performed(decide(self.x, event, self.now, budget=self.budget))

    def _performed(self, decision: Decision) -> Decision:
        made = super()._performed(decision)
        for former, row in self.board.take(made.changes):
            self.said += [click.unstyle(line) for line in self.plain.of(former, row, self.now)]
        return made

    def tree(self, *, width: int = 100, height: int = 30, tails: dict[str, list[str]] | None = None) -> list[str]:
        shown = lines(self.board, Frame(self.now), width=width, height=height, tails=tails)
        return [click.unstyle(line) for line in shown]
