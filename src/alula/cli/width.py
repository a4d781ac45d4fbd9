"""Text that fits a terminal: counted in the columns that it takes, with nothing in it that moves the cursor."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import click

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_OBEYED = re.compile(rf"(\x1b\[[0-9;:]*m|\r)|{_ESCAPES.pattern}|{_CONTROLS.pattern}")
"""What terminals do something about; first what may be left in."""
_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@\s]*@")


@dataclass(frozen=True, slots=True)
class Part:
    """Some text of one style."""

    text: str
    color: str = ""
    dim: bool = False
    bold: bool = False

    def __str__(self) -> str:
        if not (self.color or self.dim or self.bold):
            return self.text
        return click.style(self.text, fg=self.color or None, dim=self.dim or None, bold=self.bold or None)


def clean(text: str) -> str:
    """Text that someone printed as one harmless line: without colours, tabs and control characters."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text.rpartition("\r")[2] or text).replace("\t", "    "))


def tame(text: str) -> str:
    """Text that someone printed, with its colours, and with nothing else that a terminal would obey."""
    kept = _OBEYED.sub(lambda found: found[1] or "", text)
    return f"{kept}\x1b[0m" if "\x1b" in kept else kept


def columns(text: str) -> int:
    """How many columns a text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(one) for one in text)


def cut(text: str, width: int) -> str:
    """The text, or as much of its beginning as fits, with an ellipsis at the end."""
    if columns(text) <= width:
        return text
    left, kept = width - 1, []
    for one in text:
        left -= _columns(one)
        if left < 0:
            break
        kept.append(one)
    return "".join(kept) + "…" if width > 0 else ""


def fitted(parts: Iterable[Part], width: int) -> str:
    """Parts one after the other as a styled line of at most `width` columns."""
    shown, left = [], width
    for part in parts:
        if left <= 0:
            break
        text = cut(part.text, left)
        shown.append(str(Part(text, part.color, part.dim, part.bold)))
        left -= columns(text)
        if text != part.text:
            break
    return "".join(shown)


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    return _PASSWORD.sub(r"\1:...@", url)


def _columns(one: str) -> int:
    if unicodedata.combining(one) or one in "\u200b\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(one) in "WF" else 1
