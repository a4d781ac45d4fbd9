"""The conformance suite over S3, spoken with a server of its own (moto), and what a bucket can throw at us."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3  # type: ignore[import-untyped]
import pytest

from alula._kits.bridge import run
from alula.data.objects import ObjectStore
from alula.data.settings import StoreSettings
from alula.data.stores import Objects
from alula.errors import DataError, ObjectNotFound
from alula.testing.suites.objects import ObjectStoreSuite, listed

ENDPOINT = {"access_key_id": "key", "secret_access_key": "secret", "region": "us-east-1"}


@pytest.fixture(scope="module")
def address(s3_address: str) -> str:
    return s3_address


@pytest.fixture(scope="module")
def boto(address: str) -> Any:
    """A client that is not ours, for looking at the bucket from the other side."""
    client = boto3.client(
        "s3",
        endpoint_url=address,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="bucket")
    return client


@pytest.fixture(scope="module")
def shared(address: str, boto: Any) -> ObjectStore:
    return Objects(StoreSettings(s3={"endpoint": address, **ENDPOINT}))


class TestS3(ObjectStoreSuite):
    @pytest.fixture
    def objects(self, shared: ObjectStore) -> ObjectStore:
        return shared

    @pytest.fixture
    def prefix(self) -> str:
        return f"s3://bucket/{uuid4().hex}"

    def test_s3_has_no_local_path(self, objects: ObjectStore, prefix: str) -> None:
        assert objects.local_path(prefix) is None

    def test_keys_are_the_ones_that_other_clients_see(self, objects: ObjectStore, prefix: str, boto: Any) -> None:
        for name in self.odd_names:
            run(objects.write(f"{prefix}/{name}", b"x"))
        root = prefix.removeprefix("s3://bucket/")
        answer = boto.list_objects_v2(Bucket="bucket", Prefix=f"{root}/")
        assert sorted(found["Key"] for found in answer["Contents"]) == sorted(f"{root}/{n}" for n in self.odd_names)
        boto.put_object(Bucket="bucket", Key=f"{root}/theirs 100%.txt", Body=b"theirs")
        assert run(objects.read(f"{prefix}/theirs 100%.txt")) == b"theirs"

    def test_s3a_is_s3(self, objects: ObjectStore, prefix: str) -> None:
        run(objects.write(f"{prefix}/x", b"1"))
        assert run(objects.read(f"{prefix}/x".replace("s3://", "s3a://"))) == b"1"

    def test_markers_of_folders_that_consoles_make_are_no_objects(
        self, objects: ObjectStore, prefix: str, boto: Any, tmp_path: Path
    ) -> None:
        root = prefix.removeprefix("s3://bucket/")
        for key in (f"{root}/", f"{root}/sub/", f"{root}/bare/"):
            boto.put_object(Bucket="bucket", Key=key, Body=b"")
        for name in ("sub/x", "empty"):
            run(objects.write(f"{prefix}/{name}", b"" if name == "empty" else b"x"))
        assert listed(objects, prefix) == [f"{prefix}/empty", f"{prefix}/sub/x"]
        run(objects.download(prefix, tmp_path / "copy"))
        assert sorted(path.name for path in (tmp_path / "copy").rglob("*")) == ["empty", "sub", "x"]

    def test_a_reader_notices_that_the_object_was_replaced(self, objects: ObjectStore, prefix: str) -> None:
        run(objects.write(f"{prefix}/x", b"1" * 9_000_000))
        with run(objects.open_reader(f"{prefix}/x")) as reader:
            assert reader.read(1) == b"1"
            run(objects.write(f"{prefix}/x", b"2" * 9_000_000))
            with pytest.raises(DataError, match="replaced while it was read"):
                reader.read(8_000_000)

    def test_a_missing_bucket_is_named(self, objects: ObjectStore) -> None:
        for call in (objects.read("s3://no-such-bucket/x"), objects.write("s3://no-such-bucket/x", b"1")):
            with pytest.raises(ObjectNotFound, match="no-such-bucket"):
                run(call)

    def test_a_listing_of_a_whole_bucket_has_full_uris(self, objects: ObjectStore, boto: Any) -> None:
        boto.create_bucket(Bucket="whole")
        run(objects.write("s3://whole/a/b", b"1"))
        assert listed(objects, "s3://whole") == listed(objects, "s3://whole/") == ["s3://whole/a/b"]

    def test_a_path_that_climbs_is_refused(self, objects: ObjectStore, prefix: str) -> None:
        with pytest.raises(DataError, match=r"\.\."):
            run(objects.write(f"{prefix}/a/../../b", b"1"))


@pytest.mark.parametrize("names", ["FLYTE_AWS_{}", "AWS_{}"])
def test_the_environment_that_flytekit_users_have_is_enough(names: str, address: str, boto: Any) -> None:
    environ = {
        names.format("ENDPOINT"): address,
        names.format("ACCESS_KEY_ID"): "key",
        names.format("SECRET_ACCESS_KEY"): "secret",
    }
    objects = Objects(StoreSettings.from_env(environ))
    uri = f"s3://bucket/{uuid4().hex}"
    run(objects.write(uri, b"1"))
    assert run(objects.read(uri)) == b"1"


def test_a_server_that_is_not_there_is_an_error_with_a_fix() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
        objects = Objects(StoreSettings(s3={"endpoint": address, **ENDPOINT}, retries=0))
        with pytest.raises(DataError) as caught:
            run(objects.read("s3://bucket/x"))
    assert not isinstance(caught.value, ObjectNotFound)
    assert caught.value.where == "s3://bucket/x"
    assert "endpoint" in caught.value.fix


def test_an_unknown_setting_is_an_error() -> None:
    with pytest.raises(DataError, match="endpunkt"):
        run(Objects(StoreSettings(s3={"endpunkt": "x"})).read("s3://bucket/x"))


def test_a_signed_address_is_read_over_http(address: str, boto: Any) -> None:
    boto.put_object(Bucket="bucket", Key="signed file.bin", Body=b"0123456789")
    signed = boto.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "signed file.bin"})
    objects = Objects(StoreSettings())
    assert run(objects.read(signed)) == b"0123456789"
    assert run(objects.size(signed)) == 10
    assert run(objects.read(signed, start=2, length=3)) == b"234"
