"""Places to convert in: the three kinds of store that a blob may go to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3  # type: ignore[import-untyped]
import pytest

from alula.data.objects import ObjectStore
from alula.data.settings import StoreSettings
from alula.data.stores import Objects
from alula.data.workspace import Workspace, use
from alula.types import Place, default


@pytest.fixture(scope="session")
def s3_objects(s3_address: str) -> ObjectStore:
    keys = {"access_key_id": "key", "secret_access_key": "secret", "region": "us-east-1"}
    client = boto3.client(
        "s3",
        endpoint_url=s3_address,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="types")
    return Objects(StoreSettings(s3={"endpoint": s3_address, **keys}))


@pytest.fixture(params=["file", "memory", "s3"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place in each kind of store."""
    if request.param == "s3":
        return _place(request.getfixturevalue("s3_objects"), f"s3://types/{uuid4().hex}")
    return _place(Objects(), str(tmp_path / "store") if request.param == "file" else "memory://store")


@pytest.fixture
def here(tmp_path: Path) -> Place:
    """A place in a local directory, for what does not depend on the store."""
    return _place(Objects(), str(tmp_path / "store"))


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    """The workspace of a task that runs in the place of the test, if it has one."""
    names = {"at", "here"} & set(request.fixturenames)
    place: Place = request.getfixturevalue(names.pop()) if names else _place(Objects(), str(tmp_path / "store"))
    made = Workspace(place.objects, tmp_path / "workspace", f"{place.prefix}/new")
    with use(made):
        yield made


def _place(objects: ObjectStore, prefix: str) -> Place:
    numbers = itertools.count()
    return Place(objects, prefix, default, lambda: f"blob{next(numbers)}")
