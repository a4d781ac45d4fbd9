"""What a host lends a plugin for one attempt, without a host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alula.data.objects import ObjectStore
from alula.data.stores import Objects
from alula.hosting.secrets import Secrets
from alula.hosting.task import Lent, Task
from alula.idl import Literal, LiteralMap, TaskTemplate
from alula.plugin.runner import AttemptId, Job
from alula.sdk.graph import Entity
from alula.sdk.serialize import serialize


@dataclass
class Nobody:
    """Whoever hosts the plugin; remembers who was woken."""

    woken_ids: list[AttemptId] = field(default_factory=list)

    def woken(self, id: AttemptId) -> None:
        self.woken_ids.append(id)

    def asks(self, id: AttemptId, pool: str, units: int) -> None:
        raise AssertionError("nothing here draws on pools")


def template_of(entity: Entity) -> TaskTemplate:
    """The template of one task."""
    [spec] = serialize(entity).tasks.values()
    return spec.template


def lent(
    template: TaskTemplate,
    inputs: Mapping[str, Literal] | None = None,
    *,
    prefix: str = "memory://attempt",
    secrets: Mapping[str, str] | None = None,
    objects: ObjectStore | None = None,
    number: int = 0,
    fresh: bool = True,
) -> Task:
    """One attempt of a task."""
    around = Lent(Nobody(), objects or Objects(), Secrets(secrets or {}), lambda secret: None)
    id = AttemptId("p", "development", "e1", "n0", number, "00aabbcc")
    return Task(around, Job(id, template, LiteralMap(literals=inputs or {}).SerializeToString(), prefix, fresh=fresh))
