"""What is fast does what the slow way does."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from datetime import UTC, datetime

import pytest

from alula._kits.records import quick, replace


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


@quick
@dataclasses.dataclass(frozen=True, slots=True)
class Quick:
    kind: str
    """A name that the code which makes objects might use itself."""
    new: int = 0
    names: list[str] = dataclasses.field(default_factory=list)
    last: int = dataclasses.field(default=1, kw_only=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Base:
    first: str


@quick
@dataclasses.dataclass(frozen=True, slots=True)
class Derived(Base):
    second: int = 0


def test_a_quick_class_is_made_like_any_other() -> None:
    made = Quick("a", names=["b"], last=2)
    assert (made.kind, made.new, made.names, made.last) == ("a", 0, ["b"], 2)
    assert type(made) is Quick
    assert repr(made) == "Quick(kind='a', new=0, names=['b'], last=2)"
    assert Quick("a").names is not Quick("a").names
    assert Derived("a", second=2) == Derived("a", 2) != Derived("b", 2)
    assert isinstance(Derived("a"), Base)


@pytest.mark.parametrize("wrong", [{}, {"kind": "a", "size": 1}])
def test_a_quick_class_refuses_wrong_arguments(wrong: dict[str, str]) -> None:
    with pytest.raises(TypeError):
        Quick(**wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Quick("a", 1, [], 2)  # type: ignore[misc]


def test_a_quick_object_is_frozen_and_can_be_changed_copied_and_pickled() -> None:
    made = Derived("a", 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.second = 5  # type: ignore[misc]
    assert replace(made, first="b") == dataclasses.replace(made, first="b") == Derived("b", 2)
    assert hash(copy.copy(made)) == hash(made)
    assert pickle.loads(pickle.dumps(made)) == made
