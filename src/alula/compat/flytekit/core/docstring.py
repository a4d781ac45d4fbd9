"""What a docstring says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alula.compat.names import mirror
from alula.sdk import docstring
from alula.sdk.docs import Description, Documentation


class Docstring:
    """The parts of a docstring, of a function or as text."""

    def __init__(self, docstring: str | None = None, callable_: Callable[..., Any] | None = None) -> None:
        self._callable = callable_ or _documented(docstring or "")

    @property
    def _doc(self) -> docstring.Doc:
        return docstring.parse(self._callable)

    @property
    def short_description(self) -> str | None:
        return self._doc.short or None

    @property
    def long_description(self) -> str | None:
        return self._doc.long or None

    @property
    def input_descriptions(self) -> dict[str, str]:
        return dict(self._doc.inputs)


def documentation(of: Callable[..., Any], given: Documentation | None) -> Documentation:
    """What is said about a function: what was given, and for the rest its docstring."""
    said, given = Docstring(callable_=of), given or Documentation()
    long = Description(value=said.long_description) if said.long_description else None
    return Documentation(
        given.short_description or said.short_description, given.long_description or long, given.source_code
    )


def _documented(text: str) -> Callable[..., Any]:
    def documented() -> None: ...

    documented.__doc__ = text
    return documented


__getattr__, __dir__ = mirror(__name__, {})
