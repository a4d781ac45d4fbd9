"""Filters and orders of listings as Flyte writes them: `eq(phase,FAILED)+gte(created_at,2030-01-02T03:04:05Z)`; pure.

A subject says which fields it has (`Field`): the names that people use, what a text means, and the column behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from alula.admin.desk import refuse
from alula.errors import RequestError
from alula.store.records import Condition, Plain
from alula.store.rows import micros

Values = tuple[Plain, ...]
Read = Callable[[str], Values]
"""What a text stands for in the column; several values are alternatives. Raises ValueError, saying what is wrong."""

_CLAUSE = re.compile(r"\s*+(\w++)\(\s*+([\w.]++)\s*+,(.*?)\)(?=\s*+(?:\Z|\+\s*+\w++\()|\s++\w++\()", re.DOTALL)
"""A clause ends with the parenthesis after which another one begins, so values may have some. Filters come from
anybody: nothing is looked at twice."""
_BETWEEN = re.compile(r"\s*+\+?")
"""Clauses; the plus is a space in a URL that was decoded."""
_TESTS = {"eq": "in", "value_in": "in", "ne": "not_in", "contains": "holds"} | {
    name: name for name in ("gt", "gte", "lt", "lte")
}
_LONGEST = 8_192
_MOST = 32
_LARGEST = 2**63 - 1
"""That databases hold."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field that can be filtered by."""

    column: str
    read: Read = lambda text: (text,)
    tests: frozenset[str] = frozenset({"in", "not_in"})
    also: tuple[Condition, ...] = ()
    """What must hold beside it."""
    other: str = ""
    """Another test than `in` for one value: `ends`, `holds`."""


def texts(column: str, *, also: tuple[Condition, ...] = ()) -> Field:
    """A field of free text."""
    return Field(column, tests=frozenset({"in", "not_in", "holds"}), also=also)


def words(column: str, meaning: Mapping[str, Values]) -> Field:
    """A field with a closed set of values; their case does not count."""

    def read(text: str) -> Values:
        found = meaning.get(text.upper())
        if found is None:
            raise ValueError(f"is {text!r}, and must be one of {', '.join(meaning)}")
        return found

    return Field(column, read)


def times(column: str) -> Field:
    """A time in ISO 8601; without a zone it is UTC."""

    def read(text: str) -> Values:
        try:
            found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        except ValueError:
            raise ValueError(f"is {text!r}, and must be a time such as 2030-01-02T03:04:05Z") from None
        return (micros(found if found.tzinfo is not None else found.replace(tzinfo=UTC)),)

    return Field(column, read, tests=frozenset({"in", "gt", "gte", "lt", "lte"}))


def numbers(column: str, scale: int = 1) -> Field:
    """A whole number."""

    def read(text: str) -> Values:
        if not re.fullmatch(r"\d{1,15}", text.strip()):
            raise ValueError(f"is {text!r}, and must be a whole number")
        return (min(int(text) * scale, _LARGEST),)

    return Field(column, read, tests=frozenset({"in", "not_in", "gt", "gte", "lt", "lte"}))


def prefixed(fields: Mapping[str, Field], subject: str) -> Mapping[str, Field]:
    """Fields by their names, and as Flyte's own clients write them: `phase` and `execution.phase`."""
    return {**fields, **{f"{subject}.{name}": field for name, field in fields.items()}}


def conditions(text: str, fields: Mapping[str, Field]) -> tuple[Condition, ...]:
    """What must hold of the rows. Raises RequestError, with every fault."""
    found: dict[tuple[str, str], Condition] = {}
    faults: list[str] = []
    for function, name, value in _clauses(text):
        field, test = fields.get(name.lower()), _TESTS.get(function.lower())
        if field is None:
            there = sorted({id(field): name for name, field in reversed([*fields.items()])}.values())  # unprefixed
            faults.append(f"{name}: cannot be filtered by; there are {', '.join(there)}")
        elif test is None or test not in field.tests:
            fitting = [one for one in _TESTS if _TESTS[one] in field.tests]
            faults.append(f"{name}: {function} is no test for it; there are {', '.join(fitting)}")
        else:
            try:
                made = [_condition(field, function, test, value), *field.also]
            except ValueError as exc:
                faults.append(f"{name}: {exc}")
                continue
            for one in made:
                known = found.get((one.column, one.test))
                try:
                    found[one.column, one.test] = one if known is None else _both(known, one)
                except ValueError as exc:
                    faults.append(f"{name}: {exc}")
    if faults:
        raise refuse("these filters cannot be", faults, where="filters")
    return tuple(found.values())


def order(key: str, *, descending: bool, columns: Mapping[str, str], usual: str) -> tuple[str, bool]:
    """The column to sort by, and whether the largest comes first. Raises RequestError."""
    column = columns.get(key.lower() or usual)
    if column is None:
        raise RequestError(
            f"nothing is sorted by {key!r}", where="sort_by.key", fix=f"there are {', '.join(sorted(columns))}"
        )
    return column, descending


def _clauses(text: str) -> list[tuple[str, str, str]]:
    """Function, field and value of each part. Raises RequestError."""
    if len(text) > _LONGEST:
        raise RequestError(
            f"the filters are {len(text):,} characters long, and {_LONGEST:,} at most may be", where="filters"
        )
    found: list[tuple[str, str, str]] = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _CLAUSE.match(text, at)
        if match is None or len(found) == _MOST:
            what = f"there are more than {_MOST}" if match is not None else f"{text[at : at + 60]!r} cannot be read"
            raise refuse(
                "these filters cannot be", [what], where="filters", fix="write eq(field,value)+gte(field,value)"
            )
        found.append((match[1], match[2], match[3]))
        between = _BETWEEN.match(text, match.end())
        at = between.end() if between is not None else len(text)
    return found


def _condition(field: Field, function: str, test: str, text: str) -> Condition:
    parts = text.split(";") if function.lower() == "value_in" else [text]
    values = tuple(dict.fromkeys(value for part in parts for value in field.read(part)))
    if field.other and test == "in":
        if len(values) != 1:
            raise ValueError("takes one value")
        return Condition(field.column, field.other, values[0])
    if test in ("in", "not_in"):
        return Condition(field.column, test, values)
    if len(values) != 1:
        raise ValueError(f"{function} takes one value")
    return Condition(field.column, test, values[0])


def _both(one: Condition, other: Condition) -> Condition:
    """Two conditions of the same kind as one. Raises ValueError where that cannot be said."""
    if one == other:
        return one
    first, second = one.value, other.value
    if isinstance(first, tuple) and isinstance(second, tuple):
        if one.test == "not_in":
            return Condition(one.column, one.test, tuple(dict.fromkeys([*first, *second])))
        return Condition(one.column, one.test, tuple(value for value in first if value in second))
    if isinstance(first, int) and isinstance(second, int):
        chosen = max(first, second) if one.test in ("gt", "gte") else min(first, second)
        return Condition(one.column, one.test, chosen)
    raise ValueError("is tested twice in the same way")
