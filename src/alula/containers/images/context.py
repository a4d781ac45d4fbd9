"""The build context: a Dockerfile and the files that it copies, as a tar archive that is addressed by its content."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from alula.containers.images.recipe import FILES, REQUIREMENTS, Recipe
from alula.data.local import translated
from alula.errors import ConfigError

DOCKERFILE = "Dockerfile"
_TIME = 315_532_800
"""Of every file in an archive: the first second of 1980. The builder's cache does not look at it."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a builder is given.

    Args:
        recipe: What is made of it.
        files: Paths below the working directory of the image, to the files of this machine that become them.
        requirements: Content of a requirements file.
        wheel: Content of the wheel that the recipe names.
    """

    recipe: Recipe
    files: Mapping[str, Path] = field(default_factory=dict)
    requirements: bytes = b""
    wheel: bytes = b""

    @property
    def dockerfile(self) -> str:
        """Raises ConfigError."""
        return self.recipe.dockerfile

    def digest(self) -> str:
        """A hash of all that is in it. Raises DataError, ConfigError."""
        found = hashlib.sha256()
        for name, content in self._texts().items():
            found.update(f"{name}\0{len(content)}\0".encode() + content)
        for name, path in sorted(self.files.items()):
            with translated(str(path)), open(path, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode & stat.S_IXUSR
                found.update(f"{name}\0{mode}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\0".encode())
        return found.hexdigest()

    def write(self, out: IO[bytes]) -> None:
        """Write the archive. Raises DataError, ConfigError."""
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, content in self._texts().items():
                archive.addfile(_member(name, len(content)), io.BytesIO(content))
            for name, path in sorted(self.files.items()):
                with translated(str(path)), open(path, "rb") as file:
                    status = os.fstat(file.fileno())
                    member = _member(
                        f"{FILES}/{_inside(name)}", status.st_size, run=bool(status.st_mode & stat.S_IXUSR)
                    )
                    archive.addfile(member, file)

    def _texts(self) -> dict[str, bytes]:
        made = {DOCKERFILE: self.dockerfile.encode()}
        if self.recipe.requirements:
            made[REQUIREMENTS] = self.requirements
        if self.recipe.wheel:
            made[self.recipe.wheel] = self.wheel
        return made


def _member(name: str, size: int, *, run: bool = False) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, _TIME, 0o755 if run else 0o644
    return member


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ConfigError(f"{name!r} is no place below the working directory of an image")
    return str(path)
