"""A panel on the page of an attempt: facts in, declarative widgets out. The same in a terminal and in a browser."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alula.plugin.phase import Json, LogLink


@dataclass(frozen=True, slots=True)
class Text:
    markdown: str


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[Json, ...], ...]


@dataclass(frozen=True, slots=True)
class Progress:
    done: float
    total: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """A time series."""

    title: str
    points: tuple[tuple[datetime, float], ...]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Links:
    links: tuple[LogLink, ...]


@dataclass(frozen=True, slots=True)
class Image:
    uri: str
    """Of an object that the attempt wrote, or a `data:` URI of an image."""
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Html:
    """Shown in a sandbox: no scripts, no network, no access to the page around it."""

    html: str


Widget = Text | Table | Progress | Series | Links | Image | Html


class TaskView(Protocol):
    """One attempt, for whoever looks at it. Read only."""

    @property
    def task_type(self) -> str: ...

    @property
    def phase(self) -> str: ...

    @property
    def reason(self) -> str: ...

    @property
    def progress(self) -> float | None: ...

    @property
    def links(self) -> Sequence[LogLink]: ...

    @property
    def custom(self) -> Mapping[str, Json]:
        """What the plugin last said in `PhaseInfo.custom`."""
        ...


class Panel(ABC):
    name: str
    title: str
    task_types: frozenset[str]
    """Whose attempts have it."""

    @abstractmethod
    def render(self, task: TaskView) -> Sequence[Widget]:
        """What to show now. No I/O; called for every look, also while the task runs."""
