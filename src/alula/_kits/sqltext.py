"""SQL with `{{ .inputs.x }}` in it, taken apart: what is text of the statement, and where a value is asked for.

A value never becomes text: `Query.render` puts the database's own parameter marker where it is asked for. A template
inside of a longer string or of a quoted name cannot be a parameter, and is a fault; inside of comments it is comment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

KEY = "perRetryUniqueKey"
"""`{{ .perRetryUniqueKey }}`: the name of the attempt, the same however often its statement is sent."""

_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_INPUT = re.compile(r"\s*\.?inputs?\.(\w+)\s*", re.IGNORECASE)
_UNIQUE = re.compile(rf"\s*\.?{KEY}\s*", re.IGNORECASE)
_AFTER_IN = re.compile(r"(?:.*\W)?in\s*(\(\s*)?", re.IGNORECASE | re.DOTALL)
_DOLLAR = re.compile(r"\$(?:[^\W\d]\w*)?\$")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a database writes what is not code."""

    name: str
    dollars: bool = False
    """`$tag$ text $tag$`"""
    backslashes: bool = False
    """A backslash in any string escapes what comes next; else only in `E'...'`."""
    hashes: bool = False
    """`#` begins a comment."""
    nested: bool = False
    """Comments in `/* */` hold others."""
    brackets: bool = False
    """`[a name]`"""
    double_is_text: bool = False
    """`"..."` is text, not a name."""


POSTGRES = Dialect("Postgres", dollars=True, nested=True)
MYSQL = Dialect("MySQL", backslashes=True, hashes=True, double_is_text=True)
DUCKDB = Dialect("DuckDB", dollars=True)
SQLITE = Dialect("SQLite", brackets=True)
SNOWFLAKE = Dialect("Snowflake", dollars=True, backslashes=True)


@dataclass(frozen=True, slots=True)
class Ask:
    """A place that asks for a value."""

    name: str
    """Of the input; `KEY`: the attempt's own name."""
    listed: bool
    """It follows `IN`, so that a list becomes as many parameters as it has items."""
    bare: bool = False
    """There are no parentheses around it yet."""


@dataclass(frozen=True, slots=True)
class Query:
    """A statement taken apart."""

    parts: tuple[str | Ask, ...]
    faults: tuple[str, ...] = field(default=())
    """What cannot be sent, each as a clause about the statement."""

    @property
    def names(self) -> set[str]:
        """The inputs that it asks for."""
        return {part.name for part in self.parts if isinstance(part, Ask) and part.name != KEY}

    def render(
        self, values: Mapping[str, object], marker: Callable[[int], str], *, empty: str | None = None
    ) -> tuple[str, list[object]]:
        """The text to send, and its parameters in order.

        Args:
            values: By the names of the inputs; `KEY` among them if it is asked for.
            marker: The n-th parameter, from 1, as the database writes it.
            empty: What stands for an empty list after `IN`. None: this database has nothing for it.

        Raises:
            ValueError: An empty list where there is nothing for it; a clause about the statement.
        """
        text: list[str] = []
        parameters: list[object] = []
        for part in self.parts:
            if isinstance(part, str):
                text.append(part)
                continue
            value = values[part.name]
            items = list(value) if part.listed and isinstance(value, list | tuple) else [value]
            if not items and empty is None:
                raise ValueError(f"gets an empty list for '{part.name}' after IN, which the database cannot take")
            marks = [marker(len(parameters) + n + 1) for n in range(len(items))]
            parameters += items
            made = ", ".join(marks) or str(empty)
            text.append(f"({made})" if part.bare and part.listed else made)
        return "".join(text), parameters


def parse(text: str, dialect: Dialect) -> Query:
    """A statement taken apart. Never raises: what is wrong with it is in `faults`."""
    parts: list[str | Ask] = []
    faults: list[str] = []
    code = ""
    """What of the statement came so far, without comments: to see what a template follows."""
    for kind, piece in _pieces(text, dialect):
        whole = _TEMPLATE.fullmatch(piece[1:-1]) if kind == "text" else None
        if kind == "comment" or (kind in ("text", "name") and not _TEMPLATE.search(piece)):
            parts.append(piece)
            code += " " if kind == "comment" else piece
        elif kind == "code":
            for inner in _split(piece):
                ask = _ask(inner, code, faults) if inner.startswith("{{") else None
                parts.append(ask or inner)
                code += "?" if ask else inner
        elif whole is not None:  # quotes that were needed where values are pasted
            parts.append(_ask(whole[0], code, faults) or piece)
            code += "?"
        else:
            what = "a string" if kind == "text" else "a quoted name"
            found = _TEMPLATE.search(piece)
            faults.append(f"has {found[0] if found else piece} inside of {what}, where no value can be bound")
            parts.append(piece)
    return Query(tuple(parts), tuple(dict.fromkeys(faults)))


def _ask(template: str, before: str, faults: list[str]) -> Ask | None:
    inner = template[2:-2]
    after = _AFTER_IN.fullmatch(before[-200:])
    found = _INPUT.fullmatch(inner)
    if found is not None:
        return Ask(found[1], listed=after is not None, bare=after is not None and not after[1])
    if _UNIQUE.fullmatch(inner):
        return Ask(KEY, listed=False)
    faults.append(f"has {template}, which stands for nothing")
    return None


def _split(code: str) -> Iterator[str]:
    """Templates, and what is between them."""
    end = 0
    for found in _TEMPLATE.finditer(code):
        if found.start() > end:
            yield code[end : found.start()]
        yield found[0]
        end = found.end()
    if end < len(code):
        yield code[end:]


def _pieces(text: str, dialect: Dialect) -> Iterator[tuple[str, str]]:
    """The statement in pieces, each with its kind: code, text, name, comment."""
    start = at = 0
    while at < len(text):
        if text.startswith("{{", at):  # whatever a template holds is the template's
            end = text.find("}}", at)
            at = end + 2 if end >= 0 else at + 2
            continue
        kind, end = _closed(text, at, dialect)
        if not kind:
            at += 1
            continue
        if at > start:
            yield "code", text[start:at]
        yield kind, text[at:end]
        start = at = end
    if start < len(text):
        yield "code", text[start:]


def _closed(text: str, at: int, dialect: Dialect) -> tuple[str, int]:
    """What begins here that is not code, and where it ends; an empty kind: nothing does."""
    here = text[at]
    if here == "'":
        escaped = dialect.backslashes or _escape_string(text, at)
        return "text", _quoted(text, at, "'", escaped)
    if here == '"':
        return ("text" if dialect.double_is_text else "name"), _quoted(text, at, '"', dialect.backslashes)
    if here == "`":
        return "name", _quoted(text, at, "`", False)
    if here == "[" and dialect.brackets:
        return "name", _until(text, at + 1, "]")
    if text.startswith("--", at) or (here == "#" and dialect.hashes):
        return "comment", _until(text, at, "\n")
    if text.startswith("/*", at):
        return "comment", _block(text, at, dialect.nested)
    if here == "$" and dialect.dollars and not _word(text, at - 1):
        opened = _DOLLAR.match(text, at)
        if opened is not None:
            return "text", _until(text, opened.end(), opened[0])
    return "", at


def _escape_string(text: str, at: int) -> bool:
    """Whether the quote belongs to an `E'...'`."""
    return at > 0 and text[at - 1] in "eE" and not _word(text, at - 2)


def _word(text: str, at: int) -> bool:
    return at >= 0 and (text[at].isalnum() or text[at] in "_$")


def _quoted(text: str, at: int, quote: str, escaped: bool) -> int:
    end = at + 1
    while end < len(text):
        if escaped and text[end] == "\\":
            end += 2
        elif text[end] != quote:
            end += 1
        elif text.startswith(quote * 2, end):
            end += 2
        else:
            return end + 1
    return len(text)


def _until(text: str, at: int, mark: str) -> int:
    end = text.find(mark, at)
    return end + len(mark) if end >= 0 else len(text)


def _block(text: str, at: int, nested: bool) -> int:
    depth, end = 1, at + 2
    while end < len(text) and depth:
        if text.startswith("*/", end):
            depth, end = depth - 1, end + 2
        elif nested and text.startswith("/*", end):
            depth, end = depth + 1, end + 2
        else:
            end += 1
    return end
