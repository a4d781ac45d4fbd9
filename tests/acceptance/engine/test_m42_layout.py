"""M42: files lie at documented paths, and no two attempts share one."""

from __future__ import annotations

from pathlib import Path

import pytest

from alula.client.asynchronous import AsyncClient
from alula.config import Config
from alula.data.layout import Execution
from alula.idl import LiteralMap, literals
from alula.plugin.runner import Started, Succeeded
from tests.acceptance.engine import flows
from tests.acceptance.engine.scene import DATA, failed, scene
from tests.unit.compiler.build import ref
from tests.unit.engine.build import made, step
from tests.unit.engine.drive import FakeRunner, in_turn, result, says, virtual
from tests.unit.engine.test_nodes import TWO, mapped, spec
from tests.unit.idl.build import INT

WRITTEN = says(Started(), Succeeded(written=True))


def of(value: int) -> bytes:
    return LiteralMap(literals={"o0": literals.integer(value)}).SerializeToString()


@virtual
async def test_m42_an_attempt_reads_nothing_that_an_earlier_one_left() -> None:
    async with scene(FakeRunner(default=in_turn(says(Started(), failed()), WRITTEN))) as s:
        await s.objects.write(f"{DATA}/p/d/ex/n0/0/outputs.pb", of(1))
        await s.objects.write(f"{DATA}/p/d/ex/n0/0/futures.pb", spec(TWO))
        await s.objects.write(f"{DATA}/p/d/ex/n0/1/outputs.pb", of(2))
        record = await s.run(made([step("n0", retries=1)], outputs={"o0": (INT, ref("n0", "o0"))}))
        assert result(record) == 2
        assert [job.prefix for job in s.runner.started] == [f"{DATA}/p/d/ex/n0/0", f"{DATA}/p/d/ex/n0/1"]


@virtual
async def test_m42_what_the_first_left_does_not_help_the_second() -> None:
    async with scene(FakeRunner(default=in_turn(says(Started(), failed()), WRITTEN))) as s:
        await s.objects.write(f"{DATA}/p/d/ex/n0/0/outputs.pb", of(1))
        record = await s.run(made([step("n0", retries=1)]))
        assert (await s.failure(record)).code == "RetriesExhausted|OutputsNotFound"


@virtual
async def test_m42_futures_are_read_where_they_belong_and_inner_nodes_have_paths_of_their_own() -> None:
    async with scene(FakeRunner(scripts={"n0": WRITTEN})) as s:
        await s.objects.write(f"{DATA}/p/d/ex/n0/0/futures.pb", spec(TWO))
        record = await s.run(made([step("n0")], outputs={"o0": (INT, ref("n0", "o0"))}))
        assert result(record) == 14
        prefixes = [job.prefix for job in s.runner.started]
        assert prefixes == [f"{DATA}/p/d/ex/n0/0", f"{DATA}/p/d/ex/n0.2Fd0/0", f"{DATA}/p/d/ex/n0.2Fd1/0"]


@virtual
async def test_m42_no_two_attempts_share_a_prefix() -> None:
    fails = in_turn(says(Started(), failed()), says(Started(), Succeeded(of(1))))
    async with scene(FakeRunner(default=fails)) as s:
        nodes = [*mapped(4, retries=1), step("n1", retries=1), step("n10", retries=1)]
        for name in ("ex", "ex1"):
            assert (await s.run(made(nodes), name)).phase == "succeeded"
        prefixes = [job.prefix for job in s.runner.started]
        assert len(set(prefixes)) == len(prefixes) == 24
        assert not any(a != b and a.startswith(f"{b}/") for a in prefixes for b in prefixes)


async def test_m42_files_of_worker_processes_lie_under_their_attempt(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    config = Config(home=tmp_path / "home", data=str(tmp_path / "data"))
    async with AsyncClient(str(tmp_path / "alula.db"), config=config) as client:
        run = await client.run(flows.again, name="layout", marks=str(marks))
        assert await run.outputs() == {"o0": "layout"}
    files = Execution.under(
        config.data_prefix, project=client.config.project, domain=client.config.domain, name="layout"
    )
    first, second = (Path(files.attempt("n0", nth).prefix) for nth in (0, 1))
    assert (first / "log.txt").read_text().startswith("attempt 0")
    assert (second / "log.txt").read_text().startswith("attempt 1")
    assert "<html" in (second / "deck.html").read_text().lower()
    assert not (first / "outputs.pb").exists()


@pytest.mark.parametrize("name", ["inputs", "outputs", "error", "futures", "deck", "log", "checkpoint", "raw"])
def test_m42_each_file_has_its_place(name: str) -> None:
    attempt = Execution.under("s3://b", project="p", domain="d", name="ex").attempt("n0", 2)
    endings = {"deck": "deck.html", "log": "log.txt", "checkpoint": "checkpoint", "raw": "raw"}
    assert getattr(attempt, name) == f"s3://b/p/d/ex/n0/2/{endings.get(name, f'{name}.pb')}"
