"""One `replace` for both kinds of records."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec import Struct

from alula._kits.records import replace


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    path: str
    number: int = 0
    note: str | None = None


class Quick(Struct, frozen=True, gc=False):
    path: str
    number: int = 0
    note: str | None = None


@pytest.mark.parametrize("kind", [Row, Quick])
@pytest.mark.parametrize("changes", [{}, {"number": 4}, {"note": "x", "path": "n1"}])
def test_what_is_not_named_stays(kind: type[Row] | type[Quick], changes: dict[str, object]) -> None:
    row = kind("n0", 3)
    made = replace(row, **changes)  # type: ignore[arg-type]
    assert made == kind(**{"path": "n0", "number": 3, **changes})  # type: ignore[arg-type]
    assert row == kind("n0", 3)


@pytest.mark.parametrize("kind", [Row, Quick])
def test_what_it_gives_is_frozen_and_can_be_hashed(kind: type[Row] | type[Quick]) -> None:
    made = replace(kind("n0", 3), number=4)
    assert hash(made) == hash(kind("n0", 4))
    with pytest.raises(AttributeError):
        made.number = 5  # type: ignore[misc]


@pytest.mark.parametrize("kind", [Row, Quick])
def test_a_field_that_is_not_there_is_refused(kind: type[Row] | type[Quick]) -> None:
    with pytest.raises(TypeError, match="size"):
        replace(kind("n0"), size=4)  # type: ignore[call-arg]
