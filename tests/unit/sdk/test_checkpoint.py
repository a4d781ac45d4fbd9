from __future__ import annotations

import io
from pathlib import Path

import pytest

from alula.errors import CallError, DataError, ObjectNotFound
from alula.sdk.checkpoint import Checkpoint, SyncCheckpoint


def test_bytes_are_read_by_the_next_attempt(tmp_path: Path) -> None:
    first = SyncCheckpoint(str(tmp_path / "1"))
    assert (first.prev_exists(), first.read(), first.restore(), first.latest) == (False, None, None, "")
    first.write(b"one")
    first.write(b"two")
    second = SyncCheckpoint(str(tmp_path / "2"), first.latest)
    assert second.prev_exists()
    assert second.read() == b"two"
    assert second.read() == b"two"
    assert second.latest == first.latest, "it has saved nothing yet"


def test_a_file_keeps_its_name_and_a_directory_its_files(tmp_path: Path) -> None:
    (tmp_path / "model" / "layers").mkdir(parents=True)
    (tmp_path / "model" / "layers" / "0").write_text("w")
    (tmp_path / "state.json").write_text("{}")
    first = SyncCheckpoint(str(tmp_path / "1"))
    first.save(tmp_path / "model")
    first.save(str(tmp_path / "state.json"))
    restored = SyncCheckpoint("", first.latest).restore(tmp_path / "here")
    assert restored == tmp_path / "here"
    assert (restored / "layers" / "0").read_text() == "w"
    assert (restored / "state.json").read_text() == "{}"


def test_an_open_file_is_saved(tmp_path: Path) -> None:
    first = SyncCheckpoint(str(tmp_path / "1"))
    with io.BytesIO(b"stream") as stream:
        first.save(stream)
    assert SyncCheckpoint("", first.latest).read() == b"stream"


def test_what_is_restored_once_is_not_fetched_again(tmp_path: Path) -> None:
    first = SyncCheckpoint(str(tmp_path / "1"))
    first.write(b"x")
    second = SyncCheckpoint("", first.latest)
    restored = second.restore(str(tmp_path / "here"))
    assert second.restore(tmp_path / "there") == restored
    assert not (tmp_path / "there").exists()


def test_it_works_in_any_store() -> None:
    first = SyncCheckpoint("memory://checkpoints/1/")
    first.write(b"x")
    assert first.latest == "memory://checkpoints/1"
    assert SyncCheckpoint("memory://checkpoints/2", "memory://checkpoints/1/").read() == b"x"


def test_several_files_are_not_one(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name)
    first = SyncCheckpoint(str(tmp_path / "1"))
    first.save(tmp_path / "a")
    first.save(tmp_path / "b")
    with pytest.raises(DataError, match="2 files, not one: a, b"):
        SyncCheckpoint("", first.latest).read()


def test_a_file_is_no_place_to_restore_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CallError, match="is a file"):
        SyncCheckpoint("", str(tmp_path)).restore(tmp_path / "file")


@pytest.mark.parametrize("source", ["memory://nothing/here", "/nowhere/at/all"])
def test_an_attempt_that_saved_nothing_leaves_nothing(source: str, tmp_path: Path) -> None:
    checkpoint = SyncCheckpoint(str(tmp_path), source)
    assert checkpoint.prev_exists()
    assert checkpoint.restore() is None
    assert checkpoint.read() is None


def test_what_is_neither_path_nor_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="got bytes") as caught:
        SyncCheckpoint(str(tmp_path)).save(b"x")  # type: ignore[arg-type]
    assert "write" in caught.value.fix


def test_saving_what_is_not_there_fails_and_saves_nothing(tmp_path: Path) -> None:
    first = SyncCheckpoint(str(tmp_path / "1"))
    with pytest.raises(ObjectNotFound):
        first.save(tmp_path / "absent")
    assert first.latest == ""


def test_a_checkpoint_is_what_tasks_are_promised() -> None:
    assert issubclass(SyncCheckpoint, Checkpoint)
