"""A Core plugin that writes down how it is called, and does what its task's config says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from alula.plugin.context import TaskContext
from alula.plugin.core import CorePlugin, PluginInfo
from alula.plugin.phase import Phase, PhaseInfo, Transition


@dataclass(frozen=True)
class Steps:
    ends: str = "succeeded"
    after: int = 2
    """Calls of `handle`."""


@dataclass(frozen=True)
class Count:
    calls: int


@dataclass
class Notes:
    """What outlives the plugin's process."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    """Attempt and call, in order."""
    refuse: dict[str, int] = field(default_factory=dict)
    """Calls that raise so often."""

    def of(self, name: str) -> list[str]:
        return [call for who, call in self.calls if who == name]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(who for who, _ in self.calls if who))

    def enter(self, who: str, call: str) -> None:
        self.calls.append((who, call))
        if self.refuse.get(call, 0) > 0:
            self.refuse[call] -= 1
            raise ConnectionRefusedError("connection refused")


class Recorder(CorePlugin[Count]):
    info = PluginInfo("recorder", frozenset({"recorded"}), config=Steps)
    state_type = Count

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    async def open(self) -> None:
        self.notes.enter("", "open")

    async def close(self) -> None:
        self.notes.enter("", "close")

    async def handle(self, task: TaskContext, state: Count | None) -> Transition[Count]:
        self.notes.enter(task.name, "handle")
        steps, now = task.custom(Steps), Count(state.calls + 1 if state else 1)
        if now.calls < steps.after:
            return Transition(PhaseInfo(Phase.RUNNING, f"step {now.calls}"), now, timedelta(seconds=1))
        if steps.ends == "failed":
            return Transition(PhaseInfo.failed("Broken", "it broke"), now)
        if steps.ends == "never":
            return Transition(PhaseInfo(Phase.RUNNING), now, None)
        return Transition(PhaseInfo.succeeded(), now)

    async def abort(self, task: TaskContext, state: Count | None, reason: str) -> None:
        self.notes.enter(task.name, "abort")

    async def finalize(self, task: TaskContext, state: Count | None) -> None:
        self.notes.enter(task.name, "finalize")
