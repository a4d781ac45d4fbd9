"""Whether the loop of an engine stays awake for the answers of its workers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from alula._kits import loops
from alula._kits.clock import SystemClock
from tests.integration.workers import programs
from tests.integration.workers.bench import bench


class Paced(SystemClock):
    """Goes on by so many seconds whenever it is looked at."""

    def __init__(self, step: float) -> None:
        self.step, self.at = step, 0.0

    def monotonic(self) -> float:
        self.at += self.step
        return self.at


@pytest.fixture
def expected(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(loops.Loop, "expect", lambda loop, seconds: found.append(seconds))
    monkeypatch.setattr("alula.backends.pool.pool.processors", lambda: 2)
    return found


@pytest.mark.parametrize(("step", "times"), [(0.0, 2), (0.01, 0)])
def test_it_does_once_answers_come_at_once(tmp_path: Path, expected: list[float], step: float, times: int) -> None:
    async def work() -> None:
        async with bench(tmp_path, clock=Paced(step)) as here:
            for _ in range(3):
                assert await here.run(programs.add, a=1).value() == 3

    loops.run(work())
    assert len(expected) == times
    assert all(0 < one < 0.01 for one in expected)


def test_it_does_not_while_workers_have_all_processors(tmp_path: Path, expected: list[float]) -> None:
    async def work() -> None:
        async with bench(tmp_path, clock=Paced(0.0)) as here:
            assert await here.run(programs.add, a=1).value() == 3
            long = here.run(programs.wait_for, path=str(tmp_path / "go on"))
            assert len(expected) == 1
            assert await here.run(programs.add, a=1).value() == 3
            (tmp_path / "go on").touch()
            await long.value()

    loops.run(work())
    assert len(expected) == 1


def test_any_loop_will_do(tmp_path: Path) -> None:
    async def work() -> None:
        async with bench(tmp_path, clock=Paced(0.0)) as here:
            for _ in range(3):
                assert await here.run(programs.add, a=1).value() == 3

    asyncio.run(work())
