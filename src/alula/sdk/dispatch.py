"""One attempt of a task, from literals to literals: what a container does, and what a worker will do."""

from __future__ import annotations

from typing import Any

from alula._kits import bridge
from alula.errors import ConversionError
from alula.idl import DynamicJobSpec, LiteralMap
from alula.sdk import current
from alula.sdk.compiler import SerializationSettings
from alula.sdk.dynamic import DynamicTask
from alula.sdk.graph import Entity
from alula.sdk.kinds import Compilation
from alula.sdk.local import Kept, LocalRun, literal_of
from alula.sdk.task import PythonTask
from alula.types import maps
from alula.types.transformer import Converter


def dispatch(
    entity: Entity, inputs: LiteralMap, run: LocalRun, settings: SerializationSettings
) -> LiteralMap | DynamicJobSpec:
    """Run an entity once: no retries, no cache, no timeout, which are the business of whoever starts attempts.

    Args:
        settings: Under which ids a dynamic task's nodes are registered.

    Returns:
        The outputs, or, from a dynamic task, the nodes that will make them.

    Raises:
        BaseException: whatever the user's code raises.
    """
    kept = kept_inputs(entity, inputs, run)
    if isinstance(entity, DynamicTask):
        return _dynamic(entity, kept, run, settings)
    outputs = entity.attempt(kept, run) if isinstance(entity, PythonTask) else entity.perform(kept, run, None)
    return literal_outputs(entity, outputs, run)


def kept_inputs(entity: Entity, inputs: LiteralMap, run: LocalRun) -> dict[str, Kept]:
    """The inputs of an attempt as local runs keep them; what is absent takes its default. Raises ConversionError."""
    literals, kept = inputs.literals, dict[str, Kept]()
    copied: dict[str, Converter] = {}
    absent: list[str] = []
    for name, one in entity.interface.inputs.items():
        if name not in literals:
            absent.append(name)
        elif one.converter.copy is None:
            kept[name] = literals[name]
        else:
            copied[name] = one.converter
    if absent:
        kept |= _defaults(entity, absent, inputs, run)
    if any(c.awaits for c in copied.values()):
        kept |= bridge.run(maps.to_python(inputs, copied, run.place))
    else:  # without the way to a loop and back, which costs more than most of these tasks
        kept |= maps.to_python_at_once(inputs, copied, run.place)
    return kept


def _defaults(entity: Entity, absent: list[str], inputs: LiteralMap, run: LocalRun) -> dict[str, Kept]:
    """What inputs that are absent are instead. Raises ConversionError."""
    declared = {name: entity.interface.inputs[name] for name in absent}
    if missing := [name for name, one in declared.items() if one.required]:
        raise ConversionError(
            f"'{entity.short_name}' gets no value for {', '.join(map(repr, missing))}",
            where=f"its inputs are {', '.join(inputs.literals) or 'empty'}",
            fix="register the task again: its interface has changed since",
        )
    kept: dict[str, Kept] = {}
    for name, one in declared.items():
        copy = one.converter.copy
        kept[name] = copy(one.default) if copy else maps.literal(one.default, one.converter, run.place)
    return kept


def literal_outputs(entity: Entity, outputs: tuple[Kept, ...], run: LocalRun) -> LiteralMap:
    """What an entity gave, by output name."""
    named = zip(entity.interface.outputs.items(), outputs, strict=True)
    return LiteralMap(literals={name: literal_of(kept, one.converter, run.place) for (name, one), kept in named})


def _dynamic(
    task: DynamicTask[..., Any], kept: dict[str, Kept], run: LocalRun, settings: SerializationSettings
) -> LiteralMap | DynamicJobSpec:
    token = current.enter(task.context(run))
    try:
        graph = task.build(task.values(kept, run))
    finally:
        current.leave(token)
    return Compilation(settings).dynamic_spec(graph, task.interface)
