"""What an entity needs to be run by an engine: its specs under ids of their own, and its inputs as literals."""

from __future__ import annotations

import hashlib
import itertools
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alula._kits import lazy
from alula.admin.entities import Specs
from alula.client.shipping import Shipping
from alula.data import fingerprint, uris
from alula.errors import CallError, ConfigError, ConversionError
from alula.idl import Identifier, Literal, ResourceType
from alula.sdk.address import address_of
from alula.sdk.graph import Entity
from alula.sdk.kinds import Compilation, reference
from alula.sdk.launch_plan import LaunchPlan
from alula.sdk.map import ArrayTask
from alula.sdk.reference import ReferenceEntity
from alula.sdk.serialize import Registration, SerializationSettings
from alula.sdk.task import names_of
from alula.sdk.workflow import BaseWorkflow, ImperativeWorkflow
from alula.serve.code import Code
from alula.types import maps
from alula.types.transformer import Place

difflib = lazy.module("difflib")  # only a wrong name comes there

CONSTANTS = ".constants"
"""Below the data prefix: files that workflows hold as constants. They stay, as what is registered does."""


@dataclass(frozen=True, slots=True)
class Submission:
    """An entity, ready to be registered."""

    id: Identifier
    specs: Specs
    facts: Mapping[str, str]
    """What is kept with its executions: where the code is."""
    entity: Entity


def submission(
    entity: Entity,
    *,
    project: str,
    domain: str,
    place: Place,
    target: str = "",
    module: str = "",
    shipping: Shipping | None = None,
) -> Submission:
    """An entity and all that it reaches, under a version that changes with its code.

    Args:
        place: Where constants that are files go, each set of them under a name that tells its content.
        target: The program as its user named it.
        module: The module to import for it; found out if it is left out.
        shipping: What tasks that run in containers get.

    Raises:
        CompileError: What is wrong with it.
        ConfigError: A task in a container has no image.
        ImageError: An image could not be built.
    """
    if isinstance(entity, ReferenceEntity):
        return Submission(entity.id, Specs(), {}, entity)
    wrapped = _around_map(entity) if isinstance(entity, ArrayTask) else entity
    code = Code.loaded(module or module_of(entity), target=target)
    version = code.digest if code.files else ""
    settings = SerializationSettings(project=project, domain=domain, version=version, place=place, processes=True)
    ships = shipping is not None and shipping.needed
    if shipping is not None and ships:
        settings = shipping.into(settings, code)
    made, settings = _with_constants(wrapped, settings, place)
    if not version or ships:  # made in no file, or images and bundles count as well: what it says is its version
        made = _registration(wrapped, replace(settings, version=_digest(made)))
    specs = Specs.of(made.tasks.values(), made.workflows.values(), made.launch_plans.values())
    return Submission(made.entity, specs, code.facts(), entity)


def module_of(entity: Entity) -> str:
    """The module that makes an entity, as another process imports it. Raises ConfigError: none does."""
    target: Any = getattr(entity, "target", None) or getattr(entity, "workflow", None) or entity
    scope = getattr(target, "scope", None)
    module = str(scope.get("__name__", "")) if isinstance(scope, dict) else str(getattr(target, "module", ""))
    fn = getattr(target, "fn", None)
    if not module and fn is not None:
        module = names_of(fn)[0]
    if not module:
        found = address_of(entity)
        module = found[0] if found else ""
    if not module:
        raise ConfigError(
            f"{entity!r} is in no variable of a module, so no worker could find its tasks",
            fix="assign it to a variable at the top of a module",
        )
    return module


def as_main(module: str) -> None:
    """Let a script that runs as `__main__` be found under the name by which its tasks are called.

    Raises:
        ConfigError: The module runs something while it is imported, as a worker does to find its tasks.
    """
    main = sys.modules.get("__main__")
    if getattr(getattr(sys.modules.get(module), "__spec__", None), "_initializing", False):
        raise ConfigError(
            f"{module} runs something while it is imported, and workers import it to find its tasks",
            where=str(getattr(sys.modules[module], "__file__", module)),
            fix='put what runs below `if __name__ == "__main__":`',
        )
    if module not in sys.modules and getattr(main, "__file__", None) and main is not None:
        sys.modules[module] = main


async def literals_of(entity: Entity, values: Mapping[str, Any], place: Place) -> dict[str, Literal]:
    """Python values as the inputs of an entity; its own defaults are filled in.

    Raises:
        CallError: Inputs are missing or unknown.
        ConversionError: Values do not fit; with all faults.
    """
    inputs = entity.interface.inputs
    faults = [f"{name!r} is no input{_hint(name, inputs)}" for name in values if name not in inputs]
    faults += [f"{name!r} is missing" for name, one in inputs.items() if one.required and name not in values]
    if faults:
        raise CallError(
            f"{entity.short_name} cannot be run: {'; '.join(faults)}",
            where=getattr(entity, "where", ""),
            fix=f"the inputs are {', '.join(inputs)}" if inputs else "there are no inputs",
        )
    given = dict(values)
    if not isinstance(entity, LaunchPlan):  # whose spec has its defaults
        given = {name: values.get(name, one.default) for name, one in inputs.items()}
    converters = {name: inputs[name].converter for name in given}
    try:
        return dict((await maps.to_literals(given, converters, place)).literals)
    except ConversionError as exc:
        exc.where = exc.where or f"the inputs of {entity.short_name}"
        raise


def _hint(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _around_map(array: ArrayTask[Any]) -> ImperativeWorkflow:
    """A workflow of one node that maps a task, with the inputs and outputs of the map."""
    made = ImperativeWorkflow(name=f".flytegen.{array.name}")
    given = {name: made.add_workflow_input(name, one.type) for name, one in array.interface.inputs.items()}
    node = made.add_entity(array, **given)
    for name in array.interface.outputs:
        made.add_workflow_output(name, node.outputs[name])
    return made


def _registration(entity: Entity, settings: SerializationSettings) -> Registration:
    """An entity with all that it reaches; a workflow with its default launch plan, which has its defaults."""
    work = Compilation(settings)
    id = reference(entity, work)
    if isinstance(entity, BaseWorkflow) and not isinstance(entity, ImperativeWorkflow):
        reference(LaunchPlan.get_default_launch_plan(entity), work)
    return Registration(id, work.tasks, work.workflows, work.launch_plans)


def _with_constants(
    entity: Entity, settings: SerializationSettings, place: Place
) -> tuple[Registration, SerializationSettings]:
    """An entity with all that it reaches, and settings that make it so again.

    Constants that are files lie under a name that tells their content, and the version changes with it: so the same
    program says the same whenever it is submitted.
    """
    with tempfile.TemporaryDirectory() as staging:
        made = _registration(entity, replace(settings, place=_counting(staging, place)))
        content = fingerprint.content(Path(staging)) if any(Path(staging).iterdir()) else ""
    if not content:
        return made, settings
    there = uris.join(place.prefix, content[:32])
    version = settings.version and hashlib.sha256(f"{settings.version} {content}".encode()).hexdigest()[:12]
    made = _registration(entity, replace(settings, version=version, place=_counting(there, place)))
    return made, replace(settings, version=version, place=_counting(there, place))


def _counting(prefix: str, place: Place) -> Place:
    """A place whose names are the same in every pass."""
    numbers = itertools.count()
    return replace(place, prefix=prefix, new_name=lambda: str(next(numbers)))


def _digest(made: Registration) -> str:
    content = hashlib.sha256()
    for messages in (made.tasks, made.workflows, made.launch_plans):
        for name, message in sorted(messages.items()):
            content.update(name.encode() + b"\0" + message.SerializeToString(deterministic=True))
    return content.hexdigest()[:12]


def solo(entity: Entity) -> bool:
    """Whether an entity is run as the one node of a workflow that is made around it."""
    return not isinstance(entity, BaseWorkflow | LaunchPlan) and not (
        isinstance(entity, ReferenceEntity) and entity.kind != ResourceType.TASK
    )
