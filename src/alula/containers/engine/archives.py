"""Files on their way into a container and out of it, as tar archives. What comes out is taken with suspicion."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from alula.errors import UnsafeArchive

TOO_LARGE = "OutputsTooLarge"
_IN_MEMORY = 8 << 20
_PIECE_BYTES = 1 << 20


def spool() -> BinaryIO:
    """A file for an archive: in memory while it is small."""
    return cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))


class Packing:
    """An archive that is unpacked at the root of a container. Directories above what it holds are made there, and left
    as they are where they exist. Blocks."""

    def __init__(self, archive: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - see `close`

    def folder(self, at: str, source: Path) -> None:
        """All that is in a directory of ours, at an absolute path. Anybody in the container may read it."""
        for parent, folders, files in os.walk(source):
            inner = PurePosixPath(at, *Path(parent).relative_to(source).parts)
            self._directory(str(inner), 0o755)
            for name in sorted(files):
                path = Path(parent, name)
                info = self._info(str(inner / name), 0o755 if os.access(path, os.X_OK) else 0o644)
                with path.open("rb") as content:
                    info.size = os.fstat(content.fileno()).st_size
                    self._tar.addfile(info, content)
            folders.sort()

    def open_folder(self, at: str) -> None:
        """An empty directory that anybody in the container may write to."""
        self._directory(at, 0o777)

    def files(self, contents: Mapping[str, bytes], mode: int = 0o444) -> None:
        """Files by their absolute paths."""
        for path, content in sorted(contents.items()):
            info = self._info(path, mode)
            info.size = len(content)
            self._tar.addfile(info, io.BytesIO(content))

    def close(self) -> None:
        self._tar.close()

    def _directory(self, at: str, mode: int) -> None:
        info = self._info(at, mode)
        info.type = tarfile.DIRTYPE
        self._tar.addfile(info)

    @staticmethod
    def _info(at: str, mode: int) -> tarfile.TarInfo:
        info = tarfile.TarInfo(at.lstrip("/"))
        info.mode = mode
        return info


def unpack(archive: BinaryIO, to: Path) -> Path:
    """Put what `Engine.take` gave into a directory; the path of what was asked for in there. Blocks.

    Owners and devices are not kept. Links are made last and as they are, so that nothing is written through one: who
    reads the files must look where a link leads.

    Raises:
        UnsafeArchive: It would write outside, or is no archive.
    """
    archive.seek(0)
    top, links = "", dict[Path, str]()
    try:
        with tarfile.open(fileobj=archive, mode="r:") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts:
                    raise UnsafeArchive(f"the container's archive would write to {member.name!r}", where=str(to))
                top = top or (name.parts[0] if name.parts else "")
                if member.issym():
                    links[to / name] = member.linkname
                elif member.isdir():
                    (to / name).mkdir(parents=True, exist_ok=True)
                elif member.isreg() or member.islnk():
                    _write(tar, member, to / name)
        for path, target in links.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)
    except (tarfile.TarError, OSError, ValueError, KeyError) as exc:
        if isinstance(exc, UnsafeArchive):
            raise
        raise UnsafeArchive(f"the container's archive cannot be unpacked: {exc}", where=str(to)) from exc
    return to / top if top else to


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(member)  # of a hard link: what it stands for
    if content is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with content, path.open("xb") as out:
        while piece := content.read(_PIECE_BYTES):
            out.write(piece)
    path.chmod(0o755 if member.mode & 0o100 else 0o644)
