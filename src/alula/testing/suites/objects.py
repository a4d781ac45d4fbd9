"""What every `ObjectStore` must do. Subclass it, and give the two fixtures.

class TestMyStore(ObjectStoreSuite):
    @pytest.fixture
    def objects(self) -> ObjectStore:
        return MyStore()

    @pytest.fixture
    def prefix(self) -> str:
        return f"mine://{uuid4().hex}"
"""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from alula._kits.bridge import run
from alula.data.objects import ObjectStore
from alula.errors import DataError, ObjectNotFound

T = TypeVar("T")

_BIG = bytes(range(256)) * 160_000
"""40 MB, so that stores which cut objects into pieces do so."""


class ObjectStoreSuite:
    """Conformance of an `ObjectStore`."""

    odd_names = (
        "a b",
        "ümlaut/日本",
        "per%20cent",
        "hash#1",
        "what?",
        "plus+and&",
        "t~i'l(d)e",
        "[x]{y}",
        "q*",
        "=,;@:$!",
    )
    """Names below a prefix that must live beside each other."""

    @pytest.fixture
    def objects(self) -> ObjectStore:
        """The store under test."""
        raise NotImplementedError("define the fixture `objects`")

    @pytest.fixture
    def prefix(self) -> str:
        """A URI without a trailing slash, under which nothing lives."""
        raise NotImplementedError("define the fixture `prefix`")

    # One object

    @pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 99], ids=["empty", "one byte", "25 kB"])
    def test_what_is_written_is_read(self, objects: ObjectStore, prefix: str, data: bytes) -> None:
        uri = f"{prefix}/some/where"
        run(objects.write(uri, data))
        found = run(objects.read(uri))
        assert type(found) is bytes
        assert found == data
        assert run(objects.size(uri)) == len(data)
        assert run(objects.exists(uri))

    def test_writing_again_replaces(self, objects: ObjectStore, prefix: str) -> None:
        run(objects.write(f"{prefix}/x", b"a long first version"))
        run(objects.write(f"{prefix}/x", b"second"))
        assert run(objects.read(f"{prefix}/x")) == b"second"

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (3, None, b"3456789"),
            (0, 4, b"0123"),
            (3, 4, b"3456"),
            (8, 100, b"89"),
            (10, None, b""),
            (10, 5, b""),
            (99, 5, b""),
            (3, 0, b""),
        ],
    )
    def test_a_range_ends_where_the_object_ends(
        self, objects: ObjectStore, prefix: str, start: int, length: int | None, expected: bytes
    ) -> None:
        run(objects.write(f"{prefix}/digits", b"0123456789"))
        assert run(objects.read(f"{prefix}/digits", start=start, length=length)) == expected

    def test_what_is_not_there_is_not_found(self, objects: ObjectStore, prefix: str, tmp_path: Path) -> None:
        uri = f"{prefix}/nothing"
        assert not run(objects.exists(uri))
        for call in (
            objects.read(uri),
            objects.read(uri, start=1, length=2),
            objects.size(uri),
            objects.open_reader(uri),
            objects.download(uri, tmp_path / "x"),
        ):
            with pytest.raises(ObjectNotFound) as caught:
                run(call)
            assert uri in caught.value.where
            assert caught.value.fix
        assert not (tmp_path / "x").exists()

    def test_a_prefix_is_no_object(self, objects: ObjectStore, prefix: str) -> None:
        run(objects.write(f"{prefix}/dir/x", b"1"))
        assert not run(objects.exists(f"{prefix}/dir"))
        with pytest.raises(ObjectNotFound):
            run(objects.read(f"{prefix}/dir"))
        with pytest.raises(ObjectNotFound):
            run(objects.size(f"{prefix}/dir"))

    def test_deleting_removes_and_may_be_repeated(self, objects: ObjectStore, prefix: str) -> None:
        run(objects.write(f"{prefix}/x", b"1"))
        run(objects.delete(f"{prefix}/x"))
        run(objects.delete(f"{prefix}/x"))
        assert not run(objects.exists(f"{prefix}/x"))

    def test_odd_names_live_beside_each_other(self, objects: ObjectStore, prefix: str, tmp_path: Path) -> None:
        for name in self.odd_names:
            run(objects.write(f"{prefix}/odd/{name}", name.encode()))
        for name in self.odd_names:
            assert run(objects.read(f"{prefix}/odd/{name}")) == name.encode()
        assert listed(objects, f"{prefix}/odd") == sorted(f"{prefix}/odd/{name}" for name in self.odd_names)
        run(objects.download(f"{prefix}/odd", tmp_path / "odd"))
        assert {name: (tmp_path / "odd" / name).read_bytes() for name in self.odd_names} == {
            name: name.encode() for name in self.odd_names
        }

    def test_many_threads_may_write_and_read_at_once(self, objects: ObjectStore, prefix: str) -> None:
        def there_and_back(i: int) -> bytes:
            run(objects.write(f"{prefix}/{i % 7}/{i}", b"%d" % i))
            return run(objects.read(f"{prefix}/{i % 7}/{i}"))

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(there_and_back, range(100))) == [b"%d" % i for i in range(100)]

    def test_a_reader_sees_the_old_or_the_new_and_nothing_between(self, objects: ObjectStore, prefix: str) -> None:
        uri, versions = f"{prefix}/x", [bytes([i]) * 300_000 for i in range(8)]
        run(objects.write(uri, versions[0]))
        with ThreadPoolExecutor(4) as pool:
            writes = [pool.submit(run, objects.write(uri, version)) for version in versions]
            reads = [pool.submit(run, objects.read(uri)) for _ in range(20)]
            assert all(read.result() in versions for read in reads)
            for write in writes:
                write.result()

    # Listing

    def test_a_listing_is_sorted_and_knows_segments(self, objects: ObjectStore, prefix: str) -> None:
        for name in ("a/1", "a-b", "a/2/z", "a/2-", "ab", "b", "a/10"):
            run(objects.write(f"{prefix}/{name}", b"x"))
        assert listed(objects, prefix) == [
            f"{prefix}/{name}" for name in ("a-b", "a/1", "a/10", "a/2-", "a/2/z", "ab", "b")
        ]
        below = [f"{prefix}/a/{name}" for name in ("1", "10", "2-", "2/z")]
        assert listed(objects, f"{prefix}/a") == below
        assert listed(objects, f"{prefix}/a/") == below
        assert listed(objects, f"{prefix}/b") == []
        assert listed(objects, f"{prefix}/nothing") == []

    # Files and directories

    def test_a_file_goes_up_and_comes_down(self, objects: ObjectStore, prefix: str, tmp_path: Path) -> None:
        (tmp_path / "source").write_bytes(b"content")
        run(objects.upload(tmp_path / "source", f"{prefix}/deep/file"))
        run(objects.download(f"{prefix}/deep/file", tmp_path / "new" / "dirs" / "target"))
        assert (tmp_path / "new/dirs/target").read_bytes() == b"content"
        assert [path.name for path in (tmp_path / "new/dirs").iterdir()] == ["target"]

    def test_changing_the_source_does_not_change_the_stored(
        self, objects: ObjectStore, prefix: str, tmp_path: Path
    ) -> None:
        (tmp_path / "source").write_bytes(b"before")
        run(objects.upload(tmp_path / "source", f"{prefix}/file"))
        with (tmp_path / "source").open("r+b") as source:
            source.write(b"after!")
        run(objects.download(f"{prefix}/file", tmp_path / "copy"))
        with (tmp_path / "copy").open("r+b") as copy:
            copy.write(b"later!")
        assert run(objects.read(f"{prefix}/file")) == b"before"

    def test_a_big_file_goes_up_and_comes_down(self, objects: ObjectStore, prefix: str, tmp_path: Path) -> None:
        (tmp_path / "big").write_bytes(_BIG)
        run(objects.upload(tmp_path / "big", f"{prefix}/big"))
        assert run(objects.size(f"{prefix}/big")) == len(_BIG)
        run(objects.download(f"{prefix}/big", tmp_path / "copy"))
        assert (tmp_path / "copy").read_bytes() == _BIG
        assert run(objects.read(f"{prefix}/big", start=20_000_000, length=3)) == _BIG[20_000_000:20_000_003]

    def test_a_directory_goes_up_and_comes_down(self, objects: ObjectStore, prefix: str, tmp_path: Path) -> None:
        files = {f"{i % 5}/{i % 3}/f{i}": b"%d" % i for i in range(60)} | {".hidden": b"h", "empty": b""}
        for name, data in files.items():
            target = tmp_path / "tree" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        run(objects.upload(tmp_path / "tree", f"{prefix}/tree"))
        assert listed(objects, f"{prefix}/tree") == sorted(f"{prefix}/tree/{name}" for name in files)
        for uri in (f"{prefix}/tree", f"{prefix}/tree/"):
            copy = tmp_path / f"copy{len(uri)}"
            run(objects.download(uri, copy))
            found = {str(path.relative_to(copy)): path.read_bytes() for path in copy.rglob("*") if path.is_file()}
            assert found == files

    def test_an_empty_directory_stays_an_empty_directory(
        self, objects: ObjectStore, prefix: str, tmp_path: Path
    ) -> None:
        (tmp_path / "empty").mkdir()
        run(objects.upload(tmp_path / "empty", f"{prefix}/empty"))
        run(objects.download(f"{prefix}/empty", tmp_path / "copy"))
        assert list((tmp_path / "copy").iterdir()) == []
        assert listed(objects, f"{prefix}/empty") == []

    def test_empty_directories_below_a_directory_stay(self, objects: ObjectStore, prefix: str, tmp_path: Path) -> None:
        for name in ("a/empty", "a/full", "deep/er"):
            (tmp_path / "tree" / name).mkdir(parents=True)
        (tmp_path / "tree/a/full/file").write_bytes(b"f")
        run(objects.upload(tmp_path / "tree", f"{prefix}/tree"))
        run(objects.download(f"{prefix}/tree", tmp_path / "copy"))
        found = sorted(str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*"))
        assert found == ["a", "a/empty", "a/full", "a/full/file", "deep", "deep/er"]
        assert listed(objects, f"{prefix}/tree") == [f"{prefix}/tree/a/full/file"]

    def test_links_in_an_uploaded_directory_are_followed(
        self, objects: ObjectStore, prefix: str, tmp_path: Path
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere/data").write_bytes(b"far")
        (tmp_path / "tree").mkdir()
        (tmp_path / "tree/file").symlink_to(tmp_path / "elsewhere/data")
        (tmp_path / "tree/dir").symlink_to(tmp_path / "elsewhere")
        run(objects.upload(tmp_path / "tree", f"{prefix}/tree"))
        assert listed(objects, f"{prefix}/tree") == [f"{prefix}/tree/dir/data", f"{prefix}/tree/file"]
        assert run(objects.read(f"{prefix}/tree/dir/data")) == b"far"

    def test_a_link_in_a_circle_or_to_nothing_is_named(self, objects: ObjectStore, prefix: str, tmp_path: Path) -> None:
        (tmp_path / "loop").mkdir()
        (tmp_path / "loop/again").symlink_to(tmp_path / "loop")
        (tmp_path / "gone").mkdir()
        (tmp_path / "gone/lost").symlink_to(tmp_path / "nowhere")
        for directory, culprit in (("loop", "again"), ("gone", "lost")):
            with pytest.raises(DataError, match=culprit):
                run(objects.upload(tmp_path / directory, f"{prefix}/tree"))

    def test_uploading_what_is_not_there_is_an_error(self, objects: ObjectStore, prefix: str, tmp_path: Path) -> None:
        with pytest.raises(ObjectNotFound, match="missing"):
            run(objects.upload(tmp_path / "missing", f"{prefix}/x"))
        assert not run(objects.exists(f"{prefix}/x"))

    # Streams

    def test_a_reader_reads_and_seeks(self, objects: ObjectStore, prefix: str) -> None:
        run(objects.write(f"{prefix}/lines", b"one\ntwo\nthree\n"))
        with run(objects.open_reader(f"{prefix}/lines")) as reader:
            assert reader.readline() == b"one\n"
            assert reader.read(2) == b"tw"
            assert reader.tell() == 6
            assert reader.seek(-6, io.SEEK_END) == 8
            assert reader.read() == b"three\n"
            assert reader.read() == b""
            assert reader.seek(0) == 0
            assert list(io.TextIOWrapper(reader)) == ["one\n", "two\n", "three\n"]

    def test_a_reader_of_a_big_object_yields_all_of_it(self, objects: ObjectStore, prefix: str) -> None:
        run(objects.write(f"{prefix}/big", _BIG))
        with run(objects.open_reader(f"{prefix}/big")) as reader:
            pieces = list(iter(lambda: reader.read(7_000_001), b""))
            assert b"".join(pieces) == _BIG
            reader.seek(30_000_000)
            assert reader.read(5) == _BIG[30_000_000:30_000_005]

    def test_a_writer_publishes_when_it_is_closed(self, objects: ObjectStore, prefix: str) -> None:
        uri = f"{prefix}/streamed"
        with run(objects.open_writer(uri)) as writer:
            for start in range(0, len(_BIG), 9_000_000):
                assert writer.write(_BIG[start : start + 9_000_000])
            assert writer.tell() == len(_BIG)
            assert not run(objects.exists(uri))
        assert writer.closed
        assert run(objects.read(uri)) == _BIG

    def test_an_object_says_when_it_was_written(self, objects: ObjectStore, prefix: str) -> None:
        uri = f"{prefix}/dated"
        run(objects.write(uri, b"now"))
        age = datetime.now(UTC) - run(objects.modified(uri))
        assert timedelta(minutes=-5) < age < timedelta(minutes=5)
        with pytest.raises(ObjectNotFound):
            run(objects.modified(f"{prefix}/nothing"))

    def test_a_writer_whose_block_fails_leaves_what_was_there(self, objects: ObjectStore, prefix: str) -> None:
        uri = f"{prefix}/streamed"
        run(objects.write(uri, b"before"))

        def fail_halfway() -> None:
            with run(objects.open_writer(uri)) as writer:
                writer.write(b"half of it")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail_halfway()
        assert run(objects.read(uri)) == b"before"
        assert listed(objects, prefix) == [uri]

    def test_a_writer_that_nobody_closes_leaves_what_was_there(self, objects: ObjectStore, prefix: str) -> None:
        writer = run(objects.open_writer(f"{prefix}/streamed"))
        writer.write(b"half of it")
        del writer
        assert not run(objects.exists(f"{prefix}/streamed"))

    def test_a_writer_of_nothing_makes_an_empty_object(self, objects: ObjectStore, prefix: str) -> None:
        run(objects.open_writer(f"{prefix}/empty")).close()
        assert run(objects.read(f"{prefix}/empty")) == b""


def listed(objects: ObjectStore, prefix: str) -> list[str]:
    """All URIs below a prefix."""

    async def collect() -> list[str]:
        return [uri async for uri in objects.list(prefix)]

    return run(collect())
