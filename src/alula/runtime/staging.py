"""The places of one attempt of flytekit's on this machine: a directory to run in, its inputs, and what it leaves.

It also runs where only flytekit's packages are installed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError, Message

from alula.data.layout import Attempt
from alula.idl import ContainerError, DynamicJobSpec, ErrorDocument, ExecutionError, LiteralMap
from alula.idl import worker as wire
from alula.runtime.printed import LogFiles

_MOST_SENT = 256 * 1024
"""Outputs that are longer stay in their file, and keep no engine busy with reading them here."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where one attempt runs.

    Args:
        job: What to run.
        scratch: A directory whose content is removed after the attempt.
        files: Which URIs are files of this machine.
    """

    job: wire.Run
    scratch: Path
    files: LogFiles

    @property
    def work(self) -> Path:
        """The working directory: empty but for links to what is in the code bundle."""
        return self.scratch / "work"

    @property
    def temporary(self) -> Path:
        """For temporary files."""
        return self.scratch / "tmp"

    @property
    def home(self) -> Path | None:
        """The prefix of the attempt, if it is a directory of this machine."""
        return self.files.local_path(self.job.prefix)

    @property
    def at(self) -> Attempt:
        """The attempt's files, as flytekit names them: paths where they can be, for it stumbles over `file://`."""
        return Attempt(self._path(self.job.prefix), self._path(self.job.user_data))

    @property
    def inputs(self) -> Path:
        return Path(self.at.inputs) if self.home is not None else self.scratch / "inputs.pb"

    def set(self, code: Path | None) -> None:
        """Make the places, and take away what an attempt of this number left that was cut short. Raises OSError."""
        for directory in (self.work, self.temporary, *([self.home] if self.home is not None else [])):
            directory.mkdir(parents=True, exist_ok=True)
        if self.home is not None:
            for left in (self.at.error, self.at.futures, self.at.outputs):
                Path(left).unlink(missing_ok=True)
        self.inputs.write_bytes(self.job.inputs)
        if code is not None:
            for entry in os.scandir(code):
                if entry.name != "__pycache__":
                    os.symlink(entry.path, self.work / entry.name)

    def places(self, template: bytes) -> Mapping[str, str]:
        """What the templates of a command line stand for."""
        project, domain, execution, _ = self.job.attempt
        at = self.at
        key = re.sub(r"[^A-Za-z0-9_]+", "_", f"a{execution}_{self.job.prefix[-60:]}")
        file = self.scratch / "task.pb"
        file.write_bytes(template)
        return {
            "input": str(self.inputs),
            "inputprefix": str(self.inputs.parent),
            "outputprefix": at.prefix,
            "rawoutputdataprefix": at.raw,
            "checkpointoutputprefix": at.checkpoint,
            "prevcheckpointprefix": self._path(self.job.checkpoint) or '""',
            "perretryuniquekey": key,
            "tasktemplatepath": str(file),
            "namespace": f"{project}-{domain}",
        }

    def result(self) -> tuple[int, bytes] | None:
        """What the attempt left, as its worker says it; None: nothing. Elsewhere, the engine looks for itself."""
        if self.home is None:
            return wire.WRITTEN, b""
        looked: tuple[tuple[int, str, type[Message]], ...] = (
            (wire.ERROR, self.at.error, ErrorDocument),
            (wire.FUTURES, self.at.futures, DynamicJobSpec),
            (wire.OUTPUTS, self.at.outputs, LiteralMap),
        )
        for kind, path, message in looked:
            with suppress(FileNotFoundError):
                content = Path(path).read_bytes()
                if kind != wire.ERROR and len(content) > _MOST_SENT:
                    return wire.WRITTEN, b""
                with suppress(DecodeError):
                    message.FromString(content)
                    return kind, content
                return wire.WRITTEN, b""  # the engine finds it damaged, and says so
        return None

    def saved(self) -> str:
        """The prefix of the attempt's checkpoint, if it left one on this machine."""
        return Attempt(self.job.prefix).checkpoint if has_checkpoint(self.home) else ""

    def _path(self, uri: str) -> str:
        local = self.files.local_path(uri) if uri else None
        return str(local) if local is not None else uri


def code_of(prepared: wire.Prepare) -> Path | None:
    """The directory of a task's code, from what its zygote was told; None: it is installed."""
    found = prepared.directory or next(iter(prepared.paths), "")
    return Path(found) if found else None


def has_checkpoint(home: Path | None) -> bool:
    """Whether an attempt with its files in this directory has saved a checkpoint."""
    if home is None:
        return False
    with suppress(OSError):
        return any(os.scandir(Attempt(str(home)).checkpoint))
    return False


def variables_of_map(index: int) -> dict[str, str]:
    """Added for an element of a map, whose lists hold nothing but its own item: that is at place 0 for flytekit, while
    the task still reads its true index where it is used to."""
    return {"BATCH_JOB_ARRAY_INDEX_OFFSET": str(-index)} if index >= 0 else {}


def fault(code: str, message: str) -> tuple[int, bytes]:
    """An attempt that came to nothing, and not by its own fault: it may be tried again."""
    error = ContainerError(code=code, message=message, kind=ContainerError.RECOVERABLE, origin=ExecutionError.SYSTEM)
    return wire.ERROR, ErrorDocument(error=error).SerializeToString()


def nothing_left() -> tuple[int, bytes]:
    """An attempt that ended well and without a word."""
    what = "the task left neither outputs nor an error, and its process ended with exit code 0"
    return fault("SYSTEM:NoOutputs", f"{what}: sys.exit was called; the log may say more")


def left_early(why: str) -> tuple[int, bytes]:
    """An attempt that was ended by its task, which is one of its failures as any other."""
    message = f"{why} before it left outputs or an error; the log may say more. Raise an exception instead"
    error = ContainerError(
        code="USER:Exited", message=message, kind=ContainerError.RECOVERABLE, origin=ExecutionError.USER
    )
    return wire.ERROR, ErrorDocument(error=error).SerializeToString()
