from __future__ import annotations

from collections.abc import Sequence

import pytest

from alula.data.layout import Attempt
from alula.errors import Rejected, RemoteNotFound, Throttled
from alula.plugin.context import TaskContext
from alula.plugin.failure import FailureKind
from alula.plugin.phase import PhaseInfo
from alula.plugin.runner import Started, Succeeded
from alula.plugin.webapi import LogPage
from alula.testing.sim.loop import virtual_loop
from tests.unit.hosting.stage import Cloud, CloudPlugin, Key, RemoteJob, Stage, cloud_stage


def test_a_job_is_created_followed_and_deleted() -> None:
    stage, cloud = cloud_stage()
    told = stage.start()
    stage.advance(10)
    assert isinstance(told.end, Succeeded)
    assert told.kept == [b'{"number":1}']
    assert Started() in told.reports
    assert [shown["phase"] for shown in told.shown] == ["queued", "running", "succeeded"]
    assert cloud.count("find") == 0
    assert stage.close(abort=False) == []
    stage.advance(1)
    assert stage.closed[stage.id()] == [""]
    assert not cloud.jobs
    stage.end()


def test_a_failed_job_is_deleted_too() -> None:
    stage, cloud = cloud_stage()
    cloud.ends = PhaseInfo.failed("Broken", "it broke")
    told = stage.start()
    stage.advance(10)
    assert told.failure.code == "Broken"
    stage.close(abort=True)
    stage.advance(1)
    assert not cloud.jobs
    assert cloud.count("delete") == 1


def test_after_a_crash_the_job_is_found_by_its_name() -> None:
    stage, cloud = cloud_stage()
    stage.keeping = False
    stage.start()
    stage.advance(1)
    assert cloud.made == 1
    other = stage.again(lambda: CloudPlugin(cloud))
    told = other.start()
    other.advance(10)
    assert isinstance(told.end, Succeeded)
    assert cloud.made == 1


def test_after_a_crash_before_create_it_is_created_once_nobody_can_have_made_it() -> None:
    stage, cloud = cloud_stage()
    other = Stage(lambda: CloudPlugin(cloud), loop=stage.loop)
    told = other.start(fresh=False)
    other.advance(1)
    assert cloud.made == 0
    other.advance(10)
    assert cloud.made == 1
    assert isinstance(told.end, Succeeded)


def test_a_create_whose_answer_was_lost_is_looked_for_before_another_one() -> None:
    stage, cloud = cloud_stage()
    cloud.after["create"] = [ConnectionResetError("connection reset")]
    told = stage.start()
    stage.advance(20)
    assert isinstance(told.end, Succeeded)
    assert (cloud.made, cloud.count("create")) == (1, 1)
    assert cloud.count("find") == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_an_abort_deletes_a_job_whose_create_was_never_answered(restarted: bool) -> None:
    stage, cloud = cloud_stage()
    cloud.after["create"] = [ConnectionResetError("connection reset")] * 50
    stage.start()
    stage.advance(0.1)
    assert len(cloud.jobs) == 1
    if restarted:
        stage = stage.again(lambda: CloudPlugin(cloud))
    answers = stage.close(abort=True, job=restarted)
    stage.advance(10)
    assert answers == [""]
    assert not cloud.jobs


def test_a_delete_that_fails_is_told_and_made_again() -> None:
    stage, cloud = cloud_stage()
    cloud.before["delete"] = [ConnectionRefusedError("connection refused")]
    stage.start()
    stage.advance(1)
    answers = stage.close(abort=True)
    stage.advance(1)
    assert answers == ["cloud.delete: connection refused"]
    stage.close(abort=True)
    stage.advance(1)
    assert answers == ["cloud.delete: connection refused", ""]
    assert not cloud.jobs


def test_a_job_that_vanished_is_the_systems_loss() -> None:
    stage, cloud = cloud_stage()
    told = stage.start()
    stage.advance(3)
    cloud.jobs.clear()
    stage.advance(5)
    assert (told.failure.code, told.failure.kind, told.failure.recoverable) == ("JobLost", FailureKind.SYSTEM, True)


def test_an_outage_delays_and_costs_nothing() -> None:
    stage, cloud = cloud_stage()
    told = stage.start()
    stage.advance(1)
    cloud.before["get"] = [ConnectionRefusedError("connection refused")] * 8
    stage.advance(20)
    assert "cloud.get: connection refused, since 00:00:0" in told.waits
    stage.advance(200)
    assert isinstance(told.end, Succeeded)
    assert told.waits == ""


def test_an_outage_that_lasts_is_the_systems_and_the_job_is_deleted_later() -> None:
    stage, cloud = cloud_stage()
    told = stage.start()
    stage.advance(1)
    cloud.before["get"] = [ConnectionRefusedError("connection refused")] * 10_000
    stage.advance(800)
    assert (told.failure.code, told.failure.kind) == ("RemoteUnavailable", FailureKind.SYSTEM)
    assert told.failure.recoverable
    assert "cloud.get: connection refused" in told.failure.message
    stage.close(abort=True)
    stage.advance(5)
    assert not cloud.jobs


def test_what_the_remote_rejects_the_user_pays() -> None:
    stage, cloud = cloud_stage()
    cloud.before["create"] = [Rejected("no such partition", code="BadPartition")]
    told = stage.start()
    stage.advance(1)
    assert (told.failure.code, told.failure.kind, told.failure.recoverable) == ("BadPartition", FailureKind.USER, False)


def test_who_is_throttled_waits_as_long_as_the_remote_says() -> None:
    stage, cloud = cloud_stage()
    cloud.before["create"] = [Throttled("slow down", retry_after=7)]
    told = stage.start()
    stage.advance(6)
    assert cloud.made == 0
    assert "asked less often" in told.waits
    stage.advance(5)
    assert cloud.made == 1
    assert cloud.count("find") == 0


def test_a_thousand_jobs_are_asked_for_in_batches_and_young_ones_sooner() -> None:
    stage, cloud = cloud_stage()
    cloud.runs = 300
    for number in range(500):
        stage.start(number)
    stage.advance(10)
    assert cloud.made == 500
    early = cloud.count("get")
    stage.advance(290 - stage.loop.time())
    rate = (cloud.count("get") - early) / 280
    assert rate < 1  # of 500 jobs that came one after the other, each at least twice a minute
    stage.advance(60)
    assert all(isinstance(told.end, Succeeded) for told in stage.told.values())


def test_one_key_that_the_remote_cannot_answer_for_does_not_hurt_the_others() -> None:
    stage, cloud = cloud_stage()

    class Picky(CloudPlugin):
        async def get(self, keys):  # type: ignore[no-untyped-def]
            if Key(7) in keys:
                raise ValueError("key 7 is poison")
            return await super().get(keys)

    other = Stage(lambda: Picky(cloud), loop=stage.loop)
    for number in range(40):
        other.start(number)
    other.advance(120)
    ended = [number for number in range(40) if other.told[other.id(number)].end is not None]
    assert len(ended) == 39
    other.advance(700)
    lost = next(told for told in other.told.values() if told.end is not None and not isinstance(told.end, Succeeded))
    assert lost.failure.code == "RemoteUnavailable"


def test_a_partial_answer_is_garbage_and_named() -> None:
    stage, cloud = cloud_stage()

    class Short(CloudPlugin):
        async def get(self, keys):  # type: ignore[no-untyped-def]
            return []

    other = Stage(lambda: Short(cloud), loop=stage.loop)
    told = other.start()
    other.advance(5)
    assert "cloud.get gave [] for 1 keys" in told.waits


def test_a_new_job_that_the_remote_does_not_know_yet_is_not_lost() -> None:
    stage, cloud = cloud_stage()
    hidden: list[int] = []

    class Late(CloudPlugin):
        async def get(self, keys):  # type: ignore[no-untyped-def]
            hidden.append(1)
            return [RemoteNotFound("not yet")] * len(keys) if len(hidden) < 3 else await super().get(keys)

    other = Stage(lambda: Late(cloud), loop=stage.loop)
    told = other.start()
    other.advance(10)
    assert isinstance(told.end, Succeeded)


def test_the_end_of_a_young_job_is_noticed_within_a_second() -> None:
    stage, cloud = cloud_stage()
    cloud.runs = 1.0
    told = stage.start()
    stage.advance(2)
    assert isinstance(told.end, Succeeded)


def test_after_a_restart_nothing_is_said_of_a_phase_that_is_not_known_yet() -> None:
    stage, cloud = cloud_stage()
    first = stage.start()
    stage.advance(2)
    assert first.shown[-1]["phase"] == "running"
    cloud.before["get"] = [ConnectionRefusedError("connection refused")] * 3
    other = stage.again(lambda: CloudPlugin(cloud))
    told = other.start()
    other.advance(1)
    assert told.shown == []
    assert "connection refused" in told.waits
    other.advance(60)
    assert [shown["phase"] for shown in told.shown] == ["succeeded"]


class Telling(CloudPlugin):
    """Its jobs have logs of three pages."""

    async def logs(self, task: TaskContext, key: Key, token: str = "") -> LogPage:
        self.cloud.enter("logs")
        page = int(token or 0)
        return LogPage((f"line {page}", f"more of {page}"), str(page + 1) if page < 2 else "")


@pytest.mark.parametrize("ends", [PhaseInfo.succeeded(), PhaseInfo.failed("Broken", "it broke")])
def test_the_log_of_a_job_becomes_that_of_its_attempt(ends: PhaseInfo) -> None:
    loop = virtual_loop()
    cloud = Cloud(loop, ends=ends)
    stage = Stage(lambda: Telling(cloud), loop=loop)
    told = stage.start()
    stage.advance(10)
    assert told.end is not None
    objects = stage.host._around.objects
    found = loop.run_until_complete(objects.read(Attempt(told.job.prefix).log)).decode()
    assert found == "line 0\nmore of 0\nline 1\nmore of 1\nline 2\nmore of 2\n"
    assert cloud.count("logs") == 3
    stage.end()


def test_a_log_that_cannot_be_had_costs_nothing() -> None:
    loop = virtual_loop()
    cloud = Cloud(loop)
    cloud.before["logs"] = [ConnectionRefusedError("connection refused")]
    stage = Stage(lambda: Telling(cloud), loop=loop)
    told = stage.start()
    stage.advance(10)
    assert isinstance(told.end, Succeeded)
    stage.end()


class Repeatable(CloudPlugin):
    """A second create of a name gives the job that is there."""

    idempotent_create = True

    async def create(self, task: TaskContext) -> Key:
        self.cloud.enter("create")
        for number, job in self.cloud.jobs.items():
            if job.name == task.name:
                return Key(number)
        self.cloud.calls.pop()
        return await super().create(task)


@pytest.mark.parametrize("exc", [Rejected("403: the token has expired"), Throttled("429", retry_after=60)])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_refusal_after_a_lost_answer_says_nothing_of_the_job_that_was_made(exc: Exception, restarted: bool) -> None:
    loop = virtual_loop()
    cloud = Cloud(loop, runs=1000)
    stage = Stage(lambda: Repeatable(cloud), loop=loop)
    cloud.after["create"] = [ConnectionResetError("connection reset")]
    stage.start()
    stage.advance(0.1)
    assert (cloud.made, cloud.count("create")) == (1, 1)
    cloud.before["create"] = [exc]
    if restarted:
        stage = stage.again(lambda: Repeatable(cloud))
        stage.start()
    stage.advance(5)
    assert not cloud.before["create"]
    stage.close(abort=True)
    stage.advance(100)
    assert stage.closed[stage.id()] == [""]
    assert not cloud.jobs
    stage.end()


def test_an_overloaded_remote_may_have_made_a_job_all_the_same() -> None:
    loop = virtual_loop()
    cloud = Cloud(loop, runs=1000)
    stage = Stage(lambda: Repeatable(cloud), loop=loop)
    cloud.after["create"] = [Throttled("503", retry_after=60)]
    stage.start()
    stage.advance(5)
    stage.close(abort=True)
    stage.advance(100)
    assert not cloud.jobs
    stage.end()


class Lagging(CloudPlugin):
    """Its service knows a job a second after it was made."""

    def knows(self, key: Key) -> bool:
        job = self.cloud.jobs.get(key.number)
        return job is not None and self.cloud.loop.time() - (job.until - self.cloud.runs) >= 1

    async def find(self, task: TaskContext) -> Key | None:
        found = await super().find(task)
        return found if found is not None and self.knows(found) else None

    async def get(self, keys: Sequence[Key]) -> Sequence[RemoteJob | RemoteNotFound]:
        return [self.cloud.jobs[key.number] if self.knows(key) else RemoteNotFound(f"no job {key}") for key in keys]

    async def delete(self, key: Key) -> None:
        if not self.knows(key):
            raise RemoteNotFound(f"no job {key}")
        await super().delete(key)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_job_that_the_remote_does_not_know_yet_is_deleted_when_it_does(restarted: bool) -> None:
    loop = virtual_loop()
    cloud = Cloud(loop, runs=1000)
    stage = Stage(lambda: Lagging(cloud), loop=loop)
    stage.start()
    stage.advance(0.2)
    if restarted:
        stage = stage.again(lambda: Lagging(cloud))
        stage.start()
        stage.advance(0.2)
        assert stage.told[stage.id()].end is None, "it is not lost yet"
    stage.close(abort=True, job=restarted)
    stage.advance(10)
    assert stage.closed[stage.id()] == [""]
    assert not cloud.jobs
    stage.end()


def test_one_that_was_seen_and_is_gone_keeps_nobody_waiting() -> None:
    loop = virtual_loop()
    cloud = Cloud(loop, runs=1000)
    stage = Stage(lambda: Lagging(cloud), loop=loop)
    stage.start()
    stage.advance(5)
    cloud.jobs.clear()
    stage.close(abort=True)
    stage.advance(0.1)
    assert stage.closed[stage.id()] == [""]
    stage.end()
