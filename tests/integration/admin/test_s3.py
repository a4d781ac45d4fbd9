"""Retention where files are objects in a bucket."""

from __future__ import annotations

import boto3

from alula._kits.clock import SystemClock
from alula.admin.desk import Desk
from alula.admin.executions import Order, create
from alula.admin.retention import Policy, collect
from alula.data.settings import StoreSettings
from alula.data.stores import Objects
from alula.idl import literals
from alula.store.memory import MemoryStore
from tests.unit.admin import office
from tests.unit.admin.office import launchable, start
from tests.unit.admin.test_retention import names
from tests.unit.admin.test_retention_at_random import TAKES

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region": "us-east-1", "allow_http": "true"}


async def test_files_go_from_a_bucket_but_those_in_use(s3_address: str) -> None:
    boto3.client(
        "s3", endpoint_url=s3_address, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    ).create_bucket(Bucket="retention")
    objects = Objects(StoreSettings(s3={"endpoint": s3_address, **KEYS}))
    at = Desk(MemoryStore(), objects, "s3://retention/pre.fix", SystemClock())
    await office.run(at, await start(at, name="first"))
    for attempt in ("n0/0", "n1/0"):
        await objects.write(f"{at.data}/p/d/first/{attempt}/raw/file", b"0123456789")
    await objects.write(f"{at.data}/p/d/firsts/n0/0/raw/file", b"of another one")
    blob = literals.blob(f"{at.data}/p/d/first/n1/0/raw/file")
    second = await create(at, launchable(TAKES), Order("p", "d", {"a": blob}, name="second"))
    found = await collect(at, Policy(keep=0))
    assert (names(found), found.files, found.freed_bytes) == (["first"], 1, 10)
    assert found.kept == (f"{at.data}/p/d/first/n1/0",)
    await office.run(at, second)
    assert names(await collect(at, Policy(keep=0))) == ["second"]
    left = [uri async for uri in objects.list(at.data)]
    assert left == [f"{at.data}/p/d/firsts/n0/0/raw/file"]
