"""Code bundles: unpacked once for each content, and with suspicion."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from alula.runtime.bundles import fetch, fetch_apart


def bundle(path: Path, name: str = "program.py", content: str = "x = 1") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content.encode()))
    return str(path)


@pytest.mark.parametrize("way", [fetch, fetch_apart])
def test_a_bundle_becomes_a_directory(tmp_path: Path, way: object) -> None:
    assert callable(way)
    here = tmp_path / "code" / "one"
    assert way(bundle(tmp_path / "a.tar.gz"), here) == ""
    assert (here / "program.py").read_text() == "x = 1"


def test_bundles_of_one_content_share_a_directory(tmp_path: Path) -> None:
    first = bundle(tmp_path / "a.tar.gz")
    second = tmp_path / "elsewhere" / "b.tar.gz"
    second.parent.mkdir()
    second.write_bytes(Path(first).read_bytes())
    for name, uri in (("one", first), ("two", str(second))):
        assert fetch(uri, tmp_path / "code" / name) == ""
    one, two = (tmp_path / "code" / name for name in ("one", "two"))
    assert one.resolve() == two.resolve()
    assert sorted(path.name for path in (tmp_path / "code").iterdir()) == ["contents", "one", "two"]


def test_a_pickled_function_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "pkl.gz").write_bytes(b"pickled")
    here = tmp_path / "code" / "one"
    assert fetch(str(tmp_path / "pkl.gz"), here) == ""
    assert (here / "pkl.gz").read_bytes() == b"pickled"


@pytest.mark.parametrize("name", ["../outside.py", "/outside.py"])
def test_a_bundle_that_would_leave_its_directory_is_refused(tmp_path: Path, name: str) -> None:
    here = tmp_path / "code" / "one"
    assert "cannot be unpacked" in fetch(bundle(tmp_path / "a.tar.gz", name), here)
    assert not here.exists()
    assert not [path for path in (tmp_path / "code").rglob("*") if path.is_file()]


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "code.zip").write_bytes(b"zip")
    assert "no code bundle" in fetch(str(tmp_path / "code.zip"), tmp_path / "code" / "one")
    assert "cannot be unpacked" in fetch(str(tmp_path / "missing.tar.gz"), tmp_path / "code" / "one")
