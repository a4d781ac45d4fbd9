"""Logs: from where they grow to where they belong, and short enough."""

from __future__ import annotations

import os
import resource
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.data import spool
from alula.errors import DataError


@pytest.fixture
def growing(tmp_path: Path) -> Path:
    path = tmp_path / "spool" / "log"
    path.parent.mkdir()
    path.write_bytes(b"first\n")
    return path


def test_a_log_moves_to_its_place(tmp_path: Path, growing: Path) -> None:
    place = tmp_path / "n0" / "0" / "log.txt"
    spool.publish(str(growing), place, 1000)
    assert place.read_bytes() == b"first\n"
    assert not growing.exists()
    spool.publish(str(growing), place, 1000)
    assert place.read_bytes() == b"first\n"


def test_of_an_empty_log_nothing_is_made(tmp_path: Path, growing: Path) -> None:
    growing.write_bytes(b"")
    spool.publish(str(growing), tmp_path / "n0" / "log.txt", 1000)
    assert not growing.exists()
    assert not (tmp_path / "n0").exists()


def test_a_log_that_is_shown_grows_at_its_place_and_is_let_go_when_published(tmp_path: Path, growing: Path) -> None:
    place = tmp_path / "n0" / "log.txt"
    spool.show(str(growing), place)
    spool.show(str(growing), place)
    with growing.open("ab") as file:
        file.write(b"second\n")
    assert place.read_bytes() == b"first\nsecond\n"
    spool.publish(str(growing), place, 1000)
    growing.write_bytes(b"of another attempt\n")
    assert place.read_bytes() == b"first\nsecond\n"


def test_a_log_is_shown_across_file_systems(tmp_path: Path, growing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "n0" / "log.txt"

    def elsewhere(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", elsewhere)
        spool.show(str(growing), place)
    assert place.read_bytes() == b"first\n"
    spool.publish(str(growing), place, 1000)
    assert not place.is_symlink()
    assert place.read_bytes() == b"first\n"


def test_content_is_shortened_too(growing: Path) -> None:
    assert spool.content(str(growing), 1000) == b"first\n"
    growing.write_bytes(b"line\n" * 1000)
    assert len(spool.content(str(growing), 100)) < 200
    growing.unlink()
    assert spool.content(str(growing), 1000) == b""


def test_a_log_that_cannot_be_kept_is_said(tmp_path: Path, growing: Path) -> None:
    (tmp_path / "n0").write_text("a file where a directory should be")
    with pytest.raises(DataError):
        spool.publish(str(growing), tmp_path / "n0" / "log.txt", 1000)


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no second file system")
def test_a_log_that_does_not_fit_leaves_no_part_of_itself_on_the_disk(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        growing = Path(directory, "log")
        growing.write_bytes(b"x" * 100_000)
        if growing.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("no second file system")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        try:
            with pytest.raises(DataError, match="File too large"):
                spool.publish(str(growing), tmp_path / "n0" / "log.txt", 1_000_000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert list((tmp_path / "n0").iterdir()) == []
        spool.publish(str(growing), tmp_path / "n0" / "log.txt", 1_000_000)
    assert (tmp_path / "n0" / "log.txt").stat().st_size == 100_000


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b" ")), min_size=1), st.integers(10, 400))
def test_a_short_log_has_the_beginning_and_the_end_of_the_long_one(lines: list[bytes], limit: int) -> None:
    data = b"\n".join(lines)
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "log").write_bytes(data)
        found = spool.content(f"{directory}/log", limit)
    if len(data) <= limit:
        assert found == data
    else:
        head, _, rest = found.partition(b"\n... ")
        count, _, tail = rest.partition(b" bytes of output are left out here")
        tail = tail.partition(b" ...\n")[2]
        assert data.startswith(head)
        assert data.endswith(tail)
        assert len(head) + len(tail) + int(count) == len(data)
        assert len(head) + len(tail) <= limit


def test_the_middle_of_a_growing_log_takes_no_disk(growing: Path) -> None:
    growing.write_bytes(b"begin" + b"x" * 4_000_000 + b"end")
    spool.thin(str(growing), 100_000)
    with growing.open("rb") as file:
        assert file.read(5) == b"begin"
        file.seek(-3, os.SEEK_END)
        assert file.read() == b"end"
    assert growing.stat().st_size == 4_000_008
    assert growing.stat().st_blocks * 512 < 300_000
    spool.thin(str(growing) + ".gone", 100_000)
