"""Uploads go when nothing refers to them, and stay as long as anything does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alula.admin import retention
from alula.data import uris
from alula.engine.memo import Entry
from alula.engine.state import Ref, Values
from alula.errors import DataError
from alula.idl import Blob, Literal, Scalar
from alula.idl.service import TaskCreateRequest
from alula.services.caches import KIND
from alula.services.registry import Registry
from alula.services.tasks import Tasks
from alula.services.uploaded import collect_uploads
from alula.services.uploads import PLACE
from alula.store.records import CacheRecord, DocumentRecord
from tests.unit.admin.office import integers
from tests.unit.services.control import CALL, plan_id, request
from tests.unit.services.planned import Planned, timed

WEEK = timedelta(days=7)


async def put(one: Planned, path: str) -> str:
    uri = uris.join(one.desk.data, PLACE, path)
    await one.desk.objects.write(uri, b"12345")
    return uri


async def left(one: Planned) -> list[str]:
    place = uris.join(one.desk.data, PLACE)
    return [uri.removeprefix(place + "/") async for uri in one.desk.objects.list(place)]


def registered(uri: str) -> TaskCreateRequest:
    asked = TaskCreateRequest(id=plan_id("bundled"))
    asked.id.resource_type = 1
    template = asked.spec.template
    template.id.CopyFrom(asked.id)
    template.type = "python-task"
    template.container.image = "x"
    template.container.args.extend(["pyflyte-fast-execute", "--additional-distribution", uri, "--", "x"])
    return asked


async def test_what_is_registered_cached_or_given_to_an_execution_stays_and_all_else_goes() -> None:
    one = await Planned.made()
    kept = ["p/d/BUNDLE=/fast.tar.gz", "p/d/dir/a b/1", "p/d/dir/a b/2", "q/d/root/cached.csv"]
    gone = ["p/d/BUNDLE=/other.tar.gz", "p/d/dir2/a", "q/d/root/cache.txt", "q/d/BUNDLE=/fast.tar.gz"]
    uri = {path: await put(one, path) for path in (*kept, *gone)}
    await Tasks(Registry(one.desk)).CreateTask(registered(uri[kept[0]]), CALL)
    folder = Literal(scalar=Scalar(blob=Blob(uri=uri[kept[1]].rpartition("/")[0])))
    await one.desk.store.put_documents([DocumentRecord(KIND, "", "a", folder.SerializeToString())])
    await one.desk.store.put_documents([DocumentRecord(KIND, "", "b", uri[kept[3]].encode() + b"Zz")])
    dry = await collect_uploads(one.desk, WEEK, dry_run=True)
    assert sorted(await left(one)) == sorted(uri)
    done = await collect_uploads(one.desk, WEEK)
    assert (dry.files, dry.bytes) == (done.files, done.bytes) == (len(gone), 5 * len(gone))
    assert sorted(await left(one)) == sorted(kept)


async def test_inputs_go_after_the_last_execution_that_has_them() -> None:
    one = await Planned.made()
    uri = await put(one, "p/d/INPUT/x.csv")
    asked = request(plan_id(timed.name), name="ex", inputs=integers(x=1))
    asked.inputs.literals["at"].scalar.primitive.datetime.FromDatetime(datetime(2030, 1, 1, tzinfo=UTC))
    asked.inputs.literals["x"].metadata["from"] = uri
    made = await one.control.executions.CreateExecution(asked, CALL)
    assert made.id.name == "ex"
    assert (await collect_uploads(one.desk, WEEK)).files == 0
    await one.end((await one.started())[0])
    one.clock.go(days=1)
    await retention.collect(one.desk, retention.Policy(keep=0))
    assert (await collect_uploads(one.desk, WEEK)).files == 1


async def test_nothing_goes_while_what_may_refer_to_it_cannot_be_read() -> None:
    one = await Planned.made()
    await put(one, "p/d/OLD/x")
    await cache(one, "memory://somewhere/gone.pb")
    assert (await collect_uploads(one.desk, WEEK, dry_run=True)).files == 1
    await cache(one, "s3://")
    with pytest.raises(DataError):
        await collect_uploads(one.desk, WEEK)
    assert await left(one) == ["p/d/OLD/x"]


async def cache(one: Planned, uri: str) -> None:
    """Keep a result whose value lies in a file."""
    outputs = Entry(Values(refs=(Ref("o0", uri, "o0"),))).pack()
    now = one.clock.now()
    await one.desk.store.put(CacheRecord(uri, "t", outputs, "p:d:x n0", 1, now, now))


@pytest.mark.parametrize("age", [timedelta(0), WEEK])
async def test_what_is_young_stays_whatever_is_said(age: timedelta) -> None:
    one = await Planned.made()
    await put(one, "p/d/NEW/x")
    one.clock.at = datetime.now(UTC) + timedelta(minutes=50)
    assert (await collect_uploads(one.desk, age)).files == 0
