"""References: entities that are registered elsewhere, known here by their id and signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, NoReturn, ParamSpec, TypeVar

from alula.errors import CallError, SignatureError
from alula.idl import Identifier, ResourceType
from alula.sdk.graph import Entity, Node
from alula.sdk.local import Kept, LocalRun
from alula.sdk.signature import Interface, caller, interface_from, interface_of, where_of
from alula.sdk.task import names_of

P = ParamSpec("P")
R = TypeVar("R")


class ReferenceEntity(Entity, Generic[P, R]):
    """An entity of another project, domain or version. It has a signature and no code, so it does not run here.

    Args:
        id: Under which it is registered.
        interface: What it takes and gives.
        where: Where the reference is written down.
    """

    kind: ClassVar[ResourceType]

    def __init__(self, id: Identifier, interface: Interface, where: str = "") -> None:
        self.id, self.interface, self.where = id, interface, where or caller()
        self.name = id.name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = super().__call__(*args, **kwargs)
        return result

    def same_as(self, other: Entity) -> bool:
        return isinstance(other, ReferenceEntity) and self.id == other.id

    def perform(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        self._refuse()

    def _refuse(self) -> NoReturn:
        kind = ResourceType.Name(self.kind).lower().replace("_", " ")
        raise CallError(
            f"'{self.name}' is a reference to a {kind} of {self.id.project}/{self.id.domain}, version "
            f"{self.id.version!r}: its code is not here",
            where=self.where,
            fix="run the workflow on the platform, or stand in for it: "
            f"with alula.testing.task_mock({self.short_name}) as fake: fake.return_value = ...",
        )

    def __repr__(self) -> str:
        return f"<reference to {self.id.project}/{self.id.domain}/{self.name}@{self.id.version}>"


class ReferenceTask(ReferenceEntity[P, R]):
    kind = ResourceType.TASK


class ReferenceWorkflow(ReferenceEntity[P, R]):
    kind = ResourceType.WORKFLOW


class ReferenceLaunchPlan(ReferenceEntity[P, R]):
    kind = ResourceType.LAUNCH_PLAN


KINDS: Mapping[ResourceType, type[ReferenceEntity[..., Any]]] = {
    cls.kind: cls for cls in (ReferenceTask, ReferenceWorkflow, ReferenceLaunchPlan)
}


def reference_task(
    project: str, domain: str, name: str, version: str
) -> Callable[[Callable[P, R]], ReferenceTask[P, R]]:
    """A task that is registered elsewhere; the function gives its signature, and its body is never run.

    Example:
        @reference_task(project="shared", domain="production", name="models.train", version="v7")
        def train(data: list[str], epochs: int) -> float: ...
    """
    return lambda fn: ReferenceTask(*_of_function(ReferenceTask.kind, project, domain, name, version, fn))


def reference_workflow(
    project: str, domain: str, name: str, version: str
) -> Callable[[Callable[P, R]], ReferenceWorkflow[P, R]]:
    """A workflow that is registered elsewhere. See `reference_task`."""
    return lambda fn: ReferenceWorkflow(*_of_function(ReferenceWorkflow.kind, project, domain, name, version, fn))


def reference_launch_plan(
    project: str, domain: str, name: str, version: str
) -> Callable[[Callable[P, R]], ReferenceLaunchPlan[P, R]]:
    """A launch plan that is registered elsewhere. See `reference_task`."""
    return lambda fn: ReferenceLaunchPlan(*_of_function(ReferenceLaunchPlan.kind, project, domain, name, version, fn))


def get_reference_entity(
    resource_type: ResourceType,
    project: str,
    domain: str,
    name: str,
    version: str,
    *,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
) -> ReferenceEntity[..., Any]:
    """A reference without a function: its signature is given as names and types.

    Raises:
        SignatureError: there are no references of that kind.
    """
    cls = KINDS.get(resource_type)
    if cls is None:
        raise SignatureError(
            f"there is no reference to a resource of type {resource_type!r}",
            where=caller(),
            fix="one of ResourceType.TASK, WORKFLOW, LAUNCH_PLAN",
        )
    made = Identifier(resource_type=resource_type, project=project, domain=domain, name=name, version=version)
    return cls(made, interface_from(inputs, outputs, name))


def _of_function(
    kind: ResourceType, project: str, domain: str, name: str, version: str, fn: Callable[..., Any]
) -> tuple[Identifier, Interface, str]:
    made = Identifier(resource_type=kind, project=project, domain=domain, name=name, version=version)
    return made, interface_of(fn, names_of(fn)[1]), where_of(fn)
