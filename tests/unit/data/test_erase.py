from __future__ import annotations

from pathlib import Path

import pytest

from alula.data.erase import erase
from alula.data.stores import Objects
from alula.errors import DataError


def nothing(path: str) -> bool:
    return False


@pytest.fixture(params=["files", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "files" else "memory://root"


async def objects(root: str) -> Objects:
    made = Objects()
    for name in ("a/b/x", "a/b/c/y", "a/z", "other/x"):
        await made.write(f"{root}/{name}", b"12345")
    return made


async def listed(made: Objects, root: str) -> list[str]:
    return [uri.removeprefix(f"{root}/") async for uri in made.list(root)]


async def test_what_is_below_the_names_goes_and_the_rest_stays(root: str) -> None:
    made = await objects(root)
    done = await erase(made, root, ("a", "b"), keep=nothing)
    assert (done.files, done.bytes, done.kept, done.faults) == (2, 10, [], [])
    assert await listed(made, root) == ["a/z", "other/x"]


async def test_what_is_kept_is_told(root: str) -> None:
    made = await objects(root)
    done = await erase(made, root, ("a",), keep=lambda path: path.startswith("b/c/"))
    assert (done.files, done.kept) == (2, ["b/c/y"])
    assert await listed(made, root) == ["a/b/c/y", "other/x"]


async def test_a_trial_only_counts(root: str) -> None:
    made = await objects(root)
    done = await erase(made, root, ("a",), keep=nothing, dry_run=True)
    assert (done.files, done.bytes) == (3, 15)
    assert len(await listed(made, root)) == 4


async def test_nothing_there_is_nothing_to_do(root: str) -> None:
    done = await erase(Objects(), root, ("no", "such"), keep=nothing)
    assert (done.files, done.faults) == (0, [])


@pytest.mark.parametrize("names", [(), ("",), ("..",), ("a", ".."), ("a/b",), ("a", ""), (".",), ("a\0b",)])
async def test_names_that_lead_elsewhere_are_refused(root: str, names: tuple[str, ...]) -> None:
    made = await objects(root)
    with pytest.raises(DataError, match="is no place below"):
        await erase(made, root, names, keep=nothing)
    assert len(await listed(made, root)) == 4


async def test_empty_directories_go_up_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "empty").mkdir(parents=True)
    await erase(Objects(), str(tmp_path), ("a", "b"), keep=nothing)
    assert list(tmp_path.iterdir()) == []
    assert tmp_path.is_dir()


async def test_directories_nested_beyond_reason_are_left_and_told(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "/".join(["d"] * 250)
    deep.mkdir(parents=True)
    (deep / "x").write_text("")
    (tmp_path / "a" / "y").write_text("")
    done = await erase(Objects(), str(tmp_path), ("a",), keep=nothing)
    assert done.files == 1
    assert len(done.faults) == 1
    assert "remove it by hand" in done.faults[0]
