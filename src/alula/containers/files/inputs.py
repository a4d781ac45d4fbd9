"""Inputs as files: one for each, and one that describes them all."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import yaml
from google.protobuf.message import DecodeError

from alula._kits.aio import gather, to_thread
from alula.containers.files import values
from alula.containers.files.places import folders, misnamed
from alula.data.objects import ObjectStore
from alula.errors import ConversionError, DamagedData, DataError, ObjectNotFound, TaskFailure
from alula.idl import DataLoadingConfig, IOStrategy, Literal, LiteralMap, LiteralType, TaskTemplate, containers
from alula.idl import literals as build

_AT_A_TIME = 8
"""Inputs that are fetched at once; a directory's files come in parallel anyway."""
CODE = "InputDownloadFailed"


async def lay_in(
    objects: ObjectStore, template: TaskTemplate, inputs: LiteralMap, folder: Path, *, seen: str = ""
) -> None:
    """Put each input into a file or directory `folder/<name>`, and all of them into `inputs.pb` and `inputs.json` (or
    `inputs.yaml`), where files are named by their paths.

    May be called again after a failure, with an empty folder.

    Args:
        folder: Made if need be.
        seen: The path that the command knows the folder by; empty: the one that the template says.

    Raises:
        TaskFailure: With all faults. The command must not start. Another attempt may succeed if a store was at fault.
    """
    config = containers.files_of(template)
    work = _Laying(objects, folder, seen or folders(template).inputs or str(folder), _copies(config))
    await to_thread(folder.mkdir, parents=True, exist_ok=True)
    wanted = sorted(template.interface.inputs.variables.items())
    bad = misnamed(name for name, _ in wanted)
    if bad:
        raise _failure(template, [f"input {name!r}: {why}" for name, why in bad.items()], again=False)

    async def one(item: tuple[str, LiteralType]) -> tuple[str, Literal | ConversionError | DataError]:
        name, t = item
        try:
            if name not in inputs.literals:
                raise ConversionError("there is no value")
            return name, await work.lay(inputs.literals[name], t, name)
        except (ConversionError, DataError) as exc:
            return name, exc

    laid = dict(await gather(one, [(name, variable.type) for name, variable in wanted], limit=_AT_A_TIME))
    faults = {name: made for name, made in laid.items() if not isinstance(made, Literal)}
    if faults:
        shown = [f"input {name!r}: {exc.what}" for name, exc in faults.items()]
        fix = next((exc.fix for exc in faults.values() if exc.fix), "")
        raise _failure(template, shown, fix, again=any(_may_pass(exc) for exc in faults.values()))
    done = {name: made for name, made in laid.items() if isinstance(made, Literal)}
    await to_thread(_describe, folder, done, config.format)


class _Laying:
    """Puts the inputs of one task into one folder."""

    def __init__(self, objects: ObjectStore, folder: Path, seen: str, copies: bool) -> None:
        self._objects, self._folder, self._seen, self._copies = objects, folder, seen.rstrip("/"), copies

    async def lay(self, lit: Literal, t: LiteralType, at: str) -> Literal:
        """The value with paths for URIs, once it is at `folder/<at>`. Raises ConversionError and DataError."""
        match build.kind(lit):
            case "offloaded_metadata":
                return await self.lay(await self._fetched(lit.offloaded_metadata.uri), t, at)
            case "union":
                return await self.lay(lit.scalar.union.value, lit.scalar.union.type, at)
            case "blob" | "schema" | "structured_dataset" as kind if self._copies:
                return await self._file(lit, kind, t, at)
            case "collection" if values.holds_files(t) and self._copies:
                await to_thread((self._folder / at).mkdir, parents=True)
                parts = enumerate(lit.collection.literals)
                return build.collection([await self.lay(one, t.collection_type, f"{at}/{nth}") for nth, one in parts])
            case "map" if values.holds_files(t) and self._copies:
                await to_thread((self._folder / at).mkdir, parents=True)
                bad = misnamed(lit.map.literals, reserved=False)
                if bad:
                    raise ConversionError("; ".join(f"key {key!r}: {why}" for key, why in bad.items()))
                entries = sorted(lit.map.literals.items())
                return build.mapping(
                    {key: await self.lay(one, t.map_value_type, f"{at}/{key}") for key, one in entries}
                )
            case "binary" if lit.scalar.binary.tag != "msgpack":
                content = lit.scalar.binary.value
            case _:
                content = values.text(lit).encode()
        await to_thread((self._folder / at).write_bytes, content)
        return lit

    async def _fetched(self, uri: str) -> Literal:
        """A value that lies elsewhere. Raises DataError."""
        content = await self._objects.read(uri)
        try:
            return Literal.FromString(content)
        except DecodeError as exc:
            raise DamagedData(f"the {len(content)} bytes are no Literal: {exc}", where=uri) from exc

    async def _file(self, lit: Literal, kind: str, t: LiteralType, at: str) -> Literal:
        uri = getattr(lit.scalar, kind).uri
        made = Literal()
        made.CopyFrom(lit)
        getattr(made.scalar, kind).uri = f"{self._seen}/{at}"
        if kind == "blob" and values.is_bytes(t):
            content = await self._objects.read(uri)
            raw = _raw_bytes(content)
            await to_thread((self._folder / at).write_bytes, content if raw is None else raw)
        else:
            await self._objects.download(uri, self._folder / at)
        return made


class _Inert(pickle.Unpickler):
    """Reads pickles of plain values, and of nothing that would have to be imported or called."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"{module}.{name}")


def _raw_bytes(content: bytes) -> bytes | None:
    """What a pickle of bytes holds; None: the content is something else, for whoever understands it."""
    try:
        value = _Inert(io.BytesIO(content)).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError):
        return None
    return value if type(value) is bytes else None


def _may_pass(exc: Exception) -> bool:
    """Whether it may be otherwise the next time: a store that does not answer, not one that has no such object."""
    return isinstance(exc, DataError) and not isinstance(exc, DamagedData | ObjectNotFound)


def _copies(config: DataLoadingConfig) -> bool:
    return config.io_strategy.download_mode != IOStrategy.DO_NOT_DOWNLOAD


def _describe(folder: Path, laid: Mapping[str, Literal], format: int) -> None:
    (folder / "inputs.pb").write_bytes(build.literal_map(laid).SerializeToString())
    if format == DataLoadingConfig.PROTO:
        return
    data = {name: values.plain(lit) for name, lit in laid.items()}
    if format == DataLoadingConfig.YAML:
        (folder / "inputs.yaml").write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=True), "utf-8")
    else:
        (folder / "inputs.json").write_text(values.document(data), "utf-8")


def _failure(template: TaskTemplate, faults: list[str], fix: str = "", *, again: bool) -> TaskFailure:
    return TaskFailure(
        f"the inputs of container task '{template.id.name}' cannot be laid out: {'; '.join(faults)}",
        where=template.id.name,
        fix=fix or "give values that have a form in files: docs/how-to/raw-containers.md lists them",
        code=CODE,
        recoverable=again,
        origin="system" if again else "user",
    )
