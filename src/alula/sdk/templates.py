"""A task as its template: what a platform needs to know to run it."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import Any

from alula.idl import (
    Container,
    NodeMetadata,
    ResourceType,
    RuntimeMetadata,
    TaskNodeOverrides,
    TaskTemplate,
    deadlines,
)
from alula.idl.admin import TaskSpec
from alula.sdk.accelerators import extended_resources
from alula.sdk.attempts import limit_of
from alula.sdk.caching import CacheSettings
from alula.sdk.compiler import PASSED_ON, Compilation
from alula.sdk.docs import description
from alula.sdk.dynamic import DynamicTask
from alula.sdk.eager import EagerTask
from alula.sdk.graph import Node
from alula.sdk.image import Image, ImageConfig
from alula.sdk.image_spec import RUNTIME_PACKAGES, ImageSpec
from alula.sdk.instance import InstanceTask
from alula.sdk.map import ArrayTask
from alula.sdk.options import TaskOptions
from alula.sdk.resolver import entity_of
from alula.sdk.resources import to_message as resources_message
from alula.sdk.secrets import security_context
from alula.sdk.task import PythonTask

PLACES = (
    "--inputs",
    "{{.input}}",
    "--output-prefix",
    "{{.outputPrefix}}",
    "--raw-output-data-prefix",
    "{{.rawOutputDataPrefix}}",
    "--checkpoint-path",
    "{{.checkpointOutputPrefix}}",
    "--prev-checkpoint",
    "{{.prevCheckpointPrefix}}",
)
"""Where a container finds its inputs and leaves its outputs; the platform fills in the templates."""


def python_task(work: Compilation, task: PythonTask[..., Any]) -> TaskSpec:
    """The spec of a task around a function."""
    made = TaskSpec(template=_template(work, task))
    if isinstance(task, InstanceTask) and not task.runs_user_code:
        task.fill(made.template, work.settings.env, lambda asked: work.image(asked, made.template.type))
        return made
    args = ["alula-execute", *PLACES, "--resolver", *_loader(work, task)]
    _place(work, task, made.template, args)
    if not isinstance(task, InstanceTask) or task.options.docs is not None:
        made.description.CopyFrom(description(task.options.docs, task.interface.doc))
    return made


def array_task(work: Compilation, array: ArrayTask[Any]) -> TaskSpec:
    """The spec of a mapped task: its container runs one item."""
    task = array.target
    assert isinstance(task, PythonTask)
    template = _template(work, task)
    template.id.CopyFrom(work.id(ResourceType.TASK, array.name))
    template.interface.CopyFrom(array.interface.message())
    template.task_type_version = 1
    bound = ",".join(sorted(array.bound))
    loader = ["alula.sdk.resolver.mapped", "--", "vars", bound, "resolver"]
    args = ["alula-map-execute", *PLACES, "--resolver", *loader, *(a for a in _loader(work, task) if a != "--")]
    _place(work, task, template, args)
    return TaskSpec(template=template)


def overrides(work: Compilation, node: Node, into: TaskNodeOverrides) -> None:
    """What a node asks for in place of its task."""
    into.SetInParent()
    over = node.overrides
    if over.requests is not None or over.limits is not None or over.resources is not None:
        into.resources.CopyFrom(resources_message(over.requests, over.limits, over.resources, override=True))
    extended = extended_resources(over.accelerator, over.shared_memory)
    if extended is not None:
        into.extended_resources.CopyFrom(extended)
    if over.container_image is not None:
        task: Any = node.entity.target if isinstance(node.entity, ArrayTask) else node.entity
        into.container_image = work.image(over.container_image, task_type(task))
    if over.pod_template is not None:
        into.pod_template.CopyFrom(over.pod_template.to_override())


def task_metadata_of_node(name: str, options: TaskOptions, into: NodeMetadata) -> None:
    """The settings of a task that its nodes repeat."""
    into.name = name
    if options.seconds:
        into.timeout.FromSeconds(int(options.seconds))
    task_deadlines(options, into.config)
    if options.retries:
        into.retries.retries = options.retries
    if options.interruptible is not None:
        into.interruptible = options.interruptible


def task_deadlines(options: TaskOptions, into: MutableMapping[str, str]) -> None:
    """Those that flyteidl has no field for."""
    for name, limit in ((deadlines.QUEUED, options.queued_timeout), (deadlines.NODE, options.node_timeout)):
        if limit:
            deadlines.write_deadline(into, name, limit_of(limit))


def metadata(template: TaskTemplate, options: TaskOptions, cache: CacheSettings | None) -> None:
    """The settings of a task in its template."""
    made = template.metadata
    made.runtime.CopyFrom(RuntimeMetadata(type=RuntimeMetadata.FLYTE_SDK, version=sdk_version(), flavor="python"))
    made.retries.retries = options.retries
    made.generates_deck.value = options.deck
    made.metadata.SetInParent()
    made.metadata.labels.update(options.labels or {})
    made.metadata.annotations.update(options.annotations or {})
    task_deadlines(options, template.config)
    made.deprecated_error_message = options.deprecated
    made.pod_template_name = options.pod_template_name or ""
    if options.seconds:
        made.timeout.FromTimedelta(options.limit)
    if options.interruptible is not None:
        made.interruptible = options.interruptible
    if cache is not None:
        made.discoverable, made.discovery_version = True, cache.version
        made.cache_serializable = cache.serialize
        made.cache_ignore_input_vars.extend(cache.ignored_inputs)


def task_type(task: PythonTask[..., Any]) -> str:
    """Which backend runs it."""
    return task.plugin.task_type if task.plugin is not None else task.task_type


@cache
def sdk_version() -> str:
    """The version of this package."""
    return version("alula")


def _template(work: Compilation, task: PythonTask[..., Any]) -> TaskTemplate:
    options, plugin = task.options, task.plugin
    made = TaskTemplate(
        id=work.id(ResourceType.TASK, task.name),
        type=task_type(task),
        interface=task.interface.message(),
    )
    metadata(made, options, task.cache)
    made.metadata.is_eager = isinstance(task, EagerTask)
    if plugin is not None:
        made.task_type_version = plugin.task_type_version
        made.custom.update(plugin.custom(options.task_config))
        made.config.update(plugin.labels(options.task_config))
    security = security_context(options.secret_requests)
    if security is not None:
        made.security_context.CopyFrom(security)
    extended = extended_resources(options.accelerator, options.shared_memory)
    if extended is not None:
        made.extended_resources.CopyFrom(extended)
    return made


def _place(work: Compilation, task: PythonTask[..., Any], template: TaskTemplate, args: Sequence[str]) -> None:
    """The container of a task, alone or in its pod."""
    options = task.options
    bundle = work.bundle(template.type)
    container = Container(
        image=work.image(options.container_image, template.type),
        args=["alula-fast-execute", "--additional-distribution", bundle, "--", *args] if bundle else args,
        resources=resources_message(options.requests, options.limits, options.resources),
    )
    added = {PASSED_ON: _passed_on(work, task)} if isinstance(task, DynamicTask) else {}
    if isinstance(options.container_image, ImageSpec) and options.container_image.runtime_packages:
        added[RUNTIME_PACKAGES] = " ".join(options.container_image.runtime_packages)
    for key, value in {**work.settings.env, **(options.environment or {}), **added}.items():
        container.env.add(key=key, value=value)
    if options.pod_template is None:
        template.container.CopyFrom(container)
        return
    template.k8s_pod.CopyFrom(options.pod_template.to_pod(container))
    template.config["primary_container_name"] = options.pod_template.primary_container_name


def _passed_on(work: Compilation, task: DynamicTask[..., Any]) -> str:
    """The settings for what a dynamic task will make, with images of what it may call: none is built in a container.

    Those are its hints, and where its code is sent along also the tasks of its module.
    """
    settings = work.settings
    near = list(task.fn.__globals__.values()) if settings.processes or settings.bundle is not None else []
    images: dict[str, Image] = {}
    for value in [*task.hints, *near]:
        found = entity_of(value)
        if isinstance(found, PythonTask) and isinstance(spec := found.options.container_image, ImageSpec):
            kind = task_type(found)
            if settings.in_container(kind):
                images[spec.id] = Image.look_up_image_info(spec.id, work.image(spec, kind), True)
    if images:
        config = settings.image_config or ImageConfig()
        config = replace(config, images=[*(config.images or ()), *images.values()])
        settings = replace(settings, image_config=config)
    return settings.packed()


def _loader(work: Compilation, task: PythonTask[..., Any]) -> list[str]:
    """The resolver, and what it needs to find the task again."""
    resolver = task.resolver
    return [resolver.location, "--", *resolver.loader_args(task)]
