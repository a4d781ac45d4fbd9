"""M20, M21 and M24 with real worker processes: dynamic tasks and maps as users write them."""

from __future__ import annotations

from pathlib import Path

from alula.client.asynchronous import AsyncClient
from alula.config import Config
from tests.acceptance.engine import flows


async def test_m21_a_dynamic_task_runs_what_it_made(tmp_path: Path) -> None:
    config = Config(home=tmp_path / "home", data=str(tmp_path / "data"))
    async with AsyncClient(str(tmp_path / "alula.db"), config=config) as client:
        run = await client.run(flows.fanning, n=5)
        assert await run.outputs() == {"o0": 15}
        assert len(await run.nodes()) >= 7


async def test_m24_a_map_gives_each_element_its_item(tmp_path: Path) -> None:
    config = Config(home=tmp_path / "home", data=str(tmp_path / "data"))
    async with AsyncClient(str(tmp_path / "alula.db"), config=config) as client:
        run = await client.run(flows.mapping, xs=list(range(300)))
        assert await run.outputs() == {"o0": sum(range(1, 301))}
        empty = await client.run(flows.mapping, xs=[])
        assert await empty.outputs() == {"o0": 0}
