"""Who gets units of a pool: what must hold whatever is asked, held and given back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alula.store.granting import AHEAD, BYPASS, grant, line, look, shortage
from alula.store.records import LeaseRecord, PoolRecord

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def lease(id: int, units: int = 1, *, project: str = "p", priority: int = 0) -> LeaseRecord:
    return LeaseRecord(id, "q", 1, f"n{id}", 0, units, project, priority, NOW)


@dataclass
class Line:
    """A pool as a store keeps it."""

    pool: PoolRecord
    leases: dict[int, LeaseRecord] = field(default_factory=dict)
    granted: list[int] = field(default_factory=list)
    """In the order in which they were."""
    passes: dict[int, int] = field(default_factory=dict)

    def held(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for one in self.leases.values():
            if one.granted:
                found[one.project] = found.get(one.project, 0) + one.units
        return found

    def settle(self) -> Sequence[int]:
        waiting = [one for one in self.leases.values() if not one.granted]
        grants = grant(self.pool, self.held(), waiting)
        for one in (*grants.passed, *grants.granted):
            self.leases[one.id] = one
        self.granted += (one.id for one in grants.granted)
        return [one.id for one in grants.granted]

    def ask(self, *asked: LeaseRecord) -> Sequence[int]:
        self.leases.update((one.id, one) for one in asked)
        return self.settle()

    def free(self, *ids: int) -> Sequence[int]:
        for id in ids:
            del self.leases[id]
        return self.settle()


def test_first_come_first_served() -> None:
    at = Line(PoolRecord("q", 2))
    assert at.ask(*(lease(i) for i in (3, 1, 2, 4))) == [1, 2]
    assert at.free(1) == [3]
    assert at.free(2, 3) == [4]


def test_a_smaller_one_passes_a_larger_one_a_bounded_number_of_times() -> None:
    at = Line(PoolRecord("q", 3))
    assert at.ask(lease(0), lease(1, 3)) == [0]
    passed = 0
    for id in range(2, 50):
        if id not in at.ask(lease(id)):
            break
        passed += 1
        at.free(id)
    assert passed == BYPASS
    assert at.ask(lease(90)) == []
    assert at.free(0) == [1]


def test_who_was_passed_often_enough_gets_units_though_small_ones_keep_coming() -> None:
    at = Line(PoolRecord("q", 4))
    at.ask(*(lease(i) for i in range(4)), lease(4, 4))
    for id in range(5, 100):
        at.ask(lease(id))
        oldest = min(one.id for one in at.leases.values() if one.granted)
        if 4 in at.free(oldest):
            assert at.leases[4].bypassed <= BYPASS
            return
    pytest.fail("the large one starves")


def test_one_that_can_never_fit_is_in_nobodys_way() -> None:
    at = Line(PoolRecord("q", 3, per_project=2))
    assert at.ask(lease(0, 9), lease(1, 3), *(lease(i) for i in range(2, 30))) == [2, 3]
    assert at.leases[0].bypassed == at.leases[1].bypassed == 0


def test_a_limit_of_a_project_holds_nobody_else_back() -> None:
    at = Line(PoolRecord("q", 10, per_project=3))
    assert at.ask(lease(0, 2), lease(1, 2), lease(2, project="o"), lease(3), lease(4)) == [0, 2, 3]
    assert at.leases[1].bypassed == 1


def test_in_its_own_project_one_is_passed_a_bounded_number_of_times() -> None:
    at = Line(PoolRecord("q", 10, per_project=2))
    at.ask(lease(0), lease(1, 2))
    for id in range(2, 2 + BYPASS):
        assert at.ask(lease(id)) == [id]
        at.free(id)
    assert at.ask(lease(50)) == []
    assert at.ask(lease(51, project="o")) == [51]
    assert at.free(0) == [1]


def test_the_highest_priority_first_whatever_the_project() -> None:
    at = Line(PoolRecord("q", 1))
    assert at.ask(lease(0), lease(1), lease(2, priority=3, project="o"), lease(3, priority=3)) == [2]
    assert [at.free(id)[0] for id in (2, 3, 0)] == [3, 0, 1]


@pytest.mark.parametrize(("weight", "expected"), [(1.0, 6), (2.0, 8), (5.0, 10)])
def test_shares_follow_weights(weight: float, expected: int) -> None:
    at = Line(PoolRecord("q", 12, weights={"a": weight}))
    got = at.ask(*(lease(2 * i, project="a") for i in range(50)), *(lease(2 * i + 1, project="b") for i in range(50)))
    assert sum(id % 2 == 0 for id in got) == expected


def test_the_text_says_what_is_missing() -> None:
    pool = PoolRecord("pg", 3)
    assert shortage(pool, "pg", {"a": 2, "b": 1}, lease(9), 5) == "quota pg: 3 of 3 units in use, 5 before it"
    assert (
        shortage(pool, "pg", {"a": 2}, lease(9, 2), 0) == "quota pg: it needs 2, and 2 of 3 units in use, 0 before it"
    )
    assert "has 3: alula pool set pg" in shortage(pool, "pg", {}, lease(9, 4), 0)
    assert "no such pool" in shortage(None, "pg", {}, lease(9), 0)
    assert "may have 1" in shortage(replace(pool, per_project=1), "pg", {}, lease(9, 2), 0)


projects = st.sampled_from(["a", "b", "c"])
asks = st.builds(
    lambda units, project, priority: (units, project, priority), st.integers(1, 5), projects, st.integers(0, 2)
)
steps = st.lists(st.one_of(asks, st.integers(0, 99).map(lambda nth: ("free", nth)), st.integers(0, 6)), max_size=60)
pools = st.builds(
    PoolRecord,
    st.just("q"),
    st.integers(0, 6),
    st.integers(0, 4),
    st.dictionaries(projects, st.floats(0.5, 4)),
)


@given(pools, steps)
@settings(max_examples=300)
def test_whatever_is_asked_the_limits_hold_and_nobody_is_passed_too_often(
    pool: PoolRecord, story: list[tuple[object, ...] | int]
) -> None:
    at = Line(pool)
    for nth, step in enumerate(story):
        before = sum(at.held().values())
        match step:
            case int():
                at.pool = replace(at.pool, units=step)
                got = at.settle()
            case ("free", int(which)):
                there = [one.id for one in at.leases.values() if one.granted]
                got = at.free(there[which % len(there)]) if there else at.settle()
            case (int(units), str(project), int(priority)):
                got = at.ask(lease(nth, units, project=project, priority=priority))
            case _:
                raise AssertionError(step)
        held = at.held()
        if got:
            assert sum(held.values()) <= at.pool.units
            assert all(not pool.per_project or held[at.leases[id].project] <= pool.per_project for id in got)
        assert sum(held.values()) <= max(before, at.pool.units)
        assert all(one.bypassed <= BYPASS for one in at.leases.values())
        for project in "abc":
            same = [one for one in at.leases.values() if one.project == project and one.units == 1]
            for first in line(one for one in same if not one.granted)[:1]:
                mine = [id for id in got if at.leases[id] in same and at.leases[id].priority == first.priority]
                assert all(id < first.id for id in mine)  # equals of a project keep their order


@given(pools, st.lists(asks, max_size=40))
def test_with_all_given_back_in_turn_all_that_can_fit_come_to_it(
    pool: PoolRecord, asked: list[tuple[int, str, int]]
) -> None:
    at = Line(pool)
    at.ask(*(lease(i, units, project=project, priority=level) for i, (units, project, level) in enumerate(asked)))
    while there := [one.id for one in at.leases.values() if one.granted]:
        at.free(there[0])
    limit = min(pool.units, pool.per_project or pool.units)
    assert all(one.units > limit for one in at.leases.values())


@given(pools, st.lists(asks, min_size=1, max_size=40))
def test_the_part_of_the_line_that_is_looked_at_is_enough(pool: PoolRecord, asked: list[tuple[int, str, int]]) -> None:
    waiting = [lease(i, units, project=project, priority=level) for i, (units, project, level) in enumerate(asked)]
    length = look(pool, {})
    assert length in (0, pool.units + AHEAD)
    cut = [one for name in "abc" for one in line(one for one in waiting if one.project == name)[:length]]
    assert grant(pool, {}, cut) == grant(pool, {}, waiting)
