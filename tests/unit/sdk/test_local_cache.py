from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alula.errors import ConfigError
from alula.idl import LiteralMap, LiteralType, SimpleType, StructuredDatasetType, TypedInterface, Variable
from alula.idl import literals as build
from alula.idl.packing import packed, unpacked
from alula.sdk import local_cache as room
from alula.sdk.cache_store import CacheStore, Claim
from alula.sdk.caching import CacheSettings
from alula.sdk.local_cache import LocalCache, key

ONE = CacheSettings("1")


class StoppedClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.time = datetime(2024, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def move(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Where a run puts its files."""
    (tmp_path / "made").mkdir()
    return tmp_path / "made"


@pytest.fixture
def cache(tmp_path: Path) -> LocalCache:
    return LocalCache(tmp_path / "cache")


def values(**literals: Any) -> LiteralMap:
    return build.literal_map({k: build.integer(v) if isinstance(v, int) else v for k, v in literals.items()})


def interface(kind: int = SimpleType.INTEGER, description: str = "") -> TypedInterface:
    types = TypedInterface()
    variable = Variable(type=LiteralType(simple=SimpleType.Name(kind)), description=description)
    types.inputs.variables["x"].CopyFrom(variable)
    types.outputs.variables["o0"].CopyFrom(variable)
    return types


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


# keys


def test_a_key_follows_task_version_types_and_inputs() -> None:
    base = key("m.t", ONE, interface(), values(x=1))
    assert base == key("m.t", ONE, interface(), values(x=1))
    others = [
        key("m.u", ONE, interface(), values(x=1)),
        key("m.t", CacheSettings("2"), interface(), values(x=1)),
        key("m.t", ONE, interface(SimpleType.FLOAT), values(x=1)),
        key("m.t", ONE, interface(), values(x=2)),
    ]
    assert len({base, *others}) == 5


def test_a_key_does_not_follow_descriptions_order_and_ignored_inputs() -> None:
    ignoring = CacheSettings("1", ignored_inputs=("y", "absent"))
    inputs = values(x=1, y=2)
    base = key("m.t", ignoring, interface(), inputs)
    assert base == key("m.t", ignoring, interface(description="new words"), values(y=3, x=1))
    assert sorted(inputs.literals) == ["x", "y"], "the caller's inputs stay"


def test_of_local_files_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1" / "a", "same"), write(tmp_path / "2" / "b", "same")

    def of(uri: str) -> str:
        union = build.union(build.collection([build.blob(uri)]), LiteralType())
        return key(
            "t", ONE, interface(), values(x=union, y=build.mapping({"k": build.dataset(uri, StructuredDatasetType())}))
        )

    base = of(one)
    assert base == of(two) == of(f"file://{two}")
    write(tmp_path / "1" / "a", "changed!")
    assert of(one) != base


def test_of_a_local_directory_all_files_count(tmp_path: Path) -> None:
    def of(name: str) -> str:
        return key("t", ONE, interface(), values(x=build.blob(str(tmp_path / name), multipart=True)))

    write(tmp_path / "1" / "sub" / "a", "x")
    write(tmp_path / "2" / "sub" / "a", "x")
    assert of("1") == of("2")
    (tmp_path / "2" / "sub" / "a").rename(tmp_path / "2" / "sub" / "b")
    assert of("1") != of("2")


def test_of_remote_and_absent_files_the_name_counts() -> None:
    def of(uri: str) -> str:
        return key("t", ONE, interface(), values(x=build.blob(uri)))

    assert len({of("s3://b/1"), of("s3://b/2"), of("/nowhere/1"), of("/nowhere/2")}) == 4


def test_inside_plain_data_names_that_the_run_made_mean_nothing(made: Path) -> None:
    def of(text: str) -> str:
        return key("t", ONE, interface(), values(x=packed({"f": [{"path": text}], "n": 1})), produced_below=str(made))

    assert of(write(made / "1", "same")) == of(write(made / "2", "same"))
    assert of(write(made / "3", "other")) != of(str(made / "1"))
    assert of("/etc/1") != of("/etc/2")


# entries


def test_what_was_put_is_got_again_by_another_process(cache: LocalCache) -> None:
    cache.put("k", "m.t", values(o0=5))
    assert cache.get("k") == values(o0=5)
    assert cache.get("other") is None
    program = (
        "import sys; from pathlib import Path; from alula.sdk.local_cache import LocalCache\n"
        "print(LocalCache(Path(sys.argv[1])).get('k').literals['o0'].scalar.primitive.integer)"
    )
    command = [sys.executable, "-c", program, str(cache.directory)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "5\n"


def test_empty_outputs_are_a_hit_too(cache: LocalCache) -> None:
    cache.put("k", "m.t", LiteralMap())
    assert cache.get("k") == LiteralMap()


def test_an_entry_is_replaced(cache: LocalCache) -> None:
    cache.put("k", "m.t", values(o0=5))
    cache.put("k", "m.t", values(o0=6))
    assert cache.get("k") == values(o0=6)


def test_files_that_the_run_made_are_kept_when_it_ends(cache: LocalCache, made: Path) -> None:
    write(made / "d" / "part", "in a directory")
    outputs = values(
        file=build.blob(write(made / "f.txt", "hello")),
        folder=build.collection([build.blob(str(made / "d"), multipart=True)]),
        plain=packed({"nested": [{"path": write(made / "p.txt", "packed")}], "n": 3}),
        remote=build.blob("s3://b/k"),
    )
    before = LiteralMap.FromString(outputs.SerializeToString())
    lasting = cache.put("k", "m.t", outputs, produced_below=str(made))
    assert outputs == before
    shutil.rmtree(made)
    found = cache.get("k")
    assert found == lasting
    assert found is not None
    assert Path(found.literals["file"].scalar.blob.uri).read_text() == "hello"
    assert Path(found.literals["file"].scalar.blob.uri).name == "f.txt"
    (folder,) = found.literals["folder"].collection.literals
    assert (Path(folder.scalar.blob.uri) / "part").read_text() == "in a directory"
    plain = unpacked(found.literals["plain"])
    assert Path(plain["nested"][0]["path"]).read_text() == "packed"
    assert plain["n"] == 3
    assert found.literals["remote"].scalar.blob.uri == "s3://b/k"


@pytest.mark.parametrize("what", ["removed", "changed"])
def test_an_entry_whose_files_are_not_what_they_were_is_a_miss(
    what: str, cache: LocalCache, tmp_path: Path, made: Path
) -> None:
    outside = Path(write(tmp_path / "mine.csv", "1"))
    outputs = values(a=build.blob(str(outside)), b=build.blob(write(made / "f", "1")))
    kept = cache.put("k", "m.t", outputs, produced_below=str(made))
    inside = Path(kept.literals["b"].scalar.blob.uri)
    assert kept.literals["a"].scalar.blob.uri == str(outside)
    for path in (outside, inside):
        assert cache.get("k") is not None
        text = path.read_text()
        times = path.stat()
        path.unlink()
        if what == "changed":
            path.write_text(text + "2")
        assert cache.get("k") is None
        path.write_text(text)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("uri", ["memory://x", "/nowhere/at/all"])
def test_outputs_that_nobody_else_will_find_are_not_kept(uri: str, cache: LocalCache, made: Path) -> None:
    outputs = values(a=build.blob(write(made / "f", "1")), b=build.blob(uri))
    assert cache.put("k", "m.t", outputs, produced_below=str(made)) == outputs
    assert cache.get("k") is None
    assert list((cache.directory / "blobs").rglob("f")) == []


def test_files_of_a_replaced_entry_go(cache: LocalCache, made: Path) -> None:
    for text in ("1", "2"):
        cache.put("k", "m.t", values(a=build.blob(write(made / "f", text))), produced_below=str(made))
    assert [path.read_text() for path in (cache.directory / "blobs").rglob("f")] == ["2"]


def test_beyond_the_limit_what_was_not_used_for_longest_goes(tmp_path: Path, made: Path) -> None:
    clock = StoppedClock()
    cache = LocalCache(tmp_path / "cache", clock=clock, limit_bytes=2500)

    def put(name: str) -> None:
        cache.put(name, "m.t", values(a=build.blob(write(made / name, "x" * 1000))), produced_below=str(made))
        clock.move(100)

    put("a")
    put("b")
    assert cache.get("a") is not None
    clock.move(100)
    put("c")
    assert [name for name in "abc" if cache.get(name) is not None] == ["a", "c"]
    assert sorted(path.name for path in (cache.directory / "blobs").rglob("?") if path.is_file()) == ["a", "c"]


def test_clear_forgets_everything(cache: LocalCache, made: Path) -> None:
    cache.put("k", "m.t", values(a=build.blob(write(made / "f", "1"))), produced_below=str(made))
    cache.clear()
    assert cache.get("k") is None
    assert not (cache.directory / "blobs").exists()
    cache.put("k", "m.t", values(o0=1))
    assert cache.get("k") == values(o0=1)


def test_a_broken_cache_is_a_miss_and_one_warning_until_it_is_cleared(
    cache: LocalCache, caplog: pytest.LogCaptureFixture
) -> None:
    write(cache.directory / "cache.sqlite", "no database at all, but text " * 100)
    assert cache.get("k") is None
    assert cache.put("k", "m.t", values(o0=1)) == values(o0=1)
    with cache.alone("k"):
        assert cache.get("k") is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "alula cache clear" in caplog.text
    cache.clear()
    cache.put("k", "m.t", values(o0=1))
    assert cache.get("k") == values(o0=1)


def test_a_cache_that_cannot_be_written_is_a_miss(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = LocalCache(Path(write(tmp_path / "file", "x")) / "cache")
    assert cache.get("k") is None
    cache.put("k", "m.t", values(o0=1))
    assert len(caplog.records) == 1


def test_damaged_outputs_are_a_miss(cache: LocalCache, caplog: pytest.LogCaptureFixture) -> None:
    cache.put("k", "m.t", values(o0=1))
    with cache._store._open() as db:
        db.execute("update entries set outputs = ?", [b"\xff\xff"])
    assert cache.get("k") is None
    assert "local_cache.broken" in caplog.text


def test_a_cache_of_another_format_is_emptied(cache: LocalCache) -> None:
    cache.put("k", "m.t", values(o0=1))
    with cache._store._open() as db:
        db.execute("pragma user_version = 99")
    assert LocalCache(cache.directory).get("k") is None


def test_threads_may_share_a_cache(cache: LocalCache) -> None:
    others = [cache, LocalCache(cache.directory)]
    errors: list[Exception] = []

    def work(n: int) -> None:
        try:
            for i in range(20):
                others[n % 2].put(f"k{i}", "m.t", values(o0=i))
                assert others[n % 2].get(f"k{i}") == values(o0=i)
        except Exception as exc:  # noqa: BLE001 - a thread's failure is the test's
            errors.append(exc)

    threads = [threading.Thread(target=work, args=[n]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


# one at a time


def test_only_one_at_a_time_holds_a_key_among_threads_and_processes(cache: LocalCache) -> None:
    caches = [cache, LocalCache(cache.directory)]  # two that share nothing but the files, as two processes do
    inside, most, made = [0], [0], [0]
    guard, start = threading.Lock(), threading.Barrier(6)

    def work(n: int) -> None:
        start.wait()
        mine = caches[n % 2]
        with mine.alone("k"):
            with guard:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            if mine.get("k") is None:
                made[0] += 1
                mine.put("k", "m.t", values(o0=1))
            with guard:
                inside[0] -= 1

    threads = [threading.Thread(target=work, args=[n]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, made) == ([1], [1])


def test_coroutines_wait_for_each_other_and_for_threads(cache: LocalCache) -> None:
    order: list[str] = []

    async def one(name: str) -> None:
        async with cache.alone_async("k"):
            order.append(f"{name} in")
            await asyncio.sleep(0)
            order.append(f"{name} out")

    async def both() -> None:
        await asyncio.gather(one("a"), one("b"))

    asyncio.run(both())
    assert order in (["a in", "a out", "b in", "b out"], ["b in", "b out", "a in", "a out"])
    with cache.alone("k"):
        pass


def test_different_keys_do_not_wait(cache: LocalCache) -> None:
    with cache.alone("a"), cache.alone("b"):
        pass


def test_a_key_is_free_again_after_an_error(cache: LocalCache) -> None:
    with pytest.raises(ZeroDivisionError), cache.alone("k"):
        _ = 1 / 0
    with LocalCache(cache.directory).alone("k"):
        pass


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_the_claim_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    store = CacheStore(tmp_path / "cache.sqlite", StoppedClock())
    assert store.claim("k", Claim("a", "here", dead_pid(), 0), 30) is None
    assert store.claim("k", Claim("b", "here", os.getpid(), 0), 30) is None
    standing = store.claim("k", Claim("c", "here", os.getpid(), 0), 30)
    assert standing is not None
    assert standing.owner == "b"


def test_a_claim_without_a_heartbeat_is_taken_over(tmp_path: Path) -> None:
    clock = StoppedClock()
    store = CacheStore(tmp_path / "cache.sqlite", clock)
    assert store.claim("k", Claim("a", "far away", 1, 0), 30) is None
    clock.move(25)
    store.beat(["a"])
    clock.move(25)
    assert store.claim("k", Claim("b", "here", os.getpid(), 0), 30) is not None
    clock.move(10)
    assert store.claim("k", Claim("b", "here", os.getpid(), 0), 30) is None
    store.release("a")
    assert store.claim("k", Claim("c", "here", os.getpid(), 0), 30) is not None, "releasing what is lost frees nothing"


# settings


def test_the_cache_lives_in_the_home_of_alula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA_HOME", str(tmp_path / "home"))
    assert room.local_cache().directory == tmp_path / "home" / "local-cache"
    assert room.local_cache() is room.local_cache()
    room.local_cache().put("k", "m.t", values(o0=1))
    room.clear()
    assert room.local_cache().get("k") is None
    monkeypatch.delenv("ALULA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert room.home() == tmp_path / ".alula"


def test_the_environment_switches_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENABLED", "OVERWRITE"):
        for prefix in ("FLYTE", "ALULA"):
            monkeypatch.delenv(f"{prefix}_LOCAL_CACHE_{name}", raising=False)
    assert (room.enabled(), room.overwrite()) == (True, False)
    monkeypatch.setenv("FLYTE_LOCAL_CACHE_ENABLED", "False")
    monkeypatch.setenv("FLYTE_LOCAL_CACHE_OVERWRITE", "1")
    assert (room.enabled(), room.overwrite()) == (False, True)
    monkeypatch.setenv("ALULA_LOCAL_CACHE_ENABLED", "yes")
    assert room.enabled(), "Alula's own name comes first"
    monkeypatch.setenv("ALULA_LOCAL_CACHE_ENABLED", "maybe")
    with pytest.raises(ConfigError, match="ALULA_LOCAL_CACHE_ENABLED='maybe'"):
        room.enabled()


def test_many_may_open_a_new_cache_at_the_same_moment(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def find(directory: Path, start: threading.Barrier) -> None:
        start.wait()
        LocalCache(directory).get("k")

    for n in range(30):
        start = threading.Barrier(6)
        threads = [threading.Thread(target=find, args=[tmp_path / str(n), start]) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not caplog.records
