"""Progress that a task saves so that its next attempt need not begin anew."""

from __future__ import annotations

import io
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import IO

from alula._kits import bridge
from alula.data.objects import ObjectStore
from alula.data.workspace import workspace
from alula.errors import CallError, DataError, ObjectNotFound

_STREAM_NAME = "_dst_cp"
"""Name of the object that holds bytes without a name of their own; flytekit reads and writes the same."""


class Checkpoint(ABC):
    """Where a task leaves its progress and finds what the attempt before it left."""

    @abstractmethod
    def prev_exists(self) -> bool:
        """Whether an earlier attempt may have left something."""

    @abstractmethod
    def restore(self, path: Path | str | None = None) -> Path | None:
        """Fetch what the earlier attempt saved into a directory; None if there is nothing. Fetched only once."""

    @abstractmethod
    def save(self, cp: Path | str | IO[bytes]) -> None:
        """Save a file, a directory, or what an open binary reader yields."""

    @abstractmethod
    def read(self) -> bytes | None:
        """The content of the one file that the earlier attempt saved; None if there is none."""

    @abstractmethod
    def write(self, b: bytes) -> None:
        """Save bytes, over what was written before."""


class SyncCheckpoint(Checkpoint):
    """Copies at once, in the caller's thread. One thread at a time.

    Args:
        checkpoint_dest: URI of the directory for what this attempt saves.
        checkpoint_src: URI of the directory that the earlier attempt saved to.
        objects: Where the URIs live; None: the stores of the workspace.
        saved: Is told the destination whenever something has been saved there.
    """

    def __init__(
        self,
        checkpoint_dest: str,
        checkpoint_src: str | None = None,
        *,
        objects: ObjectStore | None = None,
        saved: Callable[[str], None] | None = None,
    ) -> None:
        self._destination = checkpoint_dest.rstrip("/")
        self._source = (checkpoint_src or "").rstrip("/")
        self._objects = objects or workspace().objects
        self._restored: Path | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._saved, self._tell = False, saved

    @property
    def latest(self) -> str:
        """Where the newest progress is: what this attempt saved, else what it found; empty if there is none."""
        return self._destination if self._saved else self._source

    def prev_exists(self) -> bool:
        return bool(self._source)

    def restore(self, path: Path | str | None = None) -> Path | None:
        if not self._source:
            return None
        if self._restored is not None:
            return self._restored
        if path is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="checkpoint-", dir=workspace().directory)
            path = self._scratch.name
        target = Path(path)
        if target.exists() and not target.is_dir():
            raise CallError(
                f"{target} is a file, and a checkpoint is restored into a directory",
                where="checkpoint.restore()",
                fix="pass a directory, or nothing for a temporary one",
            )
        target.mkdir(parents=True, exist_ok=True)
        try:
            bridge.run(self._objects.download(self._source, target))
        except ObjectNotFound:
            return None  # the platform names a place for every retry, also after an attempt that saved nothing
        self._restored = target
        return target

    def save(self, cp: Path | str | IO[bytes]) -> None:
        if isinstance(cp, (str, os.PathLike)):
            path = Path(cp)
            target = self._destination if path.is_dir() else f"{self._destination}/{path.name}"
            bridge.run(self._objects.upload(path, target))
        elif isinstance(cp, io.IOBase) or hasattr(cp, "read"):
            bridge.run(self._objects.write(f"{self._destination}/{_STREAM_NAME}", cp.read()))
        else:
            raise CallError(
                f"a checkpoint is saved from a path or an open binary file, got {type(cp).__name__}: {cp!r:.80}",
                where="checkpoint.save()",
                fix="for bytes use checkpoint.write(...)",
            )
        self._saved = True
        if self._tell is not None:
            self._tell(self._destination)

    def read(self) -> bytes | None:
        directory = self.restore()
        if directory is None:
            return None
        files = sorted(directory.iterdir())
        if not files:
            return None
        if len(files) > 1:
            raise DataError(
                f"the checkpoint holds {len(files)} files, not one: {', '.join(file.name for file in files)}",
                where=self._source,
                fix="use checkpoint.restore() and read the files from the directory that it returns",
            )
        return files[0].read_bytes()

    def write(self, b: bytes) -> None:
        self.save(io.BytesIO(b))
