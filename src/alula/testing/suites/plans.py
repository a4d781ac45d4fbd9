"""What every `Store` must do about projects, launch plans and notices; `suites.stores` says how to use it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from alula._kits.records import replace
from alula.errors import AtLimit, NameTaken, StoreUnavailable
from alula.store.plan_records import AttributesRecord, PlanRecord, ProjectRecord
from alula.store.records import Changes, Ending, ExecutionRecord
from alula.store.store import Store
from alula.testing.suites.stores import CLOSING, LONG, NOW, OpenedStore, heard, new

MINUTE = timedelta(minutes=1)


def plan(version: str = "v1", *, active: bool = True, minutes: int = 0, schedule: bytes = b"daily") -> PlanRecord:
    return PlanRecord("p", "d", "nightly", version, active, NOW + minutes * MINUTE, schedule)


class PlanStoreSuite(OpenedStore):
    """Conformance of a `PlanStore`."""

    async def test_a_project_is_made_once_and_changed_later(self, store: Store) -> None:
        await store.put_project(ProjectRecord("b", "B", "said", {"team": "x"}), new=True)
        with pytest.raises(NameTaken, match="'b'"):
            await store.put_project(ProjectRecord("b"), new=True)
        await store.keep_project(ProjectRecord("b", "other"))
        await store.keep_project(ProjectRecord("a"))
        first, second = await store.projects()
        assert (first.id, first.name, first.state) == ("a", "a", 0)
        assert (second.name, second.description, second.labels) == ("B", "said", {"team": "x"})
        await store.put_project(replace(second, state=1))
        assert [one.state for one in await store.projects()] == [0, 1]

    async def test_attributes_of_a_workflow_are_those_of_its_places(self, store: Store) -> None:
        rows = [
            AttributesRecord("p", "", "", 0, b"1"),
            AttributesRecord("p", "d", "", 0, b"2"),
            AttributesRecord("p", "d", "w", 8, b"3"),
        ]
        others = [
            AttributesRecord("p", "e", "", 0),
            AttributesRecord("q", "", "", 0),
            AttributesRecord("p", "d", "v", 8),
        ]
        for one in [*rows, *others, replace(rows[0], body=b"old"), rows[0]]:
            await store.put_attributes(one)
        assert sorted(one.body for one in await store.attributes_for("p", "d", "w")) == [b"1", b"2", b"3"]
        assert [one.domain for one in await store.attributes(0, "p")] == ["", "d", "e"]
        assert len(await store.attributes(0)) == 4
        await store.drop_attributes(0, "p")
        await store.drop_attributes(0, "nowhere")
        assert sorted(one.body for one in await store.attributes_for("p", "d", "w")) == [b"2", b"3"]

    async def test_one_version_of_a_launch_plan_is_active_and_its_time_begins_then(self, store: Store) -> None:
        with heard(store) as news:
            made = await store.set_plan(plan())
            await news.of()
        assert (made.since, made.last) == (NOW, NOW)
        assert await store.set_plan(plan(minutes=5)) == made
        assert await store.set_plan(plan("v2", active=False, minutes=6)) == made
        (there,) = await store.plans("p", "d", "nightly")
        assert there == made
        other = await store.set_plan(plan("v2", minutes=7, schedule=b"hourly"))
        assert (other.version, other.since, other.last) == ("v2", NOW + 7 * MINUTE, NOW + 7 * MINUTE)
        assert await store.scheduled() == [other]
        assert await store.plans("q") == []

    async def test_a_new_version_with_the_same_schedule_goes_on_where_the_former_was(self, store: Store) -> None:
        made = await store.set_plan(plan())
        assert await store.ticked(made, last=NOW + MINUTE)
        after = await store.set_plan(plan("v2", minutes=9))
        assert (after.version, after.since, after.last) == ("v2", NOW, NOW + MINUTE)

    async def test_what_is_missed_while_a_launch_plan_pauses_is_not_owed(self, store: Store) -> None:
        await store.set_plan(plan())
        stopped = await store.set_plan(plan(active=False, minutes=2))
        assert not stopped.active
        assert await store.scheduled() == []
        resumed = await store.set_plan(plan(minutes=60))
        assert (resumed.since, resumed.last) == (NOW, NOW + 60 * MINUTE)

    async def test_a_tick_is_noted_by_one_only(self, store: Store, another: Callable[[], Store]) -> None:
        made = await store.set_plan(plan())
        other = another()
        results = [await one.ticked(made, last=NOW + MINUTE, note="said") for one in (store, other)]
        assert results == [True, False]
        (there,) = await store.scheduled()
        assert (there.last, there.note) == (NOW + MINUTE, "said")
        await store.set_plan(plan(active=False))
        assert not await store.ticked(there, last=NOW + 2 * MINUTE)

    async def test_a_limit_is_never_exceeded_however_many_come_at_once(
        self, store: Store, another: Callable[[], Store]
    ) -> None:
        other = another()

        async def one(i: int) -> tuple[ExecutionRecord, bool]:
            asked = replace(new(f"x{i}"), limited="p:d:plan", limit=3)
            while True:
                try:
                    return await (store, other)[i % 2].create(asked)
                except StoreUnavailable:  # the other one had it for too long
                    continue

        results = await asyncio.gather(*(one(i) for i in range(30)), return_exceptions=True)
        made = [result for result in results if not isinstance(result, BaseException)]
        assert len(made) == 3
        for problem in results:
            if isinstance(problem, BaseException) and not isinstance(problem, AtLimit):
                raise problem
        again, fresh = await store.create(replace(new(made[0][0].key.name), limited="p:d:plan", limit=3))
        assert (again.id, fresh) == (made[0][0].id, False)
        (claim,) = await store.claim("a", limit=1, only=[again.id])
        await store.commit(claim, Changes(execution=Ending("succeeded", NOW, NOW + LONG, b"")))
        _, fresh = await store.create(replace(new("next"), limited="p:d:plan", limit=3))
        assert fresh
        with pytest.raises(AtLimit, match="3 executions of launch plan plan run"):
            await store.create(replace(new("more"), limited="p:d:plan", limit=3))

    async def test_who_is_told_of_an_end_is_told_after_it_and_by_one(
        self, store: Store, another: Callable[[], Store]
    ) -> None:
        record, _ = await store.create(replace(new(), notices=(b"one", b"two")))
        assert await store.take_notices(limit=9, lease=LONG) == []
        (claim,) = await store.claim("a", limit=1, only=[record.id])
        await store.commit(claim, CLOSING)
        taken = await store.take_notices(limit=1, lease=LONG)
        taken = [*taken, *await another().take_notices(limit=9, lease=LONG)]
        assert [(notice.body, of.phase) for notice, of in taken] == [(b"one", "succeeded"), (b"two", "succeeded")]
        assert await store.take_notices(limit=9, lease=LONG) == []
        (first, _), (second, _) = taken
        await store.drop_notice(first.id)
        await store.put_off_notice(second.id, wait=timedelta(0), error="away")
        ((again, _),) = await store.take_notices(limit=9, lease=LONG)
        assert (again.body, again.tries, again.error) == (b"two", 1, "away")
        await store.delete(record.id)
        await store.put_off_notice(second.id, wait=timedelta(0), error="gone")
        assert await store.take_notices(limit=9, lease=LONG) == []
