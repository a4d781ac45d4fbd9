"""M47: wide and deep executions end, and a step costs the same whatever the size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from alula.admin.desk import Desk
from alula.data.stores import Objects
from alula.engine.state import Settings
from alula.idl import CompiledWorkflowClosure
from alula.store.opening import open_store
from alula.store.records import Changes, Claim
from tests.acceptance.engine.scene import scene
from tests.unit.admin import office
from tests.unit.compiler.build import ref
from tests.unit.engine.build import made, step
from tests.unit.engine.drive import FakeRunner, create, ended, result, virtual
from tests.unit.engine.test_driver import chain
from tests.unit.engine.test_nodes import mapped
from tests.unit.idl.build import INT


class Scale:
    """A store that weighs what is written."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.bytes = self.rows = self.commits = self.most = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit(self, claim: Claim, changes: Changes) -> None:
        rows: Sequence[Any] = [*changes.nodes, *changes.attempts]
        self.commits += 1
        self.rows += len(rows)
        self.bytes += sum(len(row.path) + len(row.body) for row in rows)
        self.most = max(self.most, len(rows))
        await self.store.commit(claim, changes)


def fan(size: int) -> CompiledWorkflowClosure:
    wide = [step(f"w{nth:05}", "n0") for nth in range(size)]
    return made([step("n0"), *wide, step("end", *(node.id for node in wide))])


def deep(size: int) -> CompiledWorkflowClosure:
    nodes = [step("n00000"), *(step(f"n{nth:05}", f"n{nth - 1:05}") for nth in range(1, size))]
    return made(nodes, outputs={"o0": (INT, ref(f"n{size - 1:05}", "o0"))})


def weighed(closure: CompiledWorkflowClosure, size: int, settings: Settings | None = None) -> tuple[float, float, int]:
    """Bytes and rows that were written for each node, and the most rows of one commit."""
    found: list[Any] = []

    @virtual
    async def test() -> None:
        async with scene(store=Scale) as s:
            record = await s.run(closure, settings=settings)
            assert record.phase == "succeeded"
            assert len(s.runner.started) >= size
            found.append(s.store)

    test()
    [scale] = found
    return scale.bytes / size, scale.rows / size, scale.most


def test_m47_a_fan_out_of_ten_thousand_ends_and_a_node_costs_what_it_costs_in_a_small_one() -> None:
    wide = Settings(max_parallelism=0)
    small, large = weighed(fan(100), 100, wide), weighed(fan(10_000), 10_000, wide)
    assert abs(large[0] / small[0] - 1) < 0.2
    assert abs(large[1] / small[1] - 1) < 0.2
    assert large[2] <= 5_000


def test_m47_a_chain_of_a_thousand_ends_and_a_step_costs_what_it_costs_in_a_short_one() -> None:
    small, large = weighed(deep(100), 100), weighed(deep(1_000), 1_000)
    assert abs(large[0] / small[0] - 1) < 0.2
    assert large[2] <= 8


def test_m47_an_array_of_ten_thousand_ends_and_an_element_costs_the_same() -> None:
    small, large = weighed(made(mapped(100)), 100), weighed(made(mapped(10_000)), 10_000)
    assert abs(large[0] / small[0] - 1) < 0.2


@pytest.mark.parametrize("shape", ["deep", "wide"])
async def test_m47_a_thousand_nodes_end_on_sqlite(tmp_path: Path, shape: str) -> None:
    store = open_store(str(tmp_path / "alula.db"))
    try:
        closure = made(chain(1_000), outputs={"o0": (INT, ref("n999", "o0"))}) if shape == "deep" else fan(1_000)
        record = await create(store, closure)
        desk = Desk(store, Objects(), str(tmp_path / "data"))
        async with office.engine(desk, FakeRunner()):
            record = await ended(store, record.id)
        assert record.phase == "succeeded"
        rows = await store.nodes(record.id)
        assert len(rows) == (1_001 if shape == "deep" else 1_003)
        if shape == "deep":
            assert result(record) == pow(2, 1_000, 1_000_003)
    finally:
        await store.aclose()
