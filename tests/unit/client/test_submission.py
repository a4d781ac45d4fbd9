from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from alula import File, task, workflow
from alula.client.submission import Submission, submission
from alula.data.stores import Objects
from alula.sdk.local import place_at

CONTENT = Path(tempfile.gettempdir()) / f"alula-constant-{os.getpid()}.txt"


@task
def size(f: File) -> int:
    return len(Path(f).read_text())


@task
def add(x: int, y: int) -> int:
    return x + y


@workflow
def with_file() -> int:
    return size(f=File(str(CONTENT)))


@workflow
def without() -> int:
    return add(x=1, y=2)


def submit(entity: object, prefix: Path) -> Submission:
    return submission(entity, project="p", domain="d", place=place_at(str(prefix), Objects()), module=__name__)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def constant() -> object:
    CONTENT.write_text("some words")
    yield
    CONTENT.unlink()


def test_the_same_program_with_the_same_files_says_the_same(tmp_path: Path) -> None:
    assert submit(with_file, tmp_path).specs == submit(with_file, tmp_path).specs
    [kept] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept.read_text() == "some words"


def test_other_files_are_another_version_and_leave_those_of_the_first(tmp_path: Path) -> None:
    before = submit(with_file, tmp_path)
    CONTENT.write_text("other words")
    after = submit(with_file, tmp_path)
    assert before.id.version != after.id.version
    kept = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(kept) == ["other words", "some words"]


def test_without_files_nothing_is_written(tmp_path: Path) -> None:
    assert submit(without, tmp_path).specs == submit(without, tmp_path).specs
    assert list(tmp_path.iterdir()) == []
