"""M8 and M9 with real worker processes: what becomes of errors, deaths and outputs of a user's task."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from alula.admin.options import Options
from alula.client.asynchronous import AsyncClient
from alula.config import Config
from tests.acceptance.engine import flows


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = Config(home=tmp_path / "home", data=str(tmp_path / "data"))
    return replace(made, store=replace(made.store, url=str(tmp_path / "alula.db")))


async def attempts(config: Config, how: str, **options: int) -> AsyncIterator[tuple[str, str]]:
    """Code and kind of each attempt's failure."""
    async with AsyncClient(config=config) as client:
        given = Options(system_retries=2, **options)  # type: ignore[arg-type]
        run = await client.run(flows.breaking, how=how, options=given)
        assert run.phase == "failed"
        for attempt in await run.attempts():
            assert attempt.failure is not None
            assert not attempt.open
            yield attempt.failure.code, attempt.failure.kind


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("raises", [("USER:ValueError", "user")] * 2),
        ("recoverable", [("USER:Recoverable", "user")] * 2),
        ("final", [("USER:Never", "user")]),
        ("system", [("SYSTEM:Disk", "system")] * 3),
    ],
)
async def test_m09_what_a_task_raises_decides_on_its_retries(
    config: Config, how: str, expected: list[tuple[str, str]]
) -> None:
    assert [one async for one in attempts(config, how)] == expected


async def test_m09_without_retries_there_is_one_attempt(config: Config) -> None:
    async with AsyncClient(config=config) as client:
        run = await client.run(flows.breaking_at_once)
        assert [one.number for one in await run.attempts()] == [0]


@pytest.mark.parametrize("how", ["exits", "killed"])
async def test_m08_a_task_whose_process_dies_fails_and_says_how(config: Config, how: str) -> None:
    found = [one async for one in attempts(config, how)]
    assert len(found) >= 1
    assert len({code for code, _ in found}) == 1
    assert all(code for code, _ in found)


async def test_m08_outputs_of_another_type_fail_and_are_named(config: Config) -> None:
    async with AsyncClient(config=config) as client:
        run = await client.run(flows.breaking, how="wrong type")
        assert run.phase == "failed"
        [first, *_] = await run.attempts()
        assert first.failure is not None
        assert "seven" in first.failure.message or "int" in first.failure.message
