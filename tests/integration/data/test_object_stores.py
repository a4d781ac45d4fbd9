"""The conformance suite over servers that speak the protocols of object stores.

Google Cloud Storage: obstore speaks its XML protocol, which is that of S3 but for the way in; the emulators of Google's
store speak JSON only. So it is spoken with the S3 of moto, which looks at no way in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from alula._kits.bridge import run
from alula.data.objects import ObjectStore
from alula.data.settings import StoreSettings
from alula.data.stores import Objects
from alula.errors import DataError, ObjectNotFound
from alula.testing.suites.objects import ObjectStoreSuite


class TestAzure(ObjectStoreSuite):
    @pytest.fixture
    def objects(self, az: Mapping[str, str]) -> ObjectStore:
        return Objects(StoreSettings(az=az))

    @pytest.fixture
    def prefix(self) -> str:
        return f"az://box/{uuid4().hex}"

    def test_abfs_is_az(self, objects: ObjectStore, prefix: str) -> None:
        run(objects.write(f"{prefix}/x", b"1"))
        name = prefix.removeprefix("az://box/")
        for scheme in ("abfs", "abfss", "azure"):
            assert run(objects.read(f"{scheme}://box/{name}/x")) == b"1"

    def test_a_missing_container_is_named(self, objects: ObjectStore) -> None:
        for call in (objects.read("az://nothing/x"), objects.write("az://nothing/x", b"1")):
            with pytest.raises(ObjectNotFound, match="there is no container 'nothing'"):
                run(call)

    def test_a_wrong_key_is_refused(self, az: Mapping[str, str], prefix: str) -> None:
        wrong = Objects(StoreSettings(az={**az, "account_key": "c2VjcmV0"}, retries=0))
        for call in (wrong.read(f"{prefix}/x"), wrong.write(f"{prefix}/x", b"1"), wrong.delete(f"{prefix}/x")):
            with pytest.raises(DataError, match=r"access to .* was refused") as caught:
                run(call)
            assert not isinstance(caught.value, ObjectNotFound)
            assert "c2VjcmV0" not in str(caught.value)


class TestS3OfNode(ObjectStoreSuite):
    """Another server of S3. It writes in place, and lists in the order of its file system: these two promises of S3 are
    not its own."""

    test_a_reader_sees_the_old_or_the_new_and_nothing_between = None  # type: ignore[assignment]
    test_a_listing_is_sorted_and_knows_segments = None  # type: ignore[assignment]

    @pytest.fixture
    def objects(self, s3_of_node: Mapping[str, str]) -> ObjectStore:
        return Objects(StoreSettings(s3=s3_of_node))

    @pytest.fixture
    def prefix(self) -> str:
        return f"s3://box/{uuid4().hex}"

    def test_an_unknown_key_is_refused(self, s3_of_node: Mapping[str, str], prefix: str) -> None:
        wrong = Objects(StoreSettings(s3={**s3_of_node, "access_key_id": "wrong"}, retries=0))
        for call in (wrong.read(f"{prefix}/x"), wrong.write(f"{prefix}/x", b"1"), wrong.delete(f"{prefix}/x")):
            with pytest.raises(DataError, match="the store does not know the access key"):
                run(call)


class TestGoogle(ObjectStoreSuite):
    @pytest.fixture
    def objects(self, s3: Mapping[str, str]) -> ObjectStore:
        return Objects(StoreSettings(gs={"base_url": s3["endpoint"]}))

    @pytest.fixture
    def prefix(self) -> str:
        return f"gs://box/{uuid4().hex}"

    def test_the_variable_of_emulators_is_enough(self, s3: Mapping[str, str], prefix: str) -> None:
        objects = Objects(StoreSettings.from_env({"STORAGE_EMULATOR_HOST": s3["endpoint"]}))
        run(objects.write(f"{prefix}/x", b"1"))
        assert run(objects.read(f"{prefix}/x".replace("gs://", "gcs://"))) == b"1"

    def test_a_missing_bucket_is_named(self, objects: ObjectStore) -> None:
        with pytest.raises(ObjectNotFound, match="there is no bucket 'nothing'"):
            run(objects.read("gs://nothing/x"))


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_a_directory_of_many_files_goes_up_and_comes_down(
    scheme: str, s3: Mapping[str, str], az: Mapping[str, str], tmp_path: Path
) -> None:
    objects = Objects(StoreSettings(s3=s3, gs={"base_url": s3["endpoint"]}, az=az))
    source, copy = tmp_path / "source", tmp_path / "copy"
    files = {f"{number % 7}/{number}.txt": f"{number}".encode() * number for number in range(200)}
    files["big"] = bytes(range(256)) * 100_000
    for name, data in files.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    prefix = f"{scheme}://box/{uuid4().hex}"
    run(objects.upload(source, prefix))
    run(objects.download(prefix, copy))
    assert {str(path.relative_to(copy)): path.read_bytes() for path in copy.rglob("*") if path.is_file()} == files
