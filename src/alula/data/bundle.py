"""Code bundles: a source tree as one `tar.gz` that is addressed by its content. `unpack` is its other half."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from alula.data import ignore
from alula.data.archive import Limits, unpack
from alula.data.local import beside, translated
from alula.errors import DataError

__all__ = ["PACK_LIMITS", "Bundle", "Limits", "pack", "select", "unpack"]

PACK_LIMITS = Limits(total_bytes=200 * 1024 * 1024, files=20_000)
"""More than this is data, not source code."""

_TIME = 315_532_800
"""Of every file in a bundle: the first second of 1980, the earliest that all archive formats can hold."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A packed source tree."""

    path: Path
    """The archive, named `<sha256>.tar.gz`."""
    sha256: str
    """Of the tar stream before compression, so that every zlib gives the same; equal trees have equal ones."""
    files: tuple[str, ...]
    """What it holds: paths relative to the tree, sorted."""


def select(root: Path) -> list[str]:
    """The files of a source tree that belong in its bundle: all but those that ignore files and `ignore.DEFAULT` name.

    Links are followed while they stay in the tree.

    Raises:
        DataError: a link leads out of the tree, in a circle or nowhere.
    """
    found: list[str] = []
    with translated(str(root)):
        top = os.path.realpath(root)
        if not os.path.isdir(top):
            raise DataError(f"{root} is not a directory", where=str(root), fix="give the directory that holds the code")
        _walk(top, "", ignore.parse(ignore.DEFAULT), (top,), found)
    return sorted(found)


def pack(root: Path, into: Path, *, files: Iterable[str] | None = None, limits: Limits = PACK_LIMITS) -> Bundle:
    """Put a source tree into a new archive in the directory `into`.

    Args:
        root: The tree.
        into: The directory of the archive; made if it is missing.
        files: Paths relative to `root`, to pack these instead of what `select` chooses.
        limits: What is too much to be source code.

    Raises:
        DataError: the tree is too big, or cannot be read.
    """
    names = select(root) if files is None else sorted({_member_name(name) for name in files})
    _check_sizes(root, names, limits)
    with translated(str(into)):
        unfinished = Path(beside(into / "bundle"))
    digest = hashlib.sha256()
    try:
        with (
            translated(str(into)),
            open(unfinished, "wb") as out,
            gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as compressed,
        ):
            _write_tar(root, names, _Tee(compressed, digest.update))
        path = into / f"{digest.hexdigest()}.tar.gz"
        with translated(str(path)):
            os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return Bundle(path, digest.hexdigest(), tuple(names))


def _walk(directory: str, prefix: str, rules: list[ignore.Rule], above: tuple[str, ...], found: list[str]) -> None:
    for name in ignore.FILES:
        with suppress(FileNotFoundError), open(f"{directory}/{name}", encoding="utf-8", errors="replace") as file:
            rules = rules + ignore.parse(file.read(), prefix)
    with os.scandir(directory) as entries:
        for entry in entries:
            path = prefix + entry.name
            if ignore.ignored(path, directory=entry.is_dir(), rules=rules):
                continue
            real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
            if entry.is_symlink() and (not f"{real}/".startswith(f"{above[0]}/") or real in above):
                raise DataError(
                    f"the link {path} leads {'in a circle' if real in above else 'out of the source tree'}",
                    where=entry.path,
                    fix=f"add /{path} to .alulaignore, or replace the link by what it points to",
                )
            if entry.is_dir():
                _walk(real, f"{path}/", rules, (*above, real), found)
            elif stat.S_ISREG(entry.stat().st_mode):
                found.append(_writable_as_text(path))


def _writable_as_text(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError as exc:
        raise DataError(f"the name of {path!r} is not UTF-8", where=path, fix="rename it, or ignore it") from exc
    return path


def _member_name(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DataError(f"{name!r} is no path inside of a source tree", fix="give paths relative to the tree")
    return str(path)


def _check_sizes(root: Path, names: list[str], limits: Limits) -> None:
    with translated(str(root)):
        sizes = {name: os.stat(root / name).st_size for name in names}
    total = sum(sizes.values())
    if total > limits.total_bytes or len(names) > limits.files:
        biggest = sorted(sizes, key=lambda name: -sizes[name])[:5]
        shown = ", ".join(f"{name} ({sizes[name] / 1e6:.1f} MB)" for name in biggest)
        raise DataError(
            f"the source tree has {len(names)} files of {total / 1e6:.1f} MB together, "
            f"more than {limits.files} files or {limits.total_bytes / 1e6:.1f} MB",
            where=str(root),
            fix=f"name data in .alulaignore; the biggest files are {shown}",
        )


def _write_tar(root: Path, names: list[str], out: _Tee) -> None:
    with tarfile.open(fileobj=cast(BinaryIO, out), mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:
        for name in names:
            with open(root / name, "rb") as source:
                data = source.read()
                executable = os.fstat(source.fileno()).st_mode & stat.S_IXUSR
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), _TIME, 0o755 if executable else 0o644
            tar.addfile(member, io.BytesIO(data))


class _Tee:
    """A file to write to, whose bytes someone else sees as well."""

    def __init__(self, out: gzip.GzipFile, see: Callable[[bytes], object]) -> None:
        self._out, self._see = out, see

    def write(self, data: bytes) -> int:
        self._see(data)
        return self._out.write(data)
