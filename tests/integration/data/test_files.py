"""The conformance suite over the stores that need no server."""

from __future__ import annotations

from pathlib import Path

import pytest

from alula._kits.bridge import run
from alula.data.objects import ObjectStore
from alula.data.stores import Objects
from alula.errors import DataError
from alula.testing.suites.objects import ObjectStoreSuite, listed


class TestPlainPaths(ObjectStoreSuite):
    @pytest.fixture
    def objects(self) -> ObjectStore:
        return Objects()

    @pytest.fixture
    def prefix(self, tmp_path: Path) -> str:
        return str(tmp_path / "store")

    def test_a_plain_path_is_a_local_path(self, objects: ObjectStore, prefix: str) -> None:
        assert objects.local_path(f"{prefix}/x") == Path(prefix) / "x"

    def test_a_write_that_cannot_happen_names_the_place(self, objects: ObjectStore, prefix: str) -> None:
        run(objects.write(f"{prefix}/file", b"1"))
        with pytest.raises(DataError) as caught:
            run(objects.write(f"{prefix}/file/below", b"2"))
        assert f"{prefix}/file" in str(caught.value)
        assert listed(objects, prefix) == [f"{prefix}/file"]


class TestFileUris(TestPlainPaths):
    @pytest.fixture
    def prefix(self, tmp_path: Path) -> str:
        return f"file://{tmp_path}/store"

    def test_a_plain_path_is_a_local_path(self, objects: ObjectStore, prefix: str) -> None:
        assert objects.local_path(f"{prefix}/x") == Path(prefix.removeprefix("file://")) / "x"


class TestMemory(ObjectStoreSuite):
    @pytest.fixture
    def objects(self) -> ObjectStore:
        return Objects()

    @pytest.fixture
    def prefix(self) -> str:
        return "memory://"

    def test_memory_has_no_local_path(self, objects: ObjectStore, prefix: str) -> None:
        assert objects.local_path(f"{prefix}/x") is None


def test_two_stores_do_not_share_memory() -> None:
    one, other = Objects(), Objects()
    run(one.write("memory://x", b"1"))
    assert not run(other.exists("memory://x"))


@pytest.mark.parametrize("key", ["../evil", "a/../../evil", "/evil", "a//evil", "./evil", "nul\0"])
def test_names_that_would_leave_the_directory_are_refused(key: str, tmp_path: Path) -> None:
    objects = Objects()
    run(objects.write("memory://p/good", b"1"))
    run(objects.write(f"memory://p/{key}", b"1"))
    with pytest.raises(DataError, match="no safe place"):
        run(objects.download("memory://p", tmp_path / "target" / "dir"))
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("uri", ["relative/path", "", "file://relative", "ftp://host/x", "s3://", "s3://bucket", "x:y"])
def test_a_uri_that_names_nothing_is_refused_with_a_fix(uri: str) -> None:
    with pytest.raises(DataError) as caught:
        run(Objects().read(uri))
    assert caught.value.where == uri
    assert caught.value.fix


def test_a_negative_range_is_refused() -> None:
    with pytest.raises(DataError, match="start -1"):
        run(Objects().read("memory://x", start=-1))
