"""What a container sees of data that are files of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from alula._kits.records import replace
from alula.backends.docker.making import data_mounts
from alula.errors import Rejected
from alula.hosting.task import Task
from alula.sdk.container import ContainerTask
from tests.unit.backends.lending import lent, template_of

PLAIN = template_of(ContainerTask(name="plain", image="tool:1", command=["tool"]))


def attempt(home: Path, user_data: str = "") -> Task:
    """One whose data lie in `home/data`."""
    task = lent(PLAIN, {}, prefix="memory://nowhere")
    id = task.id
    prefix = home / "data" / id.project / id.domain / id.execution / "n0" / "0"
    task.job = replace(task.job, prefix=str(prefix), user_data=user_data)
    return task


async def test_it_sees_all_data_and_writes_below_its_own_prefix_only(tmp_path: Path) -> None:
    task = attempt(tmp_path)
    everything, own = await data_mounts(task)
    assert (everything.source, everything.read_only) == (str(tmp_path / "data"), True)
    assert (own.source, own.read_only) == (task.output_prefix, False)


async def test_it_writes_its_files_where_they_are_to_go_if_that_is_among_the_data(tmp_path: Path) -> None:
    mine = tmp_path / "data" / "mine" / "ab" / "e-1"
    *_, last = await data_mounts(attempt(tmp_path, f"file://{mine}"))
    assert (last.source, last.read_only, mine.is_dir()) == (str(mine), False, True)
    assert len(await data_mounts(attempt(tmp_path, "s3://mine/ab/e-1"))) == 2


async def test_nobody_opens_other_directories_of_this_machine_by_saying_where_files_go(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="outside of the server's data"):
        await data_mounts(attempt(tmp_path, str(tmp_path / "elsewhere")))
    assert not (tmp_path / "elsewhere").exists()
