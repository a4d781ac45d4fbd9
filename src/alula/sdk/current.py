"""What a running task is lent: `current_context()`, its report, its scratch directory, its secrets, its checkpoint.

A `Context` costs less than a microsecond to make: everything it offers is built when it is first asked for.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from html import escape
from typing import Any, TypeVar

from alula.data.objects import ObjectStore
from alula.data.workspace import workspace
from alula.errors import CallError, ConfigError, UnknownAttribute
from alula.idl import Identifier, ResourceType, WorkflowExecutionIdentifier
from alula.sdk.checkpoint import Checkpoint, SyncCheckpoint
from alula.sdk.secrets import SecretsManager
from alula.sdk.stats import Stats

T = TypeVar("T")

log = logging.getLogger(__name__)

LOCAL_ID = WorkflowExecutionIdentifier(project="local", domain="local", name="local")


class Deck:
    """One tab of the task's HTML report.

    Its content is HTML as it stands. Whatever comes from data goes through a renderer (`alula.sdk.deck`), which
    escapes it.

    Args:
        name: Title of the tab; decks of one name share it.
        html: First content.
        auto_add_to_deck: Add it to the report of the task that runs now.
    """

    def __init__(self, name: str, html: str | None = "", auto_add_to_deck: bool = True) -> None:
        self.name = name
        self._html = _markup(html or "", name)
        if auto_add_to_deck:
            current_context().decks.append(self)

    def append(self, html: str) -> Deck:
        """Put more HTML below what is there."""
        self._html = f"{self._html}\n{_markup(html, self.name)}"
        return self

    @property
    def html(self) -> str:
        return self._html

    @staticmethod
    def publish() -> None:
        """Write the report as it is now, while the task goes on."""
        current_context().publish_decks()

    def __repr__(self) -> str:
        return f"Deck({self.name!r}, {len(self._html)} characters)"


class TimelineDeck(Deck):
    """How long the parts of a task took, drawn when it is asked for."""

    def __init__(self, name: str, html: str | None = "", auto_add_to_deck: bool = True) -> None:
        super().__init__(name, html, auto_add_to_deck)
        self.time_info: list[Mapping[str, Any]] = []

    def append_time_info(self, info: Mapping[str, Any]) -> None:
        """Add one part: `Name`, `WallTime` and `ProcessTime` in seconds; `Start`, if known, as a datetime."""
        self.time_info.append(info)

    @property
    def html(self) -> str:
        if not self.time_info:
            return self._html
        longest = max(float(part["WallTime"]) for part in self.time_info) or 1.0
        rows = "".join(
            f"<tr><td>{escape(str(part['Name']))}</td><td class=number>{float(part['WallTime']):.6f}</td>"
            f"<td class=number>{float(part['ProcessTime']):.6f}</td>"
            f"<td class=bar><i style='width:{100 * float(part['WallTime']) / longest:.1f}%'></i></td></tr>"
            for part in self.time_info
        )
        head = "<tr><th>Part</th><th>Wall time (s)</th><th>Process time (s)</th><th></th></tr>"
        return f"{self._html}<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


@dataclass(slots=True)
class Execution:
    """What all tasks of one run have in common."""

    id: WorkflowExecutionIdentifier = field(default_factory=lambda: LOCAL_ID)
    date: datetime = field(default_factory=lambda: datetime.now(UTC))
    local: bool = True
    """False in a container: secrets need their prefix then, and checkpoints a destination."""
    raw_output_prefix: str = ""
    """Where new blobs go, no trailing slash. Empty: the prefix of the workspace."""
    output_metadata_prefix: str = ""
    """Where outputs.pb and deck.html of the attempt go."""
    working_directory: str = ""
    """Under it each context gets a directory of its own. Empty: the directory of the workspace."""
    objects: ObjectStore | None = None
    """Where checkpoints are kept. None: the stores of the workspace."""
    checkpoint_destination: str = ""
    checkpoint_previous: str = ""
    publish: Callable[[Context], None] | None = None
    """Writes the report of a running task."""
    progress: Callable[[Context, float | None, str | None], None] | None = None
    """Takes how far a running task is, from 0 to 1, and what it is at."""
    saved: Callable[[str], None] | None = None
    """Takes the prefix of a checkpoint when the task has saved to it."""


class Context:
    """What the running task may use. Made by whoever runs the task, read through `current_context()`.

    Args:
        execution: The run that the task belongs to; None: a local one.
        task_id: The task's identifier, or just its name.
        attrs: What task plugins lend, by upper-case name (`SPARK_SESSION`); read as `context.spark_session`.
    """

    __slots__ = ("__weakref__", "_attrs", "_execution", "_parts", "_task", "enable_deck")

    def __init__(
        self,
        execution: Execution | None = None,
        task_id: Identifier | str = "",
        *,
        enable_deck: bool = False,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        self._execution = execution
        self._task = task_id
        self.enable_deck = enable_deck
        self._attrs = attrs
        self._parts: dict[str, Any] | None = None

    @property
    def execution(self) -> Execution:
        if self._execution is None:
            self._execution = outside_execution()
        return self._execution

    @property
    def execution_id(self) -> WorkflowExecutionIdentifier:
        """The run, as a tag; it names nothing that program logic may lean on."""
        return self.execution.id

    @property
    def execution_date(self) -> datetime:
        """When the run began, the same for all of its tasks."""
        return self.execution.date

    @property
    def task_id(self) -> Identifier:
        task = self._task
        if isinstance(task, str):
            kind = ResourceType.TASK
            self._task = task = Identifier(
                resource_type=kind, project="local", domain="local", name=task or "local", version="local"
            )
        return task

    @property
    def logging(self) -> logging.Logger:
        return logging.getLogger("alula.task")

    @property
    def stats(self) -> Stats:
        return self._part("stats", Stats)

    @property
    def secrets(self) -> SecretsManager:
        return self._part("secrets", lambda: SecretsManager(local=self.execution.local))

    @property
    def working_directory(self) -> str:
        """A directory of this task's own for temporary files, empty at first."""
        return self._part("working_directory", self._new_directory)

    @property
    def raw_output_prefix(self) -> str:
        """Where blobs that the task makes belong; no trailing slash."""
        return self.execution.raw_output_prefix or workspace().prefix

    @property
    def output_metadata_prefix(self) -> str:
        return self.execution.output_metadata_prefix

    @property
    def checkpoint(self) -> Checkpoint:
        """Progress that the next attempt of this task can pick up.

        Raises:
            ConfigError: In a container that was started without a place for checkpoints.
        """
        return self._part("checkpoint", self._new_checkpoint)

    @property
    def decks(self) -> list[Deck]:
        """The tabs of the task's report, in order."""
        return self._part("decks", _no_decks)

    @property
    def default_deck(self) -> Deck:
        """The tab `default`, one per task."""
        return self._deck("default_deck", Deck, "default")

    @property
    def timeline_deck(self) -> TimelineDeck:
        """How long the parts of this task took; a tab of the report once something is in it."""
        for deck in self.decks:
            if isinstance(deck, TimelineDeck):
                return deck
        return self._part("timeline_deck", lambda: TimelineDeck("Timeline", auto_add_to_deck=False))

    def publish_decks(self) -> None:
        """Write the report as it is now. Without a report, or a place for it, that is logged and nothing happens."""
        if not self.enable_deck:
            log.warning("deck.disabled: set enable_deck=True on task %s to get a report", self.task_id.name)
        elif self.execution.publish is None:
            log.warning("deck.nowhere: task %s does not run, so its report has no place", self.task_id.name)
        else:
            self.execution.publish(self)

    def with_attrs(self, **attrs: Any) -> Context:
        """The same task with more for its code to find, as `context.name` and `context.NAME`."""
        self._own_parts()
        merged = {**(self._attrs or {}), **{name.upper(): value for name, value in attrs.items()}}
        child = Context(self._execution, self._task, enable_deck=self.enable_deck, attrs=merged)
        child._parts = self._parts
        return child

    def next_attempt(self) -> Context:
        """A fresh context for another attempt of this task; it finds the checkpoint that this one left."""
        fresh = Context(self._execution, self._task, enable_deck=self.enable_deck, attrs=self._attrs)
        if self._parts and isinstance(former := self._parts.get("checkpoint"), SyncCheckpoint):
            fresh._part("checkpoint", lambda: fresh._new_checkpoint(former.latest))
        return fresh

    def builder(self) -> ContextBuilder:
        """For task plugins written against flytekit; ours use `with_attrs`."""
        return ContextBuilder(self)

    def has_attr(self, name: str) -> bool:
        """Whether a task plugin lends `name`."""
        return self._attrs is not None and name.upper() in self._attrs

    def get(self, name: str) -> Any:
        """What a task plugin lends under `name`. Raises UnknownAttribute."""
        return self.__getattr__(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # protocol look-ups of copy, pickle and inspect; nobody reads this
        if self._attrs is not None and name.upper() in self._attrs:
            return self._attrs[name.upper()]
        lent = ", ".join(sorted(key.lower() for key in self._attrs or ())) or "nothing"
        raise UnknownAttribute(
            f"the context of a task has no attribute {name!r}",
            where=f"task {self._task if isinstance(self._task, str) else self._task.name}; its plugin lends {lent}",
            fix="correct the name, or give the task the task_config of the plugin that provides it",
        )

    def __repr__(self) -> str:
        name = self._task if isinstance(self._task, str) else self._task.name
        return f"Context(task={name or None!r}, execution={self.execution_id.name!r})"

    def _own_parts(self) -> dict[str, Any]:
        if self._parts is None:
            self._parts = {}
        return self._parts

    def _part(self, name: str, make: Callable[[], T]) -> T:
        parts = self._own_parts()
        if name not in parts:
            parts.setdefault(name, make())  # of two threads the first to finish wins, for both
        part: T = parts[name]
        return part

    def _deck(self, part: str, make: Callable[[str, str, bool], Deck], name: str) -> Deck:
        parts = self._own_parts()
        if part not in parts:
            self.decks.append(parts.setdefault(part, make(name, "", False)))
        deck: Deck = parts[part]
        return deck

    def _new_directory(self) -> str:
        parent = self.execution.working_directory or str(workspace().directory)
        os.makedirs(parent, exist_ok=True)
        return tempfile.mkdtemp(prefix="task-", dir=parent)

    def _new_checkpoint(self, previous: str = "") -> Checkpoint:
        run = self.execution
        destination = run.checkpoint_destination
        if not destination and not run.local:
            raise ConfigError(
                "there is no place for checkpoints",
                where=f"task {self.task_id.name}",
                fix="run it on a platform that passes --checkpoint-path, and give the task retries",
            )
        return SyncCheckpoint(
            destination or os.path.join(self.working_directory, "checkpoint"),
            previous or run.checkpoint_previous or None,
            objects=run.objects,
            saved=run.saved,
        )


class ContextBuilder:
    """Changes to a context, collected: `context.builder().add_attr("SPARK_SESSION", session).build()`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.attrs: dict[str, Any] = {}

    def add_attr(self, key: str, v: Any) -> ContextBuilder:
        self.attrs[key] = v
        return self

    def build(self) -> Context:
        return self._context.with_attrs(**self.attrs)


_current: ContextVar[Context] = ContextVar("alula.current")

enter: Callable[[Context], Token[Context]] = _current.set
"""Make a context the current one; give the token to `leave`. For code that runs many small tasks."""
leave: Callable[[Token[Context]], None] = _current.reset
"""Undo `enter`, in the same thread or asyncio task."""


def current_context() -> Context:
    """The context of the task that runs here; outside of any task a local one, the same on every call."""
    return _current.get(None) or _outside()


@contextmanager
def entered(context: Context) -> Iterator[Context]:
    """Make `context` the current one for the length of a `with` block."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def running() -> bool:
    """Whether a task runs here, as opposed to code outside of any task."""
    return _current.get(None) is not None


@cache
def outside_execution() -> Execution:
    """The run that code outside of any run belongs to."""
    return Execution()


@cache
def _outside() -> Context:
    return Context()


def _no_decks() -> list[Deck]:
    return []


def _markup(html: str, name: str) -> str:
    if not isinstance(html, str):
        raise CallError(
            f"a deck takes HTML as a str, got {type(html).__name__}: {html!r:.80}",
            where=f"deck {name!r}",
            fix="turn it into HTML with a renderer, such as TableRenderer().to_html(frame)",
        )
    return html
