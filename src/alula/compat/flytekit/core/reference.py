"""References to what is registered elsewhere."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from alula.compat.flytekit.core.interface import Interface, transform_function_to_interface, typed_interface
from alula.compat.flytekit.core.launch_plan import LaunchPlan
from alula.compat.flytekit.core.node import Mirror
from alula.compat.flytekit.core.promise import call
from alula.compat.flytekit.core.workflow import WorkflowBase
from alula.compat.flytekit.models.core.identifier import Identifier, ResourceType
from alula.compat.flytekit.models.interface import TypedInterface
from alula.compat.model import message_of
from alula.compat.names import mirror
from alula.sdk import reference as ours


class Reference:
    """The id of something that is registered."""

    resource_type: int = 0

    def __init__(self, project: str, domain: str, name: str, version: str) -> None:
        self.project, self.domain, self.name, self.version = project, domain, name, version

    @property
    def id(self) -> Identifier:
        return Identifier(self.resource_type, self.project, self.domain, self.name, self.version)


class TaskReference(Reference):
    resource_type = ResourceType.TASK


class WorkflowReference(Reference):
    resource_type = ResourceType.WORKFLOW


class LaunchPlanReference(Reference):
    resource_type = ResourceType.LAUNCH_PLAN


class ReferenceEntity(Mirror):
    """Something that is registered elsewhere: a signature, and no code."""

    _reference: type[Reference]

    def __init__(
        self, project: str, domain: str, name: str, version: str, inputs: dict[str, Any], outputs: dict[str, Any]
    ) -> None:
        self._set(self._reference(project, domain, name, version), Interface(inputs, outputs))

    def _set(self, reference: Reference, interface: Interface) -> None:
        self.reference, self._native = reference, interface
        kind = ours.KINDS[reference.resource_type]  # type: ignore[index]
        self._hold(kind(message_of(reference.id), interface.ours))

    @property
    def name(self) -> str:
        return self.reference.name

    @property
    def id(self) -> Identifier:
        return self.reference.id

    @property
    def python_interface(self) -> Interface:
        return self._native

    @property
    def interface(self) -> TypedInterface:
        return typed_interface(self._native.ours)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return call(self._held, args, kwargs)


class ReferenceTask(ReferenceEntity):
    _reference = TaskReference


class ReferenceWorkflow(ReferenceEntity, WorkflowBase):
    _reference = WorkflowReference


class ReferenceLaunchPlan(ReferenceEntity, LaunchPlan):
    _reference = LaunchPlanReference


def _decorator(cls: type[Any], project: str, domain: str, name: str, version: str) -> Callable[..., Any]:
    def wrapper(fn: Callable[..., Any]) -> Any:
        made: Any = object.__new__(cls)
        interface = transform_function_to_interface(fn, is_reference_entity=True)
        made._set(cls._reference(project, domain, name, version), interface)
        functools.update_wrapper(made, fn, updated=())
        return made

    return wrapper


def reference_task(project: str, domain: str, name: str, version: str) -> Callable[..., ReferenceTask]:
    return _decorator(ReferenceTask, project, domain, name, version)


def reference_workflow(project: str, domain: str, name: str, version: str) -> Callable[..., ReferenceWorkflow]:
    return _decorator(ReferenceWorkflow, project, domain, name, version)


def reference_launch_plan(project: str, domain: str, name: str, version: str) -> Callable[..., ReferenceLaunchPlan]:
    return _decorator(ReferenceLaunchPlan, project, domain, name, version)


def get_reference_entity(
    resource_type: int,
    project: str,
    domain: str,
    name: str,
    version: str,
    inputs: dict[str, Any],
    outputs: dict[str, Any],
) -> Any:
    """A reference without a function. Exception: there are none of that kind."""
    kinds = {cls._reference.resource_type: cls for cls in (ReferenceTask, ReferenceWorkflow, ReferenceLaunchPlan)}
    if resource_type not in kinds:
        raise ValueError("Resource type must be one of task, workflow, or launch plan")
    return kinds[resource_type](project, domain, name, version, inputs, outputs)


__getattr__, __dir__ = mirror(__name__, {})
