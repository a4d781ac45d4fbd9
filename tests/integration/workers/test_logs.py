"""What tasks print: kept per attempt, in order, in bounds, and readable while it grows."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import boto3
import pytest

from alula._kits.records import replace
from alula.data.stores import Objects
from alula.plugin.runner import AttemptId
from tests.integration.workers import programs
from tests.integration.workers.bench import bench, until


async def test_everything_that_is_printed_is_in_the_log_in_order(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        watched = here.run(programs.prints)
        await watched.end()
        assert watched.log.read_bytes() == (
            b"first, to stdout\nsecond, to stderr\nthird, to the descriptor\nfourth, by a subprocess\n"
            b"not UTF-8: \xff\xfe\nno newline at the end"
        )


async def test_c_code_prints_to_the_log_too(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        watched = here.run(programs.prints_in_c)
        await watched.end()
        assert watched.log.read_text() == "from C\n"


async def test_a_silent_attempt_leaves_no_log(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        watched = here.run(programs.add, a=1)
        await watched.end()
        assert not watched.log.exists()
        assert not watched.log.parent.exists()


async def test_each_attempt_has_its_own_log(tmp_path: Path) -> None:
    async with bench(tmp_path, cpus=1) as here:
        watched = [here.run(programs.chatters, lines=n) for n in (1, 2, 0, 3)]
        for one in watched:
            await one.end()
        counts = [len(one.log.read_text().splitlines()) if one.log.exists() else 0 for one in watched]
        assert counts == [1, 2, 0, 3]


async def test_a_log_can_be_read_while_it_grows(tmp_path: Path) -> None:
    told: list[tuple[AttemptId, bytes]] = []
    async with bench(tmp_path, tail=lambda id, piece: told.append((id, piece))) as here:
        go_on = tmp_path / "go on"
        watched = here.run(programs.prints_and_waits, path=str(go_on))
        await until(watched.log.exists)
        assert watched.log.read_text() == "before\n"
        await until(lambda: told)
        assert told == [(watched.job.id, b"before\n")]
        go_on.touch()
        await watched.end()
        assert watched.log.read_text() == "before\nafter\n"
        assert b"".join(piece for _, piece in told) == b"before\nafter\n"
        again = here.run(programs.prints)
        await again.end()
        assert watched.log.read_text() == "before\nafter\n"
        assert again.log.read_bytes().startswith(b"first")


async def test_who_follows_hears_the_last_words_too(tmp_path: Path) -> None:
    told: list[bytes] = []
    async with bench(tmp_path, tail=lambda id, piece: told.append(piece)) as here:
        for task, said in ((programs.dies_printing, b"last words\n"), (programs.prints_in_c, b"from C\n")):
            await here.run(task).end()
            assert b"".join(told) == said
            told.clear()
        watched = here.run(programs.prints_and_waits, path=str(tmp_path / "never"))
        await until(lambda: told)
        await here.close(watched)
        assert b"".join(told) == b"before\n"


async def test_of_a_long_log_the_middle_is_left_out(tmp_path: Path) -> None:
    async with bench(tmp_path, log_limit_bytes=10_000) as here:
        watched = here.run(programs.chatters, lines=5000)
        await watched.end()
        lines = watched.log.read_text().splitlines()
        assert watched.log.stat().st_size < 10_200
        assert lines[0].startswith("line 0 ")
        assert lines[-1].startswith("line 4999 ")
        assert sum("bytes of output are left out here: the limit is 10000" in line for line in lines) == 1


async def test_a_chatty_task_keeps_no_loop_busy_and_no_disk_full(tmp_path: Path) -> None:
    async with bench(tmp_path, log_limit_bytes=100_000, tail=lambda id, piece: None) as here:
        loop = asyncio.get_running_loop()
        worst = 0.0
        watched = here.run(programs.floods, path=str(tmp_path / "go on"))
        await until(watched.log.exists)
        begun = loop.time()
        while loop.time() < begun + 1:
            before = loop.time()
            await asyncio.sleep(0)
            worst = max(worst, loop.time() - before)
        assert watched.log.stat().st_blocks * 512 < 400_000_000
        (tmp_path / "go on").touch()
        await watched.end()
        assert worst < 0.5
        assert watched.log.stat().st_size < 101_000


async def test_closed_and_replaced_descriptors_are_there_again_for_the_next_attempt(tmp_path: Path) -> None:
    async with bench(tmp_path, cpus=1) as here:
        first = here.run(programs.closes_output)
        await first.end()
        assert first.log.read_text() == "before\n"
        await here.run(programs.replaces_output).end()
        second = here.run(programs.prints)
        await second.end()
        assert second.log.read_bytes().startswith(b"first, to stdout\nsecond, to stderr\nthird")


async def test_a_thread_that_prints_after_the_end_prints_into_no_log(tmp_path: Path) -> None:
    async with bench(tmp_path, cpus=1) as here:
        go_on = tmp_path / "go on"
        first = here.run(programs.prints_late, path=str(go_on))
        await first.end()
        go_on.touch()
        second = here.run(programs.prints)
        await second.end()
        assert not first.log.exists()
        assert b"late" not in second.log.read_bytes()


async def test_a_crash_keeps_what_was_printed_and_says_where_it_was(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        watched = here.run(programs.ends, how="segfault")
        await watched.failure()
        text = watched.log.read_text()
        assert text.startswith("about to crash\n")
        assert "in ends" in text


async def test_a_stopped_attempt_keeps_its_log(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        watched = here.run(programs.prints_and_waits, path=str(tmp_path / "never"))
        await until(watched.log.exists)
        assert await here.close(watched) == ""
        assert watched.log.read_text().startswith("before\n")
        assert os.listdir(watched.log.parent) == ["log.txt"]


async def test_a_remote_prefix_gets_its_log_at_the_end(
    tmp_path: Path, s3_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": s3_address,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3", endpoint_url=s3_address, region_name="us-east-1").create_bucket(Bucket="logs")
    store = Objects()
    async with bench(tmp_path, objects=store) as here:
        for how, expected in ((programs.prints, b"first, to stdout\n"), (programs.dies_printing, b"last words\n")):
            job = here.job(how)
            job = replace(job, prefix=f"s3://logs/{job.id.path}/0")
            await here.start(job).end()
            assert (await store.read(f"s3://logs/{job.id.path}/0/log.txt")).startswith(expected)
