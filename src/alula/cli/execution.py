"""Running an entity from the command line: input literals in, output literals and reports out.

This is the seam to the engine: what runs the entity is this file's business alone.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alula._kits import bridge, lazy
from alula.config import home
from alula.data import uris
from alula.data.objects import ObjectStore
from alula.data.workspace import use, workspace
from alula.idl import LiteralMap, WorkflowExecutionIdentifier
from alula.sdk import current
from alula.sdk.graph import Entity
from alula.sdk.local import LocalRun, keep, kept_of, literal_of, place_at, running
from alula.types.transformer import Place

if TYPE_CHECKING:
    from alula.sdk import deck
else:
    deck = lazy.module("alula.sdk.deck")  # only a task with a report comes there

Observe = Callable[[str, str, str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One run, and where its files go: they stay when the process has ended."""

    id: str
    prefix: str
    """Blobs go here: below the user's own directory, or where the user wants them."""
    reports: Path
    """The directory of HTML reports. Made when there is one."""
    objects: ObjectStore

    @classmethod
    def new(cls, raw_output_data_prefix: str = "") -> Run:
        """A run with an id of its own. Nothing is written yet."""
        id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        here = home() / "runs" / id
        raw = str(here / "raw")
        if raw_output_data_prefix:
            wanted = raw_output_data_prefix.rstrip("/")
            raw = uris.join(wanted if "://" in wanted else str(Path(wanted).absolute()), id)
        return cls(id, raw, here / "reports", workspace().objects)

    @property
    def place(self) -> Place:
        return place_at(self.prefix, self.objects)


@dataclass(frozen=True, slots=True)
class Settings:
    """How an entity is run."""

    cache: bool = True
    overwrite_cache: bool = False
    answers: Mapping[str, Any] = field(default_factory=dict)
    """Values for gates, by name."""
    observe: Observe | None = None
    """Told what happens: see `alula.sdk.local.LocalRun`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    outputs: LiteralMap
    seconds: float


def run_entity(entity: Entity, inputs: LiteralMap, run: Run, settings: Settings | None = None) -> Outcome:
    """Run an entity to its end, in this process.

    Raises:
        BaseException: whatever ends the run; reports of tasks that came so far are written.
    """
    check(entity)
    settings = settings or Settings()
    began = time.monotonic()
    with use(replace(workspace(), prefix=run.prefix)):
        local = LocalRun(
            run.place,
            cache=settings.cache,
            overwrite_cache=settings.overwrite_cache,
            answers=settings.answers,
            observe=settings.observe,
            execution=_execution(run),
        )
        with running(local):
            kept = {
                name: kept_of(inputs.literals[name], one.converter, local.place)
                if name in inputs.literals
                else keep(one.default, one.converter, local.place)
                for name, one in entity.interface.inputs.items()
            }
            made = zip(entity.interface.outputs.items(), entity.perform(kept, local, None), strict=True)
            outputs = {name: literal_of(value, one.converter, local.place) for (name, one), value in made}
    return Outcome(LiteralMap(literals=outputs), time.monotonic() - began)


def check(entity: Entity) -> None:
    """Read the body of a workflow, which finds what is wrong with it before anything runs. Raises CompileError."""
    workflow = getattr(entity, "workflow", entity)  # of a launch plan
    read = getattr(workflow, "compile", None)
    if read is not None:
        read()


def _execution(run: Run) -> current.Execution:
    names: dict[int, str] = {}
    taken: set[str] = set()

    def publish(context: current.Context) -> None:
        """Write the report of a task; one that is written again replaces the former."""
        task = context.task_id.name
        name = names.get(id(context.decks))
        if name is None:
            number = sum(one.partition("~")[0] == task for one in taken)
            name = names[id(context.decks)] = f"{task}~{number + 1}" if number else task
            taken.add(name)
        page = deck.page(context.decks, title=task)
        bridge.run(run.objects.write(str(run.reports / f"{name}.html"), page.encode()))

    return current.Execution(
        id=WorkflowExecutionIdentifier(project="local", domain="local", name=run.id),
        raw_output_prefix=run.prefix,
        publish=publish,
    )
