"""What goes wrong with a file: each gets its error, and nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import resource
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from alula.config import Durability
from alula.errors import ConfigError, StoreDamaged, StoreUnavailable, Unstorable
from alula.store import writer
from alula.store.opening import open_store
from alula.store.records import Claim
from alula.store.store import Store
from tests.conftest import needs
from tests.integration.store.rows import LONG, claimed, new, paths, step

SHORT = timedelta(milliseconds=50)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "store.db"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        needs("a disk that can be filled", "run as root, where file systems may be mounted")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


# Opening


async def test_the_same_file_has_the_same_store(file: Path) -> None:
    for url in (str(file), f"sqlite:///{file}", f"sqlite:////{str(file)[1:]}"):
        store = open_store(url)
        await store.create(new("x"))
        assert len(await store.executions()) == 1
        await store.aclose()


async def test_a_text_that_is_none_is_the_fault_of_who_gave_it(file: Path) -> None:
    """As the shell hands on a byte that is no UTF-8."""
    store = open_store(str(file))
    for call in (store.entity("task", "p", "d", "a\udcffb", "v1"), store.set_knob("a", "\udcff")):
        with pytest.raises(Unstorable, match="UTF-8"):
            await call
    await store.aclose()


@pytest.mark.parametrize(
    "url", ["", ":memory:", "mysql://host/db", "sqlite://host/x", "sqlite:///x?mode=ro", "http://x"]
)
def test_other_urls_are_refused_with_those_that_there_are(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(url)
    assert caught.value.fix


@pytest.mark.parametrize(
    "content", [b"this is a text, and a long one" * 99, bytes(range(256)) * 64], ids=["text", "any"]
)
def test_a_file_that_is_no_database_is_damaged(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(StoreDamaged) as caught:
        open_store(str(file))
    assert str(file) in caught.value.where
    assert file.read_bytes() == content


def test_a_database_of_somebody_else_is_left_alone(file: Path) -> None:
    file.parent.mkdir()
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE invoices (id INTEGER)")
    with pytest.raises(StoreDamaged, match="invoices"):
        open_store(str(file))
    with sqlite3.connect(file) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("invoices",)]


async def test_a_database_of_a_newer_version_is_left_alone(file: Path) -> None:
    await open_store(str(file)).aclose()
    with sqlite3.connect(file) as newer:
        newer.execute("UPDATE alula_version SET version_num = '9999'")
    with pytest.raises(StoreDamaged, match="9999") as caught:
        open_store(str(file))
    assert "upgrade Alula" in caught.value.fix


@pytest.mark.parametrize("place", ["/proc/store.db", "/proc/deep/store.db", "/dev/null/store.db"])
def test_a_place_where_nothing_can_be_written_is_named(place: str) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        open_store(place)
    assert place.rpartition("/")[0] in caught.value.where
    assert caught.value.fix


@pytest.mark.parametrize("made", [False, True], ids=["new", "made"])
async def test_a_file_that_is_locked_while_it_is_opened_is_said_to_be(file: Path, made: bool) -> None:
    if made:
        await open_store(str(file)).aclose()
    file.parent.mkdir(exist_ok=True)
    locker = sqlite3.connect(file, isolation_level=None)
    locker.execute("PRAGMA locking_mode = EXCLUSIVE")
    locker.execute("BEGIN EXCLUSIVE")
    locker.execute("PRAGMA user_version = 1")
    with pytest.raises(StoreUnavailable, match="locked"):
        open_store(str(file), busy_timeout=SHORT)
    locker.execute("ROLLBACK")
    locker.close()
    await open_store(str(file)).aclose()


async def test_several_may_make_the_same_file_at_once(file: Path) -> None:
    stores = await asyncio.gather(*(asyncio.to_thread(open_store, str(file)) for _ in range(8)))
    for i, store in enumerate(stores):
        await store.create(new(str(i)))
    assert len(await stores[0].executions()) == 8
    for store in stores:
        await store.aclose()


# While it is open


async def test_a_lock_is_waited_for_and_named_if_it_stays(file: Path) -> None:
    store = open_store(str(file), busy_timeout=SHORT)
    claim = await claimed(store)
    locker = sqlite3.connect(file, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    tries = [store.commit(claim, step("lost")), store.beat("a", lease=LONG)]
    for result in await asyncio.gather(*tries, return_exceptions=True):
        assert isinstance(result, StoreUnavailable)
        assert "locked" in result.what
        assert str(file) in result.where
    assert await paths(store, claim.execution) == []  # whoever reads does not wait
    locker.execute("COMMIT")
    await store.commit(claim, step("kept"))
    assert await paths(store, claim.execution) == ["kept"]
    await store.aclose()


async def test_a_short_lock_is_not_noticed(file: Path) -> None:
    store = open_store(str(file))
    claim = await claimed(store)
    locker = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    locker.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.05, locker.execute, "COMMIT")
    await store.commit(claim, step("n0"))
    assert await paths(store, claim.execution) == ["n0"]
    await store.aclose()


@pytest.mark.parametrize("durability", list(Durability))
async def test_a_full_disk_loses_nothing_and_the_store_goes_on_when_there_is_room(
    small_disk: Path, durability: Durability
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(1_500_000))
    store = open_store(str(small_disk / "store.db"), durability=durability)
    claim = await claimed(store)
    kept, error = await fill(store, claim)
    assert error is not None
    assert "full" in error.what
    assert await paths(store, claim.execution) == kept
    filler.unlink()
    await store.commit(claim, step("z"))
    await store.aclose()
    again = open_store(str(small_disk / "store.db"))
    assert await paths(again, claim.execution) == [*kept, "z"]
    await again.aclose()


@pytest.fixture
def quota() -> Iterator[Callable[[int | None], None]]:
    """Limits the size of the files that this process writes, as a quota does; None: no more."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (before if size is None else size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))


async def test_a_quota_loses_nothing_and_the_store_goes_on_when_it_is_lifted(
    file: Path, quota: Callable[[int | None], None]
) -> None:
    store = open_store(str(file))
    claim = await claimed(store)
    quota(400_000)
    kept, error = await fill(store, claim)
    quota(None)
    assert error is not None
    assert str(file) in error.where
    assert await paths(store, claim.execution) == kept
    await store.commit(claim, step("z"))
    await store.aclose()
    again = open_store(str(file))
    assert await paths(again, claim.execution) == [*kept, "z"]
    await again.aclose()


async def fill(store: Store, claim: Claim) -> tuple[list[str], StoreUnavailable | None]:
    """Write until the disk is full: what was acknowledged, and the error."""
    kept: list[str] = []
    for count in range(1_000):
        try:
            await store.commit(claim, step(f"n{count:04}", bytes(10_000)))
        except StoreUnavailable as exc:
            return kept, exc
        kept.append(f"n{count:04}")
    return kept, None


async def test_pages_that_are_damaged_are_said_to_be(file: Path) -> None:
    store = open_store(str(file))
    claim = await claimed(store)
    await store.commit(claim, step("n0", bytes(100_000)))
    await store.aclose()
    size = file.stat().st_size
    with file.open("r+b") as raw:
        raw.seek(4096)
        raw.write(b"\xff" * (size - 4096))
    with pytest.raises(StoreDamaged) as caught:
        open_store(str(file))
    assert ".recover" in caught.value.fix


async def test_damage_that_comes_while_it_is_open_is_met_by_whoever_looks_there(file: Path) -> None:
    store = open_store(str(file))
    claim = await claimed(store)
    await store.commit(claim, step("n0", bytes(100_000)))
    await store.aclose()
    damage(file, "nodes")
    broken = open_store(str(file))
    assert (await broken.execution_by_id(claim.execution)).open
    with pytest.raises(StoreDamaged) as caught:
        await broken.nodes(claim.execution)
    assert ".recover" in caught.value.fix
    with pytest.raises(StoreDamaged):
        await broken.commit(claim, step("n1"))
    await broken.beat("a", lease=LONG)  # what lies elsewhere is still of use
    await broken.aclose()


def damage(file: Path, table: str) -> None:
    """Overwrite the first page of a table."""
    with sqlite3.connect(file) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    database.close()
    with file.open("r+b") as raw:
        raw.seek((page - 1) * size)
        raw.write(b"\xff" * size)


async def test_what_no_database_takes_harms_nobody_else(file: Path) -> None:
    store = open_store(str(file))
    one, other = await claimed(store, "one"), await claimed(store, "other")
    tries = [store.commit(one, step("n0")), store.commit(one, step("half \udc80")), store.commit(other, step("n0"))]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert results[::2] == [None, None]
    assert isinstance(results[1], Unstorable)
    assert await paths(store, one.execution) == await paths(store, other.execution) == ["n0"]
    await store.aclose()


async def test_a_closed_store_says_so(file: Path) -> None:
    store = open_store(str(file))
    claim = await claimed(store)
    await store.aclose()
    await store.aclose()
    for call in (store.commit(claim, step("n0")), store.executions(), store.beat("a", lease=LONG)):
        with pytest.raises(StoreUnavailable, match="closed"):
            await call


async def test_what_was_begun_is_finished_before_a_store_is_closed(file: Path) -> None:
    store = open_store(str(file))
    claim = await claimed(store)
    async with asyncio.TaskGroup() as group:
        for i in range(50):
            group.create_task(store.commit(claim, step(f"n{i:02}")))
        await asyncio.sleep(0)
        await store.aclose()
    again = open_store(str(file))
    assert len(await paths(again, claim.execution)) == 50
    await again.aclose()
    assert [one.name for one in file.parent.iterdir()] == [file.name]


async def test_news_of_others_is_heard_right_after_a_commit_of_ones_own(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(sqlite3.Connection):
        """Comes back late from a commit, when all others can see it."""

        late = 0.0

        def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
            done = super().execute(sql, *given)
            if sql == "COMMIT":
                time.sleep(self.late)
            return done

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Slow))
    ours, other = open_store(str(file)), open_store(str(file))
    heard = asyncio.Event()
    with ours.watch(lambda executions: None if executions else heard.set()):
        async with asyncio.timeout(10):
            await heard.wait()  # it looks for the first time
            Slow.late = 0.3  # in which it looks again
            await ours.create(new("x"))
            Slow.late = 0.0
            heard.clear()
            await other.create(new("y"))
            await heard.wait()
    await ours.aclose()
    await other.aclose()


async def test_no_memory_in_the_middle_of_a_commit_loses_no_answer(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(file), durability=Durability.RELAXED)
    claim = await claimed(store)
    for n in range(30):  # so that it is seen to be quick, and written to on the loop
        await store.commit(claim, step(n))
    real, left = writer.write, 1

    def short(*given: Any, **more: Any) -> Any:
        nonlocal left
        if left and threading.current_thread() is threading.main_thread():
            left = 0
            raise MemoryError  # what sqlite3 makes of SQLITE_NOMEM
        return real(*given, **more)

    monkeypatch.setattr(writer, "write", short)
    async with asyncio.timeout(10):
        await asyncio.gather(*(store.commit(claim, step(n)) for n in range(3)))
    assert len(await paths(store, claim.execution)) == 30
    await store.aclose()


# The log beside the file


async def test_a_log_that_was_made_longer_is_read_to_its_last_commit(file: Path, tmp_path: Path) -> None:
    store = open_store(str(file), durability=Durability.FULL)
    claim = await claimed(store)
    for nth in range(70):
        await store.commit(claim, step(nth))
    log = file.with_name(f"{file.name}-wal")
    assert log.stat().st_size == 32 + 1000 * (4096 + 24)
    crashed = tmp_path / "crashed" / file.name
    crashed.parent.mkdir()
    for one in (file, log):
        shutil.copy(one, crashed.with_name(one.name))
    await store.aclose()
    found = open_store(str(crashed))
    assert sorted(map(int, await paths(found, claim.execution))) == list(range(70))
    await found.aclose()


async def test_a_small_disk_is_not_filled_for_the_sake_of_speed(small_disk: Path) -> None:
    store = open_store(str(small_disk / "store.db"), durability=Durability.FULL)
    claim = await claimed(store)
    for nth in range(70):
        await store.commit(claim, step(nth))
    assert (small_disk / "store.db-wal").stat().st_size < 2_000_000
    await store.aclose()
