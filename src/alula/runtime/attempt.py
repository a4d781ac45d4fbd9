"""One attempt of a task: what containers and workers do alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from alula._kits import bridge
from alula.data.layout import Outputs
from alula.data.objects import ObjectStore
from alula.errors import DamagedData
from alula.idl import DynamicJobSpec, LiteralMap, WorkflowExecutionIdentifier
from alula.runtime import failures
from alula.runtime.arguments import Arguments
from alula.runtime.surroundings import settings
from alula.sdk import current, deck, resolver
from alula.sdk.compiler import SerializationSettings
from alula.sdk.dispatch import dispatch
from alula.sdk.dynamic import DynamicTask
from alula.sdk.graph import Entity
from alula.sdk.local import LocalRun
from alula.sdk.progress import Send

_UNUSED = SerializationSettings()
"""Only dynamic tasks register anything."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A task that has been found."""

    entity: Entity
    bound: frozenset[str] | None
    """Of a mapped task: the inputs that are the same for every item. None: it is not mapped."""

    @property
    def retries(self) -> int:
        """How many the task asks for."""
        return failures.retries_of(self.entity)


def load(arguments: Arguments) -> Loaded:
    """The task that a command line names. Raises ConfigError, and what the user's modules raise."""
    if not arguments.mapped:
        return Loaded(resolver.load(arguments.resolver, arguments.loader_args), None)
    found = resolver.load_mapped(arguments.loader_args)
    return Loaded(found.target, found.bound)


def perform(
    entity: Entity, inputs: LiteralMap, run: LocalRun, environment: Mapping[str, str]
) -> LiteralMap | DynamicJobSpec:
    """Run the task once. Raises whatever the user's code raises."""
    dynamic = isinstance(entity, DynamicTask)
    return dispatch(entity, inputs, run, settings(environment, run.place) if dynamic else _UNUSED)


def read_inputs(content: bytes, where: str) -> LiteralMap:
    """The inputs of a task. Raises DamagedData."""
    try:
        return LiteralMap.FromString(content)
    except DecodeError as exc:
        raise DamagedData(
            f"the inputs of the task are {len(content)} bytes that are no LiteralMap: {exc}",
            where=where,
            fix="pass the inputs.pb that the platform wrote for this task",
        ) from exc


def execution(
    id: WorkflowExecutionIdentifier,
    store: ObjectStore,
    *,
    prefix: str,
    raw: str,
    checkpoint: str,
    former: str,
    progress: Send,
    saved: Callable[[str], None] | None = None,
) -> current.Execution:
    """What the user's code sees of the execution.

    Args:
        prefix: Where its outputs go.
        raw: Below it go the files that its outputs point to.
        checkpoint: The prefix of what it saves for the attempt after it.
        former: The prefix of what the attempt before it has saved; empty if there was none.
        progress: Takes what `alula.progress` is told.
        saved: Takes the prefix of a checkpoint whenever the task has saved to it.
    """

    def publish(context: current.Context) -> None:
        page = deck.page(context.decks, title=context.task_id.name)
        bridge.run(store.write(Outputs(prefix).deck, page.encode()))

    return current.Execution(
        id=id,
        local=False,
        raw_output_prefix=raw,
        output_metadata_prefix=prefix,
        objects=store,
        checkpoint_destination=checkpoint,
        checkpoint_previous=former,
        publish=publish,
        progress=lambda _, done, message: progress(done, message),
        saved=saved,
    )
