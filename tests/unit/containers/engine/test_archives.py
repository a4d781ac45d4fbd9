from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from alula.containers.engine.archives import Packing, spool, unpack
from alula.errors import UnsafeArchive


def packed(**members: bytes | str) -> io.BytesIO:
    """An archive of files, and of links where text is given."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return made


def test_files_go_in_and_come_out_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "x").write_text("4")
    (tmp_path / "in" / "deep" / "run").write_text("#!/bin/sh")
    (tmp_path / "in" / "deep" / "run").chmod(0o755)
    with spool() as archive:
        packing = Packing(archive)
        packing.folder("/var/inputs", tmp_path / "in")
        packing.open_folder("/var/outputs")
        packing.files({"/etc/secret": b"s"})
        packing.close()
        archive.seek(0)
        with tarfile.open(fileobj=archive) as tar:
            modes = {one.name: oct(one.mode) for one in tar}
        top = unpack(archive, tmp_path / "out")
    assert modes["var/outputs"] == "0o777"
    assert "var" not in modes  # what is above is left as it is
    assert modes["etc/secret"] == "0o444"
    assert top == tmp_path / "out" / "var"
    assert (top / "inputs" / "x").read_text() == "4"
    assert (top / "inputs" / "deep" / "run").stat().st_mode & 0o111


@pytest.mark.parametrize("name", ["..__x", "outputs__..__..__x", "__etc__x"])
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeArchive):
        unpack(packed(**{name: b"evil"}), tmp_path / "in")
    assert not (tmp_path / "x").exists()


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "aim").mkdir()
    with pytest.raises(UnsafeArchive):
        unpack(packed(outputs__a=str(tmp_path / "aim"), outputs__a__x=b"evil"), tmp_path / "in")
    assert not (tmp_path / "aim" / "x").exists()


def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UnsafeArchive):
        unpack(io.BytesIO(b"x" * 2000), tmp_path)
