"""Entities as the messages that register them."""

from __future__ import annotations

from typing import Any

from alula.compat.adopt import adopted
from alula.compat.flytekit.configuration import SerializationSettings
from alula.compat.flytekit.core.node import mirrored
from alula.compat.flytekit.models import dynamic_job, launch_plan, security  # these models come out of `model_of`
from alula.compat.flytekit.models.admin import workflow
from alula.compat.flytekit.models.core import condition, identifier
from alula.compat.model import model_of
from alula.compat.names import mirror
from alula.sdk.docs import Options
from alula.sdk.graph import Entity
from alula.sdk.kinds import Compilation, reference


def get_serializable(
    entity_mapping: Any, settings: SerializationSettings, entity: Any, options: Options | None = None, **kwargs: Any
) -> Any:
    """The spec of an entity, as a model; those of what it reaches are put into `entity_mapping`.

    Raises:
        FlyteValidationException: the entity cannot be registered.
    """
    work = Compilation(settings.ours())
    ours: Entity = getattr(entity, "__alula_entity__", entity)
    made: Any = None
    with adopted():
        id = reference(ours, work)
    for specs in (work.tasks, work.workflows, work.launch_plans):
        for name, spec in specs.items():
            theirs = _entity(work, name, entity if name == id.name else None)
            if theirs not in entity_mapping:
                entity_mapping[theirs] = model_of(spec)
            if theirs is entity:
                made = entity_mapping[theirs]
    return made


get_serializable_task = get_serializable_workflow = get_serializable_launch_plan = get_serializable


def _entity(work: Compilation, name: str, asked: Any) -> Any:
    known = next((each for (_, its), each in work.entities.items() if its == name), None)
    return asked if asked is not None else mirrored(known)


__getattr__, __dir__ = mirror(__name__, {"alula.sdk.docs": "Options"})
