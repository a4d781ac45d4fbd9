"""A container task run once by the engine at hand, without an engine of workflows: what a call of it does."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from alula._kits import owners, scratch
from alula._kits.aio import answered, to_thread
from alula._kits.units import quantity
from alula.containers.engine import archives, registries, where
from alula.containers.engine.attending import attended
from alula.containers.engine.calls import Engine
from alula.containers.engine.docker import DockerEngine
from alula.containers.engine.records import Spec
from alula.containers.files.commands import Command, command, put_asked
from alula.containers.files.inputs import lay_in
from alula.containers.files.outputs import error_text, take_out
from alula.containers.files.places import SAID, Folders, folders
from alula.data.layout import Attempt
from alula.data.objects import ObjectStore
from alula.errors import ImageMissing, RemoteError, TaskFailure
from alula.idl import LiteralMap, Resources, TaskTemplate

LABEL = "alula.dev/local"
"""The label of containers of calls; those of an engine's attempts have others."""
OWNER = "alula.dev/owner"
"""The label with the process that a call was made in: one that was killed could not remove its container."""
_OUTPUT_BYTES = 50 << 30
_STOP_SECONDS = 5.0
_TAIL_LINES = 20


@dataclass(frozen=True, slots=True)
class Call:
    """How a container task is called here."""

    prefix: str
    """The URI below which its files go."""
    url: str = ""
    """Of the container engine; empty: wherever Docker's own client looks."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables beyond those of the task, as its secrets."""
    show: Callable[[bytes], object] = lambda printed: None
    """Gets what the container prints, as it does."""


async def run(template: TaskTemplate, inputs: LiteralMap, objects: ObjectStore, call: Call) -> LiteralMap:
    """The outputs of a container task. Its container is gone afterwards, however it ended; cancelling it does so, too.

    Raises:
        TaskFailure: There is no engine; its inputs, its container or its outputs are at fault.
        RemoteError: The engine does not answer, or refuses.
        ConversionError: The command asks for inputs that it cannot get.
    """
    url = where.find(call.url)
    if not url:
        raise TaskFailure(
            f"container task '{template.id.name}' needs a container engine, and {where.NONE_HERE}",
            where=template.id.name,
            fix=f"{where.HINT}; without one, `alula container verify FILE TASK` tries its command as a plain process, "
            "and in tests `alula.testing.task_mock` stands in for it",
            code="NoContainerEngine",
            origin="system",
        )
    inside, name = folders(template), f"alula-call-{uuid.uuid4().hex[:16]}"
    files = Attempt(call.prefix)
    made = command(template, inputs, files, name=name)
    with scratch.Lent("call") as here, archives.spool() as archive:
        if inside.inputs:
            await lay_in(objects, template, inputs, Path(here, "inputs"))
        await put_asked(objects, template, inputs, files)
        await to_thread(_pack, inside, Path(here, "inputs"), archive)
        async with DockerEngine(url) as engine:
            await _sweep(engine)
            try:
                await _made(engine, _spec(name, made, template, call))
                await engine.put(name, archive)
                await engine.start(name)
                await attended(engine, name, call.show)
                folder = await _taken(engine, name, inside, Path(here, "outputs"))
                await _check(engine, name, template, folder)
                return await take_out(objects, template, folder, files.raw)
            finally:
                await answered(_removed(engine, name))


async def _removed(engine: Engine, name: str) -> None:
    try:
        await engine.stop(name, _STOP_SECONDS)
    finally:
        await engine.remove(name)


async def _sweep(engine: Engine) -> None:
    """Remove what calls have left whose process was killed."""
    for one in await engine.list(LABEL):
        if owners.gone(one.labels.get(OWNER, "")):
            await engine.remove(one.name)


async def _made(engine: Engine, spec: Spec) -> None:
    try:
        await answered(engine.create(spec))
    except ImageMissing:
        auth = await registries.of_login(spec.image)
        await engine.pull(registries.full_name(spec.image) if auth else spec.image, auth)
        await answered(engine.create(spec))


async def _taken(engine: Engine, name: str, inside: Folders, folder: Path) -> Path:
    """The directory with what a container left; an empty one if that is nothing."""
    await to_thread(folder.mkdir)
    if not inside.outputs:
        return folder
    with archives.spool() as archive:
        there = await engine.take(name, inside.outputs, archive, _OUTPUT_BYTES)
        return await to_thread(archives.unpack, archive, folder) if there else folder


async def _check(engine: Engine, name: str, template: TaskTemplate, folder: Path) -> None:
    """Raise TaskFailure unless a container ended well."""
    said = await to_thread(error_text, folder)
    if said:
        raise TaskFailure(said, code=SAID, recoverable=True)
    found = await engine.inspect(name)
    if not found.status.over:
        raise RemoteError(f"container {name} is {found.status} when its output has ended", where=engine.url)
    if found.out_of_memory:
        raise TaskFailure("its container used more memory than it may", code="OOMKilled", recoverable=True)
    if found.exit_code:
        tail = (await engine.tail(name, _TAIL_LINES)).strip()
        what = f"its container ended with exit code {found.exit_code}"
        said = f"{what}; its log ends with:\n{tail}" if tail else f"{what}; it has printed nothing"
        raise TaskFailure(said, where=template.id.name, code="USER:Exited", recoverable=True)


def _spec(name: str, made: Command, template: TaskTemplate, call: Call) -> Spec:
    limits = {entry.name: quantity(entry.value) for entry in template.container.resources.limits}
    return Spec(
        name=name,
        image=made.image,
        entrypoint=made.entrypoint,
        args=made.args,
        environ={**made.environ, **call.environ},
        labels={LABEL: name, OWNER: owners.of_this_process(name)},
        memory_bytes=int(limits.get(Resources.MEMORY, 0)),
        cpus=limits.get(Resources.CPU, 0.0),
        gpus=int(limits.get(Resources.GPU, 0)),
    )


def _pack(inside: Folders, laid: Path, archive: BinaryIO) -> None:
    packing = archives.Packing(archive)
    if inside.inputs:
        packing.folder(inside.inputs, laid)
    if inside.outputs:
        packing.open_folder(inside.outputs)
    packing.close()
