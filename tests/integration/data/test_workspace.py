"""Local copies of what is stored, and the workspace that user code finds them in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from alula._kits.bridge import run
from alula.data.objects import ObjectStore
from alula.data.stores import Objects
from alula.data.workspace import Workspace, fetch, read_file, use, workspace, write_file
from alula.errors import ObjectNotFound


@pytest.fixture(params=["file", "memory"])
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    prefix = str(tmp_path / "store") if request.param == "file" else "memory://store"
    return Workspace(Objects(), tmp_path / "local", prefix)


def names(objects: ObjectStore, prefix: str) -> list[str]:
    async def all_of_them() -> list[str]:
        return [uri async for uri in objects.list(prefix)]

    return run(all_of_them())


def left(here: Workspace) -> list[Path]:
    return [path for path in here.directory.rglob("*") if path.is_file()]


def test_a_file_is_written_and_read_by_path(here: Workspace) -> None:
    uri = f"{here.prefix}/sub/x.txt"
    with use(here):
        run(write_file(here.objects, uri, lambda path: path.write_text("1")))
        run(write_file(here.objects, uri, lambda path: path.write_text("2")))
        assert run(read_file(here.objects, uri, Path.read_text)) == "2"
    assert names(here.objects, here.prefix) == [uri]
    assert left(here) == []


def test_a_write_that_fails_leaves_what_was_there(here: Workspace) -> None:
    uri = f"{here.prefix}/x.txt"

    def fail(path: Path) -> None:
        path.write_text("half")
        raise KeyError

    with use(here):
        run(write_file(here.objects, uri, lambda path: path.write_text("whole")))
        with pytest.raises(KeyError):
            run(write_file(here.objects, uri, fail))
        assert run(here.objects.read(uri)) == b"whole"
        assert names(here.objects, here.prefix) == [uri]
    assert left(here) == []


def test_what_is_not_there_is_not_found(here: Workspace) -> None:
    with use(here):
        for get in (
            fetch(here.objects, f"{here.prefix}/x"),
            read_file(here.objects, f"{here.prefix}/x", Path.read_text),
        ):
            with pytest.raises(ObjectNotFound, match="/x does not exist"):
                run(get)


def test_what_was_fetched_stays(here: Workspace) -> None:
    with use(here):
        run(here.objects.write(f"{here.prefix}/d/x", b"1"))
        assert (run(fetch(here.objects, f"{here.prefix}/d")) / "x").read_text() == "1"
        assert run(fetch(here.objects, f"{here.prefix}/d/x")).read_text() == "1"


def test_workspaces_nest(here: Workspace, tmp_path: Path) -> None:
    other = Workspace(here.objects, tmp_path / "other", "memory://other")
    outside = workspace()
    with use(here):
        with use(other):
            assert workspace() is other
        assert workspace() is here
    assert workspace() is outside


def test_new_names_are_never_the_same(here: Workspace) -> None:
    assert here.new_path("a").name == here.new_path("a").name == "a"
    assert here.new_path("a") != here.new_path("a")
    assert here.new_uri("a") != here.new_uri("a")


def test_the_workspace_of_a_process_goes_with_it_and_a_child_has_its_own() -> None:
    code = """
import os, sys
from alula.data.workspace import workspace
mine = workspace().new_path("x")
mine.write_text("1")
print(mine, flush=True)
child = os.fork()
if child == 0:
    theirs = workspace().new_path("y")
    theirs.write_text("2")
    print(theirs, flush=True)
    sys.exit(0)
os.waitpid(child, 0)
assert mine.exists()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    mine, theirs = done.stdout.split()
    assert Path(mine).parents[1] != Path(theirs).parents[1]
    assert not os.path.exists(mine)
    assert not os.path.exists(theirs)
