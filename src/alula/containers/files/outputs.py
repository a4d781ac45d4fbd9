"""Outputs from files: each read by its declared type, files and tables uploaded."""

from __future__ import annotations

import os
import pickle
import stat
from pathlib import Path

from alula._kits.aio import gather, to_thread
from alula.containers.files import values
from alula.containers.files.places import ERROR, SAID, folders, misnamed
from alula.data import uris
from alula.data.objects import ObjectStore
from alula.errors import ConversionError, DataError, TaskFailure
from alula.idl import DataLoadingConfig, IOStrategy, Literal, LiteralMap, LiteralType, TaskTemplate, containers
from alula.idl import literals as build
from alula.idl.types import accepts_none, type_text

VALUE_BYTES = 10 * 1024 * 1024
"""Of one value that is no file; beyond it a file is what is meant."""
ERROR_BYTES = 1024 * 1024
_AT_A_TIME = 8
CODE = "OutputUploadFailed"


async def take_out(objects: ObjectStore, template: TaskTemplate, folder: Path, raw_prefix: str) -> LiteralMap:
    """The outputs that a command left in `folder`, with files, directories and tables uploaded below `raw_prefix`.

    Links that lead out of the folder are never followed. May be called again after a failure.

    Raises:
        TaskFailure: The command left an `_ERROR`, whose text it shows; or with all faults of all outputs.
    """
    if await to_thread(folder.is_symlink):
        raise _failure(template, ["the directory itself is a link"], again=False)
    said = await to_thread(error_text, folder)
    if said:
        raise TaskFailure(said, code=SAID, recoverable=True)
    config = containers.files_of(template)
    work = _Taking(objects, folder, raw_prefix, _copies(config))
    wanted = sorted(template.interface.outputs.variables.items())
    bad = misnamed(name for name, _ in wanted)
    if bad:
        raise _failure(template, [f"output {name!r}: {why}" for name, why in bad.items()], again=False)

    async def one(item: tuple[str, LiteralType]) -> tuple[str, Literal | ConversionError | DataError]:
        name, t = item
        try:
            return name, await work.take(folder / name, t, name)
        except (ConversionError, DataError) as exc:
            return name, exc

    taken = dict(await gather(one, [(name, variable.type) for name, variable in wanted], limit=_AT_A_TIME))
    faults = {name: made for name, made in taken.items() if not isinstance(made, Literal)}
    if faults:
        shown = [exc.about(f"output {name!r}") for name, exc in faults.items()]
        raise _failure(template, shown, again=all(isinstance(exc, DataError) for exc in faults.values()))
    return build.literal_map({name: made for name, made in taken.items() if isinstance(made, Literal)})


def error_text(folder: Path) -> str:
    """What the command says went wrong: the text of its `_ERROR`; empty if it left none, or nothing in it."""
    path = folder / ERROR
    if folder.is_symlink() or path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(ERROR_BYTES).decode(errors="replace").strip()


class _Taking:
    """Reads the outputs of one task from one folder."""

    def __init__(self, objects: ObjectStore, folder: Path, prefix: str, copies: bool) -> None:
        self._objects, self._prefix, self._copies = objects, prefix, copies
        self._root = folder.resolve()

    async def take(self, path: Path, t: LiteralType, at: str) -> Literal:
        """What is at a path, as a value of a type. Raises ConversionError and DataError."""
        if values.is_none(t):
            return build.none()
        shape = await to_thread(self._shape, path)
        if t.WhichOneof("type") == "union_type":
            return await self._of_union(path, t, at, shape)
        if not shape:
            raise ConversionError(f"there is no file {path.name}", fix=f"write a {type_text(t)} to it")
        if self._copies and t.WhichOneof("type") in values.FILES:
            return await self._file(path, t, at, shape)
        if self._copies and shape == "directory" and values.holds_files(t):
            return await self._members(path, t, at)
        content = await to_thread(self._content, path, t, shape)
        if t.WhichOneof("type") == "simple" and t.simple == values.BINARY:
            return build.binary(content, "")
        try:
            text = content.decode()
        except UnicodeDecodeError as exc:
            raise ConversionError(f"the file is no text in UTF-8: {exc}", fix="declare bytes, or a File") from exc
        if t.WhichOneof("type") in values.FILES:
            return values.from_plain(text.strip(), t)
        return values.from_text(text, t)

    async def _of_union(self, path: Path, t: LiteralType, at: str, shape: str) -> Literal:
        variants = sorted(t.union_type.variants, key=values.width)
        if not shape and accepts_none(t):
            return build.union(build.none(), next(one for one in variants if values.is_none(one)))
        if not shape:
            raise ConversionError(f"there is no file {path.name}", fix=f"write a {type_text(t)} to it")
        faults: list[str] = []
        for variant in variants:
            if values.is_none(variant):
                if shape == "file" and await to_thread(_says_none, path):
                    return build.union(build.none(), variant)
                continue
            try:
                return build.union(await self.take(path, variant, at), variant)
            except ConversionError as exc:
                faults.append(f"{type_text(variant)}: {exc.what}")
        raise ConversionError(f"expected {type_text(t)}, and it is none of them ({'; '.join(faults)})")

    async def _members(self, path: Path, t: LiteralType, at: str) -> Literal:
        """A list or dict with files in it, from a directory with an entry for each."""
        names = await to_thread(lambda: sorted(os.listdir(path)))
        if t.HasField("map_value_type"):
            return build.mapping({n: await self.take(path / n, t.map_value_type, f"{at}/{n}") for n in names})
        wanted = [str(nth) for nth in range(len(names))]
        if sorted(wanted) != names:
            raise ConversionError(
                f"the directory {path.name} holds {', '.join(names)[:80]}, and a list is the entries 0, 1, 2, ...",
                fix="number them from 0, without a gap and without zeros before",
            )
        return build.collection([await self.take(path / n, t.collection_type, f"{at}/{n}") for n in wanted])

    async def _file(self, path: Path, t: LiteralType, at: str, shape: str) -> Literal:
        uri = uris.join(self._prefix, at)
        if t.HasField("blob"):
            wanted = "directory" if values.is_directory(t) else "file"
            if shape != wanted:
                raise ConversionError(f"there is a {shape}, and a {wanted} is declared")
            if values.is_bytes(t):
                content = await to_thread(self._content, path, t, shape)
                await self._objects.write(uri, pickle.dumps(content, 5))
            else:
                await self._upload(path, uri)
            return build.blob(uri, format=t.blob.format, multipart=wanted == "directory")
        await self._upload(path, uri)
        return await to_thread(values.table, uri, t, path)

    async def _upload(self, path: Path, uri: str) -> None:
        await to_thread(self._safe, path)
        await self._objects.upload(path, uri)

    def _safe(self, path: Path) -> None:
        """Raise ConversionError unless all that is at a path is files and directories of the folder itself."""
        for parent, inner, files in os.walk(path):
            for name in (*inner, *files):
                self._shape(Path(parent, name))

    def _shape(self, path: Path) -> str:
        """`file`, `directory`, or nothing. Raises ConversionError for anything else."""
        try:
            real = path.resolve(strict=True)
            mode = real.stat().st_mode
        except FileNotFoundError:
            if path.is_symlink():
                raise ConversionError(f"{path.name} is a link to nothing here") from None
            return ""
        except (OSError, RuntimeError) as exc:  # a loop of links
            raise ConversionError(f"{path.name} cannot be read: {exc}") from exc
        if real != self._root and self._root not in real.parents:
            raise ConversionError(f"{path.name} is a link that leads out of the output directory")
        if stat.S_ISDIR(mode):
            return "directory"
        if stat.S_ISREG(mode):
            return "file"
        raise ConversionError(f"{path.name} is neither a file nor a directory")

    @staticmethod
    def _content(path: Path, t: LiteralType, shape: str) -> bytes:
        if shape != "file":
            raise ConversionError(f"there is a directory, and a {type_text(t)} is declared")
        size = path.stat().st_size
        if size > VALUE_BYTES:
            raise ConversionError(
                f"the file has {size} bytes, and a {type_text(t)} at most {VALUE_BYTES}", fix="declare a File"
            )
        return path.read_bytes()


def _says_none(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).strip() == values.NONE.encode()


def _copies(config: DataLoadingConfig) -> bool:
    return config.io_strategy.upload_mode != IOStrategy.DO_NOT_UPLOAD


def _failure(template: TaskTemplate, faults: list[str], *, again: bool) -> TaskFailure:
    path = folders(template).outputs
    there = f" in {path}" if path else ""
    return TaskFailure(
        f"container task '{template.id.name}' did not leave its outputs{there}: {'; '.join(faults)}",
        where=template.id.name,
        fix="" if again else "write each output to a file of its name; docs/how-to/raw-containers.md has the forms",
        code=CODE,
        recoverable=True,
        origin="system" if again else "user",
    )
