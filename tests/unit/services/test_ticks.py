"""Starts by schedules in virtual time: exactly one for each time, whatever happens to those who make them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from alula.errors import RequestError, StoreUnavailable
from alula.idl import LiteralMap, literals
from alula.idl.admin import CronSchedule, FixedRate, FixedRateUnit, Schedule
from alula.sections import CatchUp, Overlap
from alula.store.memory import MemoryStore
from alula.store.plan_records import PlanRecord
from alula.store.records import ExecutionRecord, NewExecution
from tests.unit.services.planned import NOON, HandClock, Planned, hourly


async def test_a_start_comes_at_its_time_with_its_time_and_not_before() -> None:
    one = await Planned.made()
    await one.register()
    await one.activate()
    ticks = one.ticks()
    assert await ticks.round() == NOON + timedelta(hours=1)
    assert await one.started() == []
    one.clock.go(minutes=61)
    await ticks.round()
    (made,) = await one.started()
    assert literals.to_datetime(LiteralMap.FromString(made.inputs).literals["at"]) == NOON + timedelta(hours=1)
    assert (made.mode, made.principal, made.entity) == (1, "schedule", "launch_plan:p:d:hourly:v1")
    assert await ticks.round() == NOON + timedelta(hours=2)
    assert len(await one.started()) == 1


async def test_a_fixed_rate_gives_its_time_too_and_does_not_drift() -> None:
    one = await Planned.made()
    rate = FixedRate(value=10, unit=FixedRateUnit.MINUTE)
    await one.register(schedule=Schedule(rate=rate, kickoff_time_input_arg="at"))
    one.clock.go(seconds=7)
    await one.activate()
    ticks = one.ticks()
    for _ in range(5):
        await ticks.round()
        one.clock.go(minutes=10, seconds=3)
    assert await one.times() == ["01 12:10", "01 12:20", "01 12:30", "01 12:40"]


async def test_pausing_owes_nothing_and_a_new_version_with_the_same_times_goes_on() -> None:
    one = await Planned.made()
    await one.register()
    await one.activate()
    await one.activate(active=False)
    one.clock.go(hours=3, minutes=30)
    ticks = one.ticks()
    assert await ticks.round() is None
    await one.activate()
    await ticks.round()
    assert await one.times() == []
    one.clock.go(hours=1)
    await one.register(version="v2")
    await one.activate(version="v2")
    await ticks.round()
    (made,) = await one.started()
    assert made.entity.endswith(":v2")


@pytest.mark.parametrize(
    ("policy", "limit", "expected"),
    [
        (CatchUp.ALL, 100, ["01 13:00", "01 14:00", "01 15:00"]),
        (CatchUp.ALL, 2, ["01 14:00", "01 15:00"]),
        (CatchUp.LATEST, 100, ["01 15:00"]),
        (CatchUp.NONE, 100, []),
    ],
)
async def test_what_was_missed_while_nobody_was_there_is_made_up_for_as_said(
    policy: CatchUp, limit: int, expected: list[str]
) -> None:
    one = await Planned.made()
    await one.register(annotations={"alula/catchup": policy, "alula/catchup-limit": str(limit)})
    await one.activate()
    one.clock.go(hours=3, minutes=30)
    ticks = one.ticks()
    await ticks.round()
    await ticks.round()
    assert await one.times() == expected
    (plan,) = await one.desk.store.scheduled()
    assert plan.last == NOON + timedelta(hours=3)
    assert ("left out" in plan.note) == (len(expected) < 3)
    one.clock.go(minutes=30)
    await ticks.round()
    assert await one.times() == [*expected, "01 16:00"]


@pytest.mark.parametrize(
    ("policy", "while_running", "after"),
    [
        (Overlap.ALLOW, ["01 13:00", "01 14:00"], ["01 13:00", "01 14:00"]),
        (Overlap.SKIP, ["01 13:00"], ["01 13:00"]),
        (Overlap.QUEUE, ["01 13:00"], ["01 13:00", "01 14:00"]),
        (Overlap.REPLACE, ["01 13:00", "01 14:00"], ["01 13:00", "01 14:00"]),
    ],
)
async def test_a_start_that_meets_the_one_before_does_as_said(
    policy: Overlap, while_running: list[str], after: list[str]
) -> None:
    one = await Planned.made()
    await one.register()
    await one.activate()
    ticks = one.ticks(overlap=policy)
    for _ in range(2):
        one.clock.go(hours=1)
        await ticks.round()
        await ticks.round()
    assert await one.times() == while_running
    first = (await one.started())[0]
    asked = await one.desk.store.commands([first.id])
    assert [command.kind for command in asked] == (["abort"] if policy is Overlap.REPLACE else [])
    await one.end(first)
    one.clock.go(seconds=2)
    await ticks.round()
    assert await one.times() == after


async def test_a_start_that_replaces_one_of_a_launch_plan_with_one_place_waits_until_that_has_ended() -> None:
    one = await Planned.made()
    await one.register(most=1)
    await one.activate()
    ticks = one.ticks(overlap=Overlap.REPLACE)
    for _ in range(2):
        one.clock.go(hours=1)
        await ticks.round()
    assert await one.times() == ["01 13:00"]
    await one.end((await one.started())[0], "aborted")
    one.clock.go(seconds=2)
    await ticks.round()
    assert await one.times() == ["01 13:00", "01 14:00"]


class Broken(MemoryStore):
    """Fails for one launch plan as nobody has foreseen."""

    async def create(self, new: NewExecution) -> tuple[ExecutionRecord, bool]:
        if ":broken:" in new.entity:
            raise ZeroDivisionError
        return await super().create(new)


async def test_a_launch_plan_that_cannot_be_started_keeps_no_other_one_from_starting() -> None:
    one = await Planned.made(Broken)
    for name in ("broken", "hourly"):
        await one.register(name)
        await one.activate(name)
    one.clock.go(hours=1)
    ticks = one.ticks()
    await ticks.round()
    assert await one.times() == ["01 13:00"]
    assert await ticks.round() == NOON + timedelta(hours=1, seconds=1)


async def test_a_start_that_its_own_limit_refuses_is_left_out_and_said() -> None:
    one = await Planned.made()
    await one.register(most=1)
    await one.activate()
    ticks = one.ticks()
    for _ in range(3):
        one.clock.go(hours=1)
        await ticks.round()
    assert await one.times() == ["01 13:00"]
    (plan,) = await one.desk.store.scheduled()
    assert "1 executions of launch plan hourly run" in plan.note


class Away(MemoryStore):
    """Gives nothing back."""

    async def free(self, key: str, owner: str) -> None:
        raise StoreUnavailable("away")


async def test_who_leaves_while_the_store_is_away_just_leaves() -> None:
    one = await Planned.made(Away)
    await one.ticks("a").leave()


class Faulty(MemoryStore):
    """Loses its head now and then, before or after it has done what is asked."""

    def __init__(self, clock: HandClock, random: Random) -> None:
        super().__init__(clock)
        self.random, self.well = random, True

    def _fault(self) -> None:
        if not self.well and self.random.random() < 0.3:
            raise StoreUnavailable("away")

    async def create(self, new: NewExecution) -> tuple[ExecutionRecord, bool]:
        self._fault()
        made = await super().create(new)
        self._fault()
        return made

    async def ticked(self, plan: PlanRecord, *, last: datetime, note: str = "") -> bool:
        self._fault()
        done = await super().ticked(plan, last=last, note=note)
        self._fault()
        return done


@pytest.mark.parametrize("seed", range(8))
async def test_every_time_has_one_start_whatever_fails_and_however_many_make_them(seed: int) -> None:
    random = Random(seed)
    one = await Planned.made(lambda clock: Faulty(clock, random))
    store = one.desk.store
    assert isinstance(store, Faulty)
    names = [f"plan{i}" for i in range(4)]
    for name in names:
        await one.register(name)
        await one.activate(name)
    store.well = False
    replicas = [one.ticks(str(i)) for i in range(3)]
    for _ in range(200):
        one.clock.go(minutes=random.choice([1, 7, 20, 200 if random.random() < 0.05 else 3]))
        for replica in random.sample(replicas, 2):
            try:
                await replica.round()
            except StoreUnavailable:
                continue
    store.well = True
    one.clock.go(minutes=2)
    for replica in replicas:
        await replica.round()
    started = await store.executions(limit=10_000)
    whole = int((one.clock.now() - NOON) / timedelta(hours=1))
    for name in names:
        mine = [record for record in started if f":{name}:" in record.entity]
        assert len(mine) == whole
    assert len(started) == len({record.key for record in started})


async def test_days_with_23_and_25_hours_have_as_many_starts() -> None:
    one = await Planned.made()
    for day, hours in ((datetime(2030, 3, 31, tzinfo=UTC), 23), (datetime(2030, 10, 27, tzinfo=UTC), 25)):
        name = f"hours{hours}"
        zoned = CronSchedule(schedule="CRON_TZ=Europe/Berlin 0 * * * *")
        one.clock.at = day - timedelta(hours=2 if hours == 25 else 1)
        await one.register(name, schedule=Schedule(cron_schedule=zoned, kickoff_time_input_arg="at"))
        await one.activate(name)
        ticks = one.ticks()
        before = len(await one.desk.store.executions(limit=1000))
        for _ in range(hours):
            one.clock.go(hours=1)
            await ticks.round()
        await one.activate(name, active=False)
        assert len(await one.desk.store.executions(limit=1000)) - before == hours


async def test_a_schedule_beyond_the_calendar_is_refused_and_keeps_no_other_one_from_starting() -> None:
    one = await Planned.made()
    beyond = hourly()
    beyond.cron_schedule.offset = "P900000000D"
    with pytest.raises(RequestError, match="ten years at most"):
        await one.register("beyond", schedule=beyond)
    await one.register()
    await one.activate()
    one.clock.go(hours=1)
    await one.ticks().round()
    assert await one.times() == ["01 13:00"]


async def test_a_schedule_that_could_never_work_is_refused_with_all_that_is_wrong() -> None:
    one = await Planned.made()
    with pytest.raises(RequestError) as caught:
        await one.register(schedule=hourly(kickoff="x"), annotations={"alula/overlap": "perhaps"})
    said = str(caught.value)
    assert "'perhaps' as alula/overlap" in said
    assert "'x' is no input that takes a time" in said
    assert "nobody gives at when it starts by itself" in said
