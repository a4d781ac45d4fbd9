"""Archives from elsewhere, unpacked with suspicion."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from alula.data.local import translated
from alula.errors import DataError, UnsafeArchive

_PIECE_BYTES = 64 * 1024
_END_BYTES = 1024
_MOST_HEADER_BYTES = 1024 * 1024
_DO_NOT_TRUST = "do not use it; make the archive again from its sources"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may hold, unpacked."""

    total_bytes: int = 1024 * 1024 * 1024
    files: int = 100_000


def unpack(archive: Path, to: Path, *, sha256: str | None = None, limits: Limits | None = None) -> tuple[str, ...]:
    """Put the files of a `tar.gz` into the directory `to`, over what is there, and return their paths.

    Links that stay inside are kept. Owners, times, and all of the modes but "executable" are not. Of a refused archive
    nothing stays if `to` did not exist before.

    Args:
        archive: A local file: a bundle, or what others make (flytekit's bundles).
        to: A directory; made if it is missing.
        sha256: What the digest of the stream inside must be: `Bundle.sha256`.
        limits: What is too much; the defaults of `Limits` if not given.

    Raises:
        UnsafeArchive: it is damaged or not the expected one, holds too much, or has a member that is no file, directory
            or link, or that would leave `to`.
    """
    fresh = not to.exists()
    try:
        with translated(str(to)):
            to.mkdir(parents=True, exist_ok=True)
        with translated(str(archive)):
            packed = open(archive, "rb")  # noqa: SIM115 - closed by the next line
        with packed, gzip.GzipFile(fileobj=packed) as inflated:
            stream = _Inflated(inflated, archive, limits or Limits())
            with _readable(archive):
                names = _Unpacking(archive, to, limits or Limits()).run(stream)
                stream.finish(sha256)
    except BaseException:
        if fresh:
            shutil.rmtree(to, ignore_errors=True)
        raise
    return names


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    """Turns the errors of the formats into ours."""
    try:
        yield
    except DataError:
        raise
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError) as exc:
        raise UnsafeArchive(
            f"the archive is damaged, or is no tar.gz: {exc}", where=str(archive), fix=_DO_NOT_TRUST
        ) from exc


class _Inflated:
    """The tar stream inside a gzip file, as the seekable file that `tarfile` wants: forwards only, and counted."""

    def __init__(self, source: gzip.GzipFile, archive: Path, limits: Limits) -> None:
        self._source, self._archive = source, archive
        # Each member adds a header and padding; what headers hold beyond that counts as content.
        self._most = limits.total_bytes + 4096 * (limits.files + 8)
        self._digest = hashlib.sha256()
        self._at = 0
        self._end = b""
        """The last bytes that were read."""

    def tell(self) -> int:
        return self._at

    def seek(self, position: int) -> None:
        if position < self._at:
            raise tarfile.ReadError("a member points backwards")
        while self._at < position and self.read(min(_PIECE_BYTES, position - self._at)):
            pass

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MOST_HEADER_BYTES:
            raise self._refused(f"has a header of {size} bytes")
        with _readable(self._archive):
            data = self._source.read(size)
        self._at += len(data)
        if self._at > self._most:
            raise self._refused(f"holds more than {self._most} bytes")
        self._digest.update(data)
        self._end = data[-_END_BYTES:] if len(data) >= _END_BYTES else (self._end + data)[-_END_BYTES:]
        return data

    def finish(self, sha256: str | None) -> None:
        """Read what follows the last member, and compare the digest.

        `tarfile` takes a broken or missing header for the end. The true end is two blocks of zeros, and only zeros
        follow it.
        """
        while data := self.read(_PIECE_BYTES):
            if data.strip(b"\0"):
                raise tarfile.ReadError("something follows its last member")
        if self._end != bytes(_END_BYTES):
            raise tarfile.ReadError("it ends too early")
        if sha256 is not None and self._digest.hexdigest() != sha256:
            raise self._refused(f"has sha256 {self._digest.hexdigest()}, and {sha256} was expected")

    def _refused(self, why: str) -> UnsafeArchive:
        return UnsafeArchive(f"the archive {why}", where=str(self._archive), fix=_DO_NOT_TRUST)


class _Unpacking:
    """One archive on its way into a directory."""

    def __init__(self, archive: Path, to: Path, limits: Limits) -> None:
        self._archive, self._limits = archive, limits
        self._root = os.path.realpath(to)
        self._made = {self._root}
        """Directories that are known to lie inside."""
        self._files: set[str] = set()
        self._links: dict[str, tarfile.TarInfo] = {}
        self._bytes = 0

    def run(self, stream: _Inflated) -> tuple[str, ...]:
        with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r:", encoding="utf-8") as tar:
            for count, member in enumerate(tar, start=1):
                if count > self._limits.files:
                    raise self._refused(member, f"is one of more than {self._limits.files} members")
                self._take(tar, member)
                tar.members = []  # type: ignore[attr-defined] # else it keeps every header
        self._link()
        return tuple(sorted(self._files | set(self._links)))

    def _take(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = self._inside(member, member.name)
        if member.isdir():
            self._directory(member, path)
        elif not path:
            raise self._refused(member, "has no name")
        elif member.issym():
            self._files.discard(path)
            self._links[path] = member  # made when all files are there, so that none is written through a link
        elif member.islnk():
            self._copy(member, path, self._inside(member, member.linkname))
        elif member.isreg() and not member.issparse():
            content = tar.extractfile(member)
            self._write(member, path, cast(BinaryIO, content), member.size)
        else:
            raise self._refused(member, "is neither a file nor a directory nor a link")

    def _write(self, member: tarfile.TarInfo, path: str, content: BinaryIO, size: int) -> None:
        self._bytes += size
        if self._bytes > self._limits.total_bytes:
            raise self._refused(member, f"brings the archive above {self._limits.total_bytes} bytes")
        target = self._place(member, path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with (
            translated(target),
            os.fdopen(os.open(target, flags, 0o777 if member.mode & 0o100 else 0o666), "wb") as out,
        ):
            while size and (piece := content.read(min(size, _PIECE_BYTES))):
                out.write(piece)
                size -= len(piece)
        if size:
            raise self._refused(member, "is cut short")
        self._files.add(path)
        self._links.pop(path, None)

    def _copy(self, member: tarfile.TarInfo, path: str, source: str) -> None:
        """A hard link becomes a copy of the file that came before it."""
        if source not in self._files:
            raise self._refused(member, f"is a link to {member.linkname!r}, which is no file that came before it")
        if source == path:
            return
        with translated(source), open(f"{self._root}/{source}", "rb") as content:
            self._write(member, path, content, os.fstat(content.fileno()).st_size)

    def _link(self) -> None:
        """Make the links; when all are there, refuse those that lead out, whatever they lead through."""
        made: list[str] = []
        try:
            for path, member in self._links.items():
                target = self._place(member, path)
                with translated(target):
                    os.symlink(member.linkname, target)
                made.append(target)
            for path, member in self._links.items():
                if not self._holds(os.path.realpath(f"{self._root}/{path}")):
                    raise self._refused(member, f"is a link to {member.linkname!r}, outside of the archive")
        except BaseException:
            for target in made:
                os.unlink(target)
            raise

    def _directory(self, member: tarfile.TarInfo, path: str) -> None:
        full = f"{self._root}/{path}" if path else self._root
        if full in self._made:
            return
        parent = os.path.dirname(path)
        self._directory(member, parent)
        with translated(full), suppress(FileExistsError):
            os.mkdir(full)
        if not os.path.isdir(full) or not self._holds(os.path.realpath(full)):
            raise self._refused(member, f"needs a directory {path!r}, and something else has its place")
        self._made.add(full)

    def _place(self, member: tarfile.TarInfo, path: str) -> str:
        """The full path of a file to be made; what was there before is gone."""
        self._directory(member, os.path.dirname(path))
        full = f"{self._root}/{path}"
        try:
            with suppress(FileNotFoundError):
                os.unlink(full)
        except OSError as exc:
            raise self._refused(member, "has the place of a directory") from exc
        return full

    def _inside(self, member: tarfile.TarInfo, name: str) -> str:
        """A member's path without `.` parts; empty for the root itself."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\0" in name:
            raise self._refused(member, f"would be written to {name!r}, outside of the archive's own directory")
        return "/".join(parts)

    def _holds(self, path: str) -> bool:
        return path == self._root or path.startswith(f"{self._root.rstrip('/')}/")

    def _refused(self, member: tarfile.TarInfo, why: str) -> UnsafeArchive:
        return UnsafeArchive(
            f"the member {member.name!r} {why}", where=f"{self._archive}: {member.name}", fix=_DO_NOT_TRUST
        )
