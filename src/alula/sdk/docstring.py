"""What a docstring says of a function's inputs and outputs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from alula._kits import lazy

if TYPE_CHECKING:
    import docstring_parser
else:
    docstring_parser = lazy.module("docstring_parser")


@dataclass(frozen=True, slots=True)
class Doc:
    short: str = ""
    long: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    returns: str = ""

    def output(self, name: str) -> str:
        """The text of one output: its own, else that of `Returns:`, else its name."""
        return self.outputs.get(name) or self.returns or name


EMPTY = Doc()


@lru_cache(maxsize=4096)
def parse(fn: Any) -> Doc:
    """The parsed docstring of a function; empty when it has none or it cannot be parsed."""
    text = inspect.getdoc(fn)
    if not text:
        return EMPTY
    try:
        parsed = docstring_parser.parse(text)
    except docstring_parser.ParseError:
        return Doc(short=text.splitlines()[0])
    inputs = {p.arg_name: p.description for p in parsed.params if p.description}
    many = {r.return_name: r.description for r in parsed.many_returns if r.return_name and r.description}
    returns = parsed.returns.description if parsed.returns and not parsed.returns.return_name else None
    return Doc(parsed.short_description or "", parsed.long_description or "", inputs, many, returns or "")
