"""What Alula itself puts into a task's report: its source, inputs, outputs and time; and where local reports go."""

from __future__ import annotations

import inspect
import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any
from weakref import WeakKeyDictionary

from alula._kits import bridge
from alula.data import uris
from alula.sdk import deck
from alula.sdk.current import Context, Deck
from alula.sdk.deck import DEFAULT_FIELDS, DeckField
from alula.sdk.signature import Input, Output
from alula.types.registry import default
from alula.types.transformer import Place


def publisher(place: Place, tell: Callable[[str, str, str], None]) -> Callable[[Context], None]:
    """What writes the reports of a local run: a page per attempt below the run's prefix; `tell` gets its URI."""
    numbers = itertools.count(1)
    pages: WeakKeyDictionary[Context, str] = WeakKeyDictionary()

    def publish(context: Context) -> None:
        name = context.task_id.name
        if context not in pages:
            pages[context] = uris.join(place.prefix, "decks", f"{name}-{next(numbers)}.html")
        bridge.run(place.objects.write(pages[context], deck.page(context.decks, title=name).encode()))
        tell("deck", name, pages[context])

    return publish


class Report:
    """Around the user's function: fills the tabs that Alula adds, and writes the page when the task ends, also badly.

    Args:
        context: Of the attempt; nothing happens unless it has reports enabled.
        fields: The tabs that are wanted; None: all.
        fn: The user's function.
    """

    def __init__(self, context: Context, fields: Iterable[DeckField] | None, fn: Callable[..., Any]) -> None:
        self._context, self._fn = context, fn
        self._wanted = frozenset(DEFAULT_FIELDS if fields is None else fields) if context.enable_deck else frozenset()
        self._start = (0.0, 0.0)

    def __enter__(self) -> Report:
        self._start = (time.perf_counter(), time.process_time())
        return self

    def inputs(self, declared: Mapping[str, Input], values: Mapping[str, Any]) -> None:
        """The tab of the inputs."""
        if DeckField.INPUT in self._wanted and declared:
            self._add(DeckField.INPUT, _table({name: (one.type, values[name]) for name, one in declared.items()}))

    def outputs(self, declared: Mapping[str, Output], values: Callable[[], Iterable[Any]]) -> None:
        """The tab of the outputs; `values` is called if it is wanted."""
        if DeckField.OUTPUT in self._wanted and declared:
            pairs = zip(declared.items(), values(), strict=True)
            self._add(DeckField.OUTPUT, _table({name: (one.type, value) for (name, one), value in pairs}))

    def __exit__(self, *exc: object) -> None:
        if not self._context.enable_deck:
            return
        if DeckField.SOURCE_CODE in self._wanted:
            self._add(DeckField.SOURCE_CODE, _source(self._fn))
        if DeckField.TIMELINE in self._wanted:
            self._add_time()
        if DeckField.DEPENDENCIES in self._wanted:
            self._add(DeckField.DEPENDENCIES, deck.PythonDependencyRenderer().to_html())
        self._context.publish_decks()

    def _add(self, field: DeckField, html: str) -> None:
        self._context.decks.append(Deck(field.value, html, auto_add_to_deck=False))

    def _add_time(self) -> None:
        timeline = self._context.timeline_deck
        wall, process = self._start
        taken = {"WallTime": time.perf_counter() - wall, "ProcessTime": time.process_time() - process}
        timeline.append_time_info({"Name": "task, with its inputs and outputs", **taken})
        if timeline not in self._context.decks:
            self._context.decks.append(timeline)


def _table(rows: Mapping[str, tuple[Any, Any]]) -> str:
    body = "".join(f"<tr><th>{escape(name)}</th><td>{_preview(*row)}</td></tr>" for name, row in rows.items())
    return f"<table><tbody>{body}</tbody></table>"


def _preview(t: Any, value: Any) -> str:
    return default.transformer(t).preview(value)


def _source(fn: Callable[..., Any]) -> str:
    try:
        source = inspect.getsource(inspect.unwrap(fn))
    except (OSError, TypeError):
        return "<p>The source is not at hand.</p>"
    return deck.SourceCodeRenderer().to_html(source)
