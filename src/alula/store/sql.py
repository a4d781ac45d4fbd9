"""The statements as text, as a running store executes them. `statements` says where they come from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

COMPILED = Path(__file__).parent / "compiled"
WHERE = "'here' = 'here'"
"""Where the conditions of a listing go."""
ANY = "{any}"
"""After the name of a listing of executions: whatever the conditions are, one index answers them, from end to end."""
PHASED = "{phased}"
"""The same, where the executions in a phase are few."""
CHUNK = 64
"""Rows that one statement writes at most. The interpreter is given away at each statement, and it may take
milliseconds until a busy event loop gives it back: few statements, not few rows, make a commit fast."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, and the names of its parameters in their order."""

    text: str
    names: tuple[str, ...]

    @property
    def answers(self) -> bool:
        """Whether it gives rows."""
        return self.text.startswith("SELECT") or " RETURNING " in self.text

    def where(self, conditions: Iterable[Statement]) -> Statement:
        """This listing, of those rows for which all conditions hold."""
        parts = list(conditions)
        if not parts:
            return self
        before, _, after = self.text.partition(WHERE)
        place = len(before.split("?" if "?" in self.text else "%s")) - 1
        given = tuple(name for part in parts for name in part.names)
        return Statement(
            before + " AND ".join(f"({part.text})" for part in parts) + after,
            self.names[:place] + given + self.names[place:],
        )

    def times(self, count: int) -> Statement:
        """This insertion, of `count` rows at once."""
        mark = "?" if "?" in self.text else "%s"
        before, values, after = self.text.partition("VALUES (")
        row, close, after = after.partition(")")
        rows = ", ".join([f"({row})"] * count)
        assert values
        assert close
        assert row.count(mark) == len(self.names)
        return Statement(f"{before}VALUES {rows}{after}", self.names * count)


class Statements:
    """All statements for one kind of database."""

    def __init__(self, schema: list[str], statements: Mapping[str, tuple[str, list[str]]]) -> None:
        self.schema = schema
        self._by_name = {name: Statement(text, tuple(names)) for name, (text, names) in statements.items()}
        self._times: dict[tuple[str, int], str] = {}

    def __getitem__(self, name: str) -> Statement:
        return self._by_name[name]

    def times(self, name: str, count: int) -> str:
        text = self._times.get((name, count))
        if text is None:
            text = self._times[name, count] = self._by_name[name].times(count).text
        return text


@cache
def statements(dialect: str) -> Statements:
    """The statements for `sqlite` or `postgresql`, as the file beside this one has them."""
    found = json.loads((COMPILED / f"{dialect}.json").read_text())
    return Statements(found["schema"], found["statements"])
