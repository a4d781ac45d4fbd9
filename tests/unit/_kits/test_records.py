"""The fast replace does what the slow one does."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from alula._kits.records import replace


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    path: str
    since: datetime
    number: int = 0
    note: str | None = None


ROW = Row("n0", datetime(2030, 1, 1, tzinfo=UTC), 3)


@pytest.mark.parametrize("changes", [{}, {"number": 4}, {"note": "x", "path": "n1"}])
def test_it_gives_what_the_standard_library_gives(changes: dict[str, object]) -> None:
    assert replace(ROW, **changes) == dataclasses.replace(ROW, **changes)  # type: ignore[arg-type]
    assert Row("n0", datetime(2030, 1, 1, tzinfo=UTC), 3) == ROW


def test_what_it_gives_is_frozen_and_can_be_hashed() -> None:
    made = replace(ROW, number=4)
    assert hash(made) == hash(Row("n0", ROW.since, 4))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.number = 5  # type: ignore[misc]


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError):
        replace(ROW, size=4)  # type: ignore[call-arg]
