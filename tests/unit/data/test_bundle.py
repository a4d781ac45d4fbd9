"""Code bundles: the same content gives the same archive, and nothing leaves the directory it is unpacked to."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alula.data.bundle import Limits, pack, select, unpack
from alula.errors import DataError, UnsafeArchive

Tree = dict[str, bytes]

segments = st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters="/"), min_size=1, max_size=9)
parts = segments.filter(lambda text: text not in (".", ".."))
trees = st.dictionaries(
    st.lists(parts, min_size=1, max_size=3).map("/".join), st.binary(max_size=3000), max_size=6
).filter(lambda tree: not any(f"{one}/" in f"{other}/" for one in tree for other in tree if one != other))


def build(root: Path, tree: Tree) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, data in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def content(root: Path) -> Tree:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# Packing


@given(tree=trees)
@settings(max_examples=40)
def test_a_packed_tree_is_unpacked_as_it_was(tree: Tree) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = build(Path(scratch) / "tree", tree)
        bundle = pack(root, Path(scratch) / "out", files=tree)
        assert bundle.files == tuple(sorted(tree))
        names = unpack(bundle.path, Path(scratch) / "copy", sha256=bundle.sha256)
        assert names == bundle.files
        assert content(Path(scratch) / "copy") == tree


@given(tree=trees)
@settings(max_examples=25)
def test_equal_content_gives_an_equal_archive(tree: Tree) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        one = build(Path(scratch) / "one", tree)
        other = build(Path(scratch) / "elsewhere" / "other", dict(reversed(tree.items())))
        for name in tree:
            os.utime(other / name, (1, 1))
            os.chmod(other / name, 0o600)
        first, second = (pack(root, Path(scratch) / root.name / "out", files=tree) for root in (one, other))
        assert first.sha256 == second.sha256
        assert first.path.name == f"{first.sha256}.tar.gz"
        assert first.path.read_bytes() == second.path.read_bytes()


def test_the_digest_depends_on_names_content_and_the_executable_bit(tmp_path: Path) -> None:
    digests = set()
    for i, tree in enumerate([{"a": b"1"}, {"a": b"2"}, {"b": b"1"}, {"a": b"1", "b": b""}, {"d/a": b"1"}]):
        digests.add(pack(build(tmp_path / f"{i}", tree), tmp_path / "out").sha256)
    (tmp_path / "0/a").chmod(0o755)
    digests.add(pack(tmp_path / "0", tmp_path / "out").sha256)
    assert len(digests) == 6
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{digest}.tar.gz" for digest in digests}


def test_the_executable_bit_survives(tmp_path: Path) -> None:
    root = build(tmp_path / "tree", {"run.sh": b"#!/bin/sh\n", "plain": b""})
    (root / "run.sh").chmod(0o755)
    unpack(pack(root, tmp_path / "out").path, tmp_path / "copy")
    assert os.access(tmp_path / "copy/run.sh", os.X_OK)
    assert not (tmp_path / "copy/plain").stat().st_mode & 0o111


def test_what_no_bundle_needs_stays_out(tmp_path: Path) -> None:
    kept = {
        "wf.py": b"",
        "pkg/__init__.py": b"",
        "pkg/data.csv": b"",
        ".gitignore": b"*.csv\nsecret/\n",
        "keep/x.csv": b"",
    }
    kept |= {"keep/.gitignore": b"!x.csv\n", "pkg/.alulaignore": b"!data.csv\nnotes\n", "log": b""}
    dropped = {".git/config": b"", "__pycache__/x.pyc": b"", ".venv/bin/python": b"", "a.csv": b"", "secret/k.py": b""}
    dropped |= {"pkg/notes": b"", "pkg/old.pyc": b"", "x.egg-info/PKG": b"", ".env": b"TOKEN=1"}
    root = build(tmp_path / "tree", kept | dropped)
    assert select(root) == sorted(kept)


def test_git_archives_the_same_tree_as_we_pack(tmp_path: Path) -> None:
    root = build(tmp_path, {"a.py": b"", "b/c.py": b"", "b/x.log": b"", ".gitignore": b"*.log\n!important.log\n/top\n"})
    build(root, {"top/y": b"", "b/top/y": b"", "b/important.log": b""})
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    listed = subprocess.run(
        ["git", "-c", "core.excludesFile=", "ls-files", "--others", "--exclude-standard"],
        cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert select(root) == sorted(listed.stdout.split())


def test_links_within_the_tree_are_followed(tmp_path: Path) -> None:
    root = build(tmp_path / "tree", {"real/x.py": b"x"})
    (root / "link").symlink_to("real")
    (root / "file.py").symlink_to(root / "real/x.py")
    unpack(pack(root, tmp_path / "out").path, tmp_path / "copy")
    assert content(tmp_path / "copy") == {"real/x.py": b"x", "link/x.py": b"x", "file.py": b"x"}


@pytest.mark.parametrize("target", ["../outside", "../tree-too", "/etc", ".", "nowhere"])
def test_a_link_out_of_the_tree_in_a_circle_or_to_nothing_is_refused_unless_ignored(
    tmp_path: Path, target: str
) -> None:
    build(tmp_path / "outside", {"secret": b"s"})
    build(tmp_path / "tree-too", {"secret": b"s"})
    root = build(tmp_path / "tree", {"sub/x.py": b"x"})
    (root / "link").symlink_to(target)
    with pytest.raises(DataError, match="link"):
        pack(root, tmp_path / "out")
    (root / ".alulaignore").write_text("/link\n")
    assert select(root) == [".alulaignore", "sub/x.py"]


def test_a_tree_that_is_too_big_names_its_biggest_files(tmp_path: Path) -> None:
    root = build(tmp_path / "tree", {"model.bin": b"x" * 2_000_000, "wf.py": b""})
    with pytest.raises(DataError, match=r"2 files of 2\.0 MB") as caught:
        pack(root, tmp_path / "out", limits=Limits(total_bytes=1_000_000))
    assert "model.bin (2.0 MB)" in caught.value.fix
    with pytest.raises(DataError, match="more than 1 files"):
        pack(root, tmp_path / "out", limits=Limits(files=1))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", ""])
def test_files_outside_of_the_tree_cannot_be_asked_for(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="inside of a source tree"):
        pack(build(tmp_path / "tree", {"a": b""}), tmp_path / "out", files=[name])


def test_a_missing_tree_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        pack(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(DataError, match="gone"):
        pack(build(tmp_path / "tree", {"a": b""}), tmp_path / "out", files=["gone"])


# Unpacking what others made


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return path


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def hard(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.LNKTYPE, linkname=target)


ATTACKS: dict[str, list[tuple[tarfile.TarInfo, bytes]]] = {
    "parent": [member("../evil", b"x")],
    "deep parent": [member("a/../../evil", b"x")],
    "absolute": [member("/alula-evil", b"x")],
    "directory above": [member("../evil", type=tarfile.DIRTYPE)],
    "link out": [link("evil", "../outside")],
    "absolute link": [link("evil", "/etc/passwd")],
    "write through a link": [link("evil", "../outside"), member("evil/x", b"x")],
    "write through a link in reverse": [member("evil/x", b"x"), link("evil", "../outside")],
    "link through a link": [link("a", "evil/../x"), link("evil", "deep"), member("deep/y", b"")],
    "links that together lead out": [link("a", "b/../outside"), link("b", ".")],
    "link below a link": [link("evil", ".."), link("evil/evil2", "x")],
    "hard link out": [hard("evil", "../outside/secret")],
    "hard link to a link": [link("l", "x"), member("x", b""), hard("evil", "l")],
    "hard link to what comes later": [hard("evil", "x"), member("x", b"")],
    "device": [member("evil", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "pipe": [member("evil", type=tarfile.FIFOTYPE)],
    "no name": [member("./", b"x")],
    "file as directory": [member("evil", b"x"), member("evil/y", b"x")],
    "directory as file": [member("evil/y", b"x"), member("evil", b"x")],
}
SAFE_IN_THE_END = {"link through a link"}


@pytest.mark.parametrize("attack", sorted(ATTACKS))
@pytest.mark.parametrize("exists", [False, True], ids=["new directory", "old directory"])
def test_an_archive_that_reaches_out_is_refused_by_name(tmp_path: Path, attack: str, exists: bool) -> None:
    build(tmp_path / "outside", {"secret": b"s"})
    to = tmp_path / "to"
    if exists:
        build(to, {"old": b"o"})
    packed = archive(tmp_path / "packed.tar.gz", *ATTACKS[attack])
    if attack in SAFE_IN_THE_END:
        unpack(packed, to)
    else:
        with pytest.raises(UnsafeArchive) as caught:
            unpack(packed, to)
        assert any(repr(info.name) in caught.value.what for info, _ in ATTACKS[attack])
        assert to.exists() == exists
    assert content(tmp_path / "outside") == {"secret": b"s"}
    assert sorted(path.name for path in tmp_path.iterdir() if path != to) == ["outside", "packed.tar.gz"]
    assert not Path("/alula-evil").exists()
    for path in to.rglob("*"):
        assert path.resolve().is_relative_to(to.resolve())


def test_old_links_in_the_directory_are_not_written_through(tmp_path: Path) -> None:
    build(tmp_path / "outside", {"secret": b"s"})
    to = build(tmp_path / "to", {})
    (to / "dir").symlink_to(tmp_path / "outside")
    (to / "file").symlink_to(tmp_path / "outside/secret")
    unpack(archive(tmp_path / "good.tar.gz", member("file", b"mine")), to)
    assert (to / "file").read_bytes() == b"mine"
    with pytest.raises(UnsafeArchive, match="something else has its place"):
        unpack(archive(tmp_path / "bad.tar.gz", member("dir/secret", b"x")), to)
    assert content(tmp_path / "outside") == {"secret": b"s"}


def test_links_that_stay_inside_are_kept(tmp_path: Path) -> None:
    packed = archive(
        tmp_path / "x.tar.gz",
        member("./", type=tarfile.DIRTYPE),
        link("./up/link", "../real/x"),
        member("./real/x", b"data"),
        hard("./real/y", "./real/x"),
        link("dir", "real"),
    )
    assert unpack(packed, tmp_path / "to") == ("dir", "real/x", "real/y", "up/link")
    assert (tmp_path / "to/up/link").read_bytes() == (tmp_path / "to/dir/y").read_bytes() == b"data"
    assert os.readlink(tmp_path / "to/up/link") == "../real/x"
    assert not os.path.samefile(tmp_path / "to/real/x", tmp_path / "to/real/y")


def test_the_last_member_of_a_name_wins(tmp_path: Path) -> None:
    build(tmp_path / "to", {"x": b"old", "keep": b"kept"})
    unpack(archive(tmp_path / "x.tar.gz", member("x", b"1"), link("x", "keep"), member("x", b"22")), tmp_path / "to")
    assert content(tmp_path / "to") == {"x": b"22", "keep": b"kept"}
    unpack(archive(tmp_path / "y.tar.gz", member("x", b"1"), link("x", "keep")), tmp_path / "to")
    assert (tmp_path / "to/x").is_symlink()


def test_a_bomb_is_stopped_by_its_size(tmp_path: Path) -> None:
    packed = archive(tmp_path / "bomb.tar.gz", member("fine", b"x"), member("bomb", bytes(30_000_000)))
    assert packed.stat().st_size < 50_000
    with pytest.raises(UnsafeArchive, match=r"'bomb'.* above 1000000 bytes"):
        unpack(packed, tmp_path / "to", limits=Limits(total_bytes=1_000_000))
    assert not (tmp_path / "to").exists()


def test_a_bomb_of_many_members_is_stopped_by_their_number(tmp_path: Path) -> None:
    packed = archive(tmp_path / "many.tar.gz", *(member(f"d{i}", type=tarfile.DIRTYPE) for i in range(50)))
    with pytest.raises(UnsafeArchive, match="'d20' is one of more than 20 members"):
        unpack(packed, tmp_path / "to", limits=Limits(files=20))


def test_a_bomb_in_a_header_is_stopped(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.pax_headers = {"comment": "y" * 5_000_000}
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info)
    with pytest.raises(UnsafeArchive, match="header of"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "to")


def test_a_bomb_behind_the_last_member_is_stopped(tmp_path: Path) -> None:
    good = gzip.decompress(archive(tmp_path / "x.tar.gz", member("x", b"1")).read_bytes())
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(good + bytes(3_000_000)))
    with pytest.raises(UnsafeArchive, match="holds more than"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "to", limits=Limits(total_bytes=1_000_000, files=10))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-4],
        lambda data: data + b"garbage",
        lambda data: b"",
        lambda data: b"PK\3\4 not a tar.gz",
        lambda data: gzip.compress(b"not a tar" * 1000),
        lambda data: gzip.compress(gzip.decompress(data)[:700]),
        lambda data: gzip.compress(gzip.decompress(data) + b"second life"),
        lambda data: gzip.compress(b"\1".join([gzip.decompress(data)[:600], gzip.decompress(data)[601:]])),
    ],
    ids=["half", "no trailer", "garbage after", "empty", "zip", "no tar", "cut tar", "tar and more", "broken header"],
)
def test_a_damaged_archive_is_refused(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    packed = archive(tmp_path / "x.tar.gz", member("a"), member("b", b"data" * 300))
    packed.write_bytes(spoil(packed.read_bytes()))
    with pytest.raises(UnsafeArchive):
        unpack(packed, tmp_path / "to")
    assert not (tmp_path / "to").exists()


@given(data=st.data())
@settings(max_examples=150)
def test_no_damage_gets_through_the_digest_or_out_of_the_directory(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        bundle = pack(build(scratch / "tree", {"a.py": b"print(1)\n" * 40, "b/c.py": b"x = 2\n"}), scratch / "out")
        raw = bytearray(gzip.decompress(bundle.path.read_bytes()))
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        bundle.path.write_bytes(gzip.compress(bytes(raw)))
        whole = hashlib.sha256(raw).hexdigest() == bundle.sha256
        try:
            unpack(bundle.path, scratch / "deep" / "to", sha256=bundle.sha256)
        except DataError:
            assert not whole
        else:
            assert whole
        assert {path.name for path in scratch.iterdir()} <= {"tree", "out", "deep"}
        assert {path.name for path in (scratch / "deep").glob("*")} <= {"to"}


def test_another_archive_than_the_expected_one_is_refused(tmp_path: Path) -> None:
    packed = archive(tmp_path / "x.tar.gz", member("x", b"1"))
    with pytest.raises(UnsafeArchive, match="expected"):
        unpack(packed, tmp_path / "to", sha256="0" * 64)


def test_a_missing_archive_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        unpack(tmp_path / "none.tar.gz", tmp_path / "to")
    assert not (tmp_path / "to").exists()
