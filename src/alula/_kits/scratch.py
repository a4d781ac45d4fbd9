"""Directories for a while. What a process leaves that was killed, the next one removes."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import weakref
from pathlib import Path

from alula._kits import owners

_PREFIX = "alula-"
_PARTS = 4
"""Of the name of an owner."""


def directory(what: str) -> Path:
    """A new, empty directory of this process, for whoever asks to remove. Raises OSError.

    Args:
        what: A word that tells whoever finds it what it is.
    """
    owner = owners.of_this_process(secrets.token_hex(4)).replace(":", "-")
    path = Path(tempfile.gettempdir(), f"{_PREFIX}{what}-{owner}")
    path.mkdir(mode=0o700)
    return path


class Lent:
    """A directory for the length of a block; it also goes when nobody knows of it any more. Raises OSError."""

    def __init__(self, what: str) -> None:
        self.path = directory(what)
        self._remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *exc: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove it now; done already is fine."""
        self._remove()


def sweep() -> None:
    """Remove the directories of this user's processes that have ended without doing so."""
    try:
        found = os.scandir(tempfile.gettempdir())
    except OSError:
        return
    with found:
        for entry in found:
            if _left(entry):
                shutil.rmtree(entry.path, ignore_errors=True)


def _left(entry: os.DirEntry[str]) -> bool:
    """Whether something is a directory of ours, and nobody's any more."""
    word, *owner = entry.name.rsplit("-", _PARTS)
    if not word.startswith(_PREFIX) or not owners.gone(":".join(owner)):
        return False
    try:
        return entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
    except OSError:
        return False
