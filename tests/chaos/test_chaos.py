"""The short form of `make chaos`: a few kills on each database, and each fourth of the labelled points."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.chaos import jobs, schedules
from tests.chaos.arena import Arena
from tests.chaos.cycles import WORKERS, again, labels, storm

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "arena"
    path.mkdir()
    return path


def test_an_engine_on_sqlite_is_killed_at_random_moments(home: Path) -> None:
    assert asyncio.run(storm(Arena(home), 5, 1, random.Random(1))) == []


def test_replicas_on_postgres_are_killed_at_random_moments(home: Path, postgres_url: str) -> None:
    assert asyncio.run(storm(Arena(home, postgres_url), 6, 2, random.Random(2))) == []


def test_a_command_line_is_killed_and_begun_again(home: Path) -> None:
    faults, kills = asyncio.run(again(Arena(home), 2, random.Random(3)))
    assert (faults, kills > 0) == ([], True)


def test_no_job_is_left_or_made_twice_when_a_run_kills_itself_around_a_call_to_a_cloud(home: Path) -> None:
    assert jobs.runs(Arena(home), ("call.create.before", "call.create.after", "call.delete.before")) == []


def test_no_job_is_left_when_an_engine_kills_itself_while_somebody_aborts(home: Path) -> None:
    assert asyncio.run(jobs.aborts(Arena(home), ("call.find.after", "call.delete.before"))) == []


def test_an_engine_kills_itself_at_labelled_points(home: Path) -> None:
    assert asyncio.run(labels(Arena(home), WORKERS[::4])) == []


def test_replicas_that_make_up_for_starts_are_killed_and_make_each_once(home: Path, postgres_url: str) -> None:
    assert asyncio.run(schedules.missed(Arena(home, postgres_url), 3, random.Random(5))) == []
