"""The HTML report of a task: tabs (`Deck`) that its code fills, and one page that holds them all.

The page needs nothing but itself: style, script and pictures are inside. A tab whose content is a whole HTML document
(what plotting libraries write) gets a frame of its own, so that it cannot disturb the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from alula._kits.lazy import exports
from alula.sdk.current import Deck, TimelineDeck

if TYPE_CHECKING:
    from alula.sdk.renderers import (
        BoxRenderer,
        ImageRenderer,
        MarkdownRenderer,
        PythonDependencyRenderer,
        Renderable,
        SourceCodeRenderer,
        TableRenderer,
        TopFrameRenderer,
    )

__all__ = [
    "DECK_FILE_NAME",
    "DEFAULT_FIELDS",
    "BoxRenderer",
    "Deck",
    "DeckField",
    "ImageRenderer",
    "MarkdownRenderer",
    "PythonDependencyRenderer",
    "Renderable",
    "SourceCodeRenderer",
    "TableRenderer",
    "TimelineDeck",
    "TopFrameRenderer",
    "page",
]

_RENDERERS = [name for name in __all__ if name.endswith("Renderer") or name == "Renderable"]
__getattr__, __dir__ = exports(__name__, dict.fromkeys(_RENDERERS, "alula.sdk.renderers"))

DECK_FILE_NAME = "deck.html"


class DeckField(StrEnum):
    """The tabs that Alula fills on its own when a task asks for a report."""

    INPUT = "Input"
    OUTPUT = "Output"
    SOURCE_CODE = "Source Code"
    TIMELINE = "Timeline"
    DEPENDENCIES = "Dependencies"


DEFAULT_FIELDS = (
    DeckField.SOURCE_CODE,
    DeckField.DEPENDENCIES,
    DeckField.TIMELINE,
    DeckField.INPUT,
    DeckField.OUTPUT,
)


_OWN = frozenset(field.value for field in DeckField)


def page(decks: Iterable[Deck], *, title: str = "Report") -> str:
    """One HTML page with a tab for each deck name, in order of first appearance; empty decks are left out.

    The tabs that Alula adds come after those of the task's author.

    Args:
        decks: What the task collected, `current_context().decks`.
        title: The task's name.
    """
    contents: dict[str, list[str]] = {}
    for deck in decks:
        if deck.html.strip():
            contents.setdefault(deck.name, []).append(deck.html)
    tabs, panels = [], []
    for n, (name, parts) in enumerate(sorted(contents.items(), key=lambda one: one[0] in _OWN)):
        chosen = "true" if n == 0 else "false"
        tabs.append(
            f'<button role="tab" id="tab{n}" aria-controls="panel{n}" aria-selected="{chosen}">{escape(name)}</button>'
        )
        body = "\n".join(_framed(part, name) for part in parts)
        panels.append(f'<section role="tabpanel" id="panel{n}" aria-labelledby="tab{n}">{body}</section>')
    empty = '<p class="note">The task put nothing into its report.</p>'
    return _template().substitute(title=escape(title), tabs="".join(tabs), panels="\n".join(panels) or empty)


def _framed(html: str, name: str) -> str:
    head = html.lstrip()[:200].lower()
    if not head.startswith(("<!doctype", "<html", "<?xml")):
        return f"<div>{html}</div>"
    return f'<iframe title="{escape(name)}" srcdoc="{escape(html)}"></iframe>'


def _template() -> Template:
    return Template(files("alula.sdk").joinpath("deck.html").read_text(encoding="utf-8"))
