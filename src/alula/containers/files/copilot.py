"""`alula-copilot`: fetches the inputs of a container that knows nothing of Alula, and puts its outputs away.

    alula-copilot download --template URI --inputs URI --output-prefix URI --folder DIR [--seen DIR] [--timeout S]
    alula-copilot upload --template URI --output-prefix URI --raw-prefix URI --folder DIR [--timeout S]

Where an engine is not on the machine of the container, the two run before and after it: in a pod as containers that
share its directories. What goes wrong is left in `error.pb`, and the exit code is 1 then, so that nothing comes after.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TypeVar

from google.protobuf.message import DecodeError, Message

from alula._kits import bridge, standard
from alula.containers.files.inputs import CODE as DOWNLOAD
from alula.containers.files.inputs import lay_in
from alula.containers.files.outputs import CODE as UPLOAD
from alula.containers.files.outputs import take_out
from alula.data.layout import Outputs
from alula.data.objects import ObjectStore
from alula.data.stores import Objects
from alula.errors import AlulaError, DamagedData, DataError, TaskFailure
from alula.idl import ContainerError, ErrorDocument, ExecutionError, LiteralMap, TaskTemplate

_TIMEOUT_SECONDS = 3600.0
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Errand:
    """What a copilot is sent for. Its command line is `words`; `read` is the way back."""

    what: str
    """`download` or `upload`."""
    template: str
    """The URI of the task's template."""
    output_prefix: str
    folder: str
    inputs: str = ""
    """The URI of the inputs, for a download."""
    raw_prefix: str = ""
    """Where files go, for an upload."""
    seen: str = ""
    """The path that the task knows the folder by, if it has another one."""
    timeout: float = _TIMEOUT_SECONDS
    """In seconds."""

    def words(self) -> list[str]:
        """The command line, without the program."""
        named = {
            "--template": self.template,
            "--inputs": self.inputs,
            "--output-prefix": self.output_prefix,
            "--raw-prefix": self.raw_prefix,
            "--folder": self.folder,
            "--seen": self.seen,
            "--timeout": f"{self.timeout:g}",
        }
        return [self.what, *(word for flag, value in named.items() if value for word in (flag, value))]


def read(argv: Sequence[str]) -> Errand:
    """The errand of a command line. Ends the process with what is wrong with it, and exit code 2."""
    parser = argparse.ArgumentParser("alula-copilot", description="Moves the files of a container task.")
    kinds = parser.add_subparsers(dest="what", required=True)
    for what, own in (("download", "--inputs"), ("upload", "--raw-prefix")):
        kind = kinds.add_parser(what)
        for flag in ("--template", own, "--output-prefix", "--folder"):
            kind.add_argument(flag, required=True)
        kind.add_argument("--timeout", type=float, default=_TIMEOUT_SECONDS)
        if what == "download":
            kind.add_argument("--seen", default="")
    return Errand(**vars(parser.parse_args(argv)))


async def run(errand: Errand, objects: ObjectStore) -> TaskFailure | None:
    """Do it, and leave `outputs.pb` after an upload, or `error.pb` if it failed.

    Raises:
        DataError: Not even the error could be written.
    """
    places = Outputs(errand.output_prefix)
    try:
        async with asyncio.timeout(errand.timeout):
            await (_download if errand.what == "download" else _upload)(errand, objects, places)
        return None
    except TaskFailure as exc:
        failure = exc
    except AlulaError as exc:
        failure = _ours(errand, exc, again=isinstance(exc, DataError) and not isinstance(exc, DamagedData))
    except TimeoutError as exc:
        failure = _ours(errand, exc, again=True)
    await objects.write(places.error, _document(failure).SerializeToString())
    return failure


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The command `alula-copilot`. The exit code is 1 if the errand failed."""
    standard.fill()
    errand = read(sys.argv[1:] if argv is None else argv)
    try:
        failure = bridge.run(run(errand, Objects()))
    except DataError as exc:
        sys.exit(str(exc))
    sys.exit(str(failure) if failure else 0)


async def _download(errand: Errand, objects: ObjectStore, places: Outputs) -> None:
    template = await _message(objects, errand.template, TaskTemplate())
    inputs = await _message(objects, errand.inputs, LiteralMap())
    await lay_in(objects, template, inputs, Path(errand.folder), seen=errand.seen)


async def _upload(errand: Errand, objects: ObjectStore, places: Outputs) -> None:
    template = await _message(objects, errand.template, TaskTemplate())
    outputs = await take_out(objects, template, Path(errand.folder), errand.raw_prefix)
    await objects.write(places.outputs, outputs.SerializeToString(deterministic=True))


async def _message(objects: ObjectStore, uri: str, into: M) -> M:
    """A message that lies at a URI. Raises DataError."""
    content = await objects.read(uri)
    try:
        into.ParseFromString(content)
    except DecodeError as exc:
        raise DamagedData(f"the {len(content)} bytes are no {type(into).__name__}: {exc}", where=uri) from exc
    return into


def _ours(errand: Errand, exc: Exception, *, again: bool) -> TaskFailure:
    why = str(exc) if isinstance(exc, AlulaError) else f"it took longer than {errand.timeout:g} s"
    what = f"the {errand.what} of the files of a container task failed: {why}"
    code = DOWNLOAD if errand.what == "download" else UPLOAD
    return TaskFailure(what, where=errand.output_prefix, code=code, recoverable=again, origin="system")


def _document(failure: TaskFailure) -> ErrorDocument:
    made = ErrorDocument(
        error=ContainerError(
            code=failure.code,
            message=str(failure),
            kind=ContainerError.RECOVERABLE if failure.recoverable else ContainerError.NON_RECOVERABLE,
            origin=ExecutionError.SYSTEM if failure.origin == "system" else ExecutionError.USER,
        )
    )
    made.error.timestamp.FromDatetime(datetime.now(UTC))
    return made
