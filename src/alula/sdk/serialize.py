"""`serialize(entity)`: the specs that register an entity and all that it reaches."""

from __future__ import annotations

from dataclasses import dataclass

from alula.idl import Identifier
from alula.idl.admin import LaunchPlan, TaskSpec, WorkflowSpec
from alula.sdk.compiler import SerializationSettings
from alula.sdk.graph import Entity
from alula.sdk.kinds import Compilation, reference

__all__ = ["Registration", "SerializationSettings", "serialize"]


@dataclass(frozen=True, slots=True)
class Registration:
    """Everything that registering one entity needs; within a kind, what is referred to comes first."""

    entity: Identifier
    tasks: dict[str, TaskSpec]
    workflows: dict[str, WorkflowSpec]
    launch_plans: dict[str, LaunchPlan]


def serialize(entity: Entity, settings: SerializationSettings | None = None) -> Registration:
    """The specs of an entity and of all that it reaches.

    Raises:
        CompileError: two entities share a name, or a part cannot be registered.
        AlulaError: what is wrong with the workflow's body.
    """
    work = Compilation(settings or SerializationSettings())
    return Registration(reference(entity, work), work.tasks, work.workflows, work.launch_plans)
