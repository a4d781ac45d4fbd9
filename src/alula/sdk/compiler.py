"""One pass from entities to the messages that register them; what each kind of entity adds is in `kinds`."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

from alula.data.workspace import workspace
from alula.errors import CompileError
from alula.idl import (
    DynamicJobSpec,
    Identifier,
    LiteralMap,
    NodeMetadata,
    ResourceType,
    WorkflowTemplate,
    deadlines,
)
from alula.idl import Node as NodeMessage
from alula.idl.admin import LaunchPlan as LaunchPlanMessage
from alula.idl.admin import TaskSpec, WorkflowSpec
from alula.sdk import walk
from alula.sdk.conditional import Branch
from alula.sdk.graph import START, Entity, Node
from alula.sdk.image import ImageConfig, ImageSpec
from alula.sdk.local import LocalRun, literal_of, place_at
from alula.sdk.signature import Interface
from alula.sdk.wire import binding
from alula.sdk.workflow import BaseWorkflow, Graph, WorkflowFailurePolicy
from alula.types.transformer import Place

PASSED_ON = "_F_SS_C"
"""The variable by which a dynamic task gets the settings that it was registered with, named as in flytekit."""


@dataclass(frozen=True, slots=True)
class SerializationSettings:
    """Under which ids entities are registered, and what their containers get."""

    project: str = ""
    domain: str = ""
    version: str = ""
    image_config: ImageConfig | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    place: Place | None = None
    """Where constants that live in blobs are put. None: the workspace of this process."""
    processes: bool = False
    """Tasks will run in processes of this machine, so that images need neither a default, nor a name, nor be built."""
    contained: Mapping[str, bool] = field(default_factory=dict)
    """Types of task that run in containers in spite of `processes`, or do not; with the empty name all others."""
    bundle: Callable[[], str] | None = None
    """The URI of the code bundle that containers unpack. None: the code is in the images. Asked for when it is needed.
    """
    builds: bool = True
    """Images of specs are built if they are not there; else they are taken as given."""

    def in_container(self, task_type: str) -> bool:
        """Whether tasks of a type run in containers of their images."""
        if not self.processes or task_type in ALWAYS_CONTAINED:
            return True
        return self.contained.get(task_type, self.contained.get("", False))

    def packed(self) -> str:
        """The settings as `PASSED_ON` carries them: JSON, gzip, base64, always the same for the same settings."""
        images = dataclasses.asdict(self.image_config) if self.image_config else None
        content: dict[str, Any] = {"project": self.project, "domain": self.domain, "version": self.version}
        content |= {"image_config": images, "env": dict(self.env)}
        if self.processes:
            content |= {"processes": True, "contained": dict(self.contained)}
        if self.bundle is not None and any([not self.processes, *self.contained.values()]):
            content["fast_serialization_settings"] = {"enabled": True, "distribution_location": self.bundle()}
        text = json.dumps(content, sort_keys=True)
        return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


ALWAYS_CONTAINED = frozenset({"raw-container", "container"})
"""Types of task that are nothing but a container, so that no code of ours is in them."""


class Compilation:
    """One pass over an entity and what it reaches.

    A kind of entity adds itself with `reference.register`, `target.register` and `metadata.register`.
    """

    def __init__(self, settings: SerializationSettings) -> None:
        self.settings = settings
        here = workspace()
        self.place = settings.place or place_at(here.prefix, here.objects)
        self.tasks: dict[str, TaskSpec] = {}
        self.workflows: dict[str, WorkflowSpec] = {}
        self.launch_plans: dict[str, LaunchPlanMessage] = {}
        self.entities: dict[tuple[ResourceType, str], Entity] = {}

    def id(self, kind: ResourceType, name: str) -> Identifier:
        s = self.settings
        return Identifier(resource_type=kind, project=s.project, domain=s.domain, name=name, version=s.version)

    def image(self, asked: str | ImageSpec | None, task_type: str = "") -> str:
        """The image of a task: its own, with `{{.image.name.fqn}}` filled in, or the default one."""
        config = self.settings.image_config
        if config is None and asked is None and not self.settings.processes:
            return ""  # nobody said where it will run
        if not self.settings.in_container(task_type):
            return asked.image_name() if isinstance(asked, ImageSpec) else asked or ""
        return (config or ImageConfig.auto()).resolve(asked, builds=self.settings.builds)

    def bundle(self, task_type: str) -> str:
        """The URI of the code that containers of a type unpack; empty: they have it."""
        settings = self.settings
        return settings.bundle() if settings.bundle is not None and settings.in_container(task_type) else ""

    def first_time(self, kind: ResourceType, entity: Entity) -> bool:
        """Whether this entity has not been compiled yet. Raises CompileError if another one has its name."""
        known = self.entities.setdefault((kind, entity.name), entity)
        if known is not entity and not entity.same_as(known):
            raise CompileError(
                f"two different entities are named '{entity.name}'",
                where=" and ".join(getattr(e, "where", repr(e)) for e in (known, entity)),
                fix="rename one of them",
            )
        return known is entity and entity.name not in self._specs(kind)

    def _specs(self, kind: ResourceType) -> Mapping[str, object]:
        if kind == ResourceType.TASK:
            return self.tasks
        return self.workflows if kind == ResourceType.WORKFLOW else self.launch_plans

    def workflow_template(self, workflow: BaseWorkflow) -> WorkflowTemplate:
        """The template of one workflow. What it reaches is compiled on the way."""
        graph = workflow.graph
        id = self.id(ResourceType.WORKFLOW, workflow.name)
        made = WorkflowTemplate(id=id, interface=workflow.interface.message())
        made.metadata.SetInParent()
        made.metadata_defaults.SetInParent()
        if workflow.failure_policy is WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE:
            made.metadata.on_failure = made.metadata.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
        if workflow.timeout:
            deadlines.write_deadline(made.metadata.tags, deadlines.WORKFLOW, workflow.timeout)
        made.metadata_defaults.interruptible = workflow.interruptible
        made.nodes.extend(self.node(node) for node in graph.nodes)
        made.outputs.extend(binding(name, bound, self.place) for name, bound in graph.outputs.items())
        if graph.failure is not None:
            made.failure_node.CopyFrom(self.node(graph.failure))
        return made

    def node(self, node: Node) -> NodeMessage:
        """One node, bindings and all."""
        assert node.entity is not None
        made = NodeMessage(id=node.id)
        inputs = sorted(node.bindings) if not isinstance(node.entity, Branch) else ()
        made.inputs.extend(binding(name, node.bindings[name], self.place) for name in inputs)
        made.upstream_node_ids.extend(sorted(n.id for n in walk.upstream(node) if n.id != START))
        made.metadata.retries.SetInParent()
        metadata(node.entity, self, node, made.metadata)
        self._override(node, made)
        target(node.entity, self, node, made)
        return made

    def dynamic_spec(self, graph: Graph, interface: Interface) -> DynamicJobSpec | LiteralMap:
        """What a dynamic task writes at run time: its nodes, or, when it has none, its outputs."""
        if not graph.nodes:
            kept = walk.execute(graph.plan, {}, LocalRun(self.place))
            outputs = zip(interface.outputs.items(), kept, strict=True)
            return LiteralMap(
                literals={key: literal_of(value, one.converter, self.place) for (key, one), value in outputs}
            )
        made = DynamicJobSpec(min_successes=len(graph.nodes))
        made.nodes.extend(self.node(node) for node in graph.nodes)
        made.outputs.extend(binding(key, bound, self.place) for key, bound in graph.outputs.items())
        made.tasks.extend(spec.template for spec in self.tasks.values())
        made.subworkflows.extend(self.workflows[name].template for name in sub_workflows(graph.nodes))
        return made

    def _override(self, node: Node, made: NodeMessage) -> None:
        over = node.overrides
        settings = made.metadata
        if over.name is not None:
            settings.name = over.name
        if over.timeout is not None:
            settings.timeout.FromTimedelta(over.timeout)
        if over.queued_timeout is not None:
            deadlines.write_deadline(settings.config, deadlines.QUEUED, over.queued_timeout)
        if over.node_timeout is not None:
            deadlines.write_deadline(settings.config, deadlines.NODE, over.node_timeout)
        if over.retries is not None:
            settings.retries.retries = over.retries
        if over.interruptible is not None:
            settings.interruptible = over.interruptible
        cache = node.cache_settings()
        if cache is not None:
            settings.cacheable, settings.cache_version = True, cache.version
            if over.cache is not True or over.cache_serialize is not None:  # else as the task says
                settings.cache_serializable = cache.serialize
        elif over.cache is False:
            settings.cacheable = False
        for variable, alias in sorted(over.aliases.items()):
            made.output_aliases.add(var=variable, alias=alias)


@singledispatch
def reference(entity: Entity, work: Compilation) -> Identifier:
    """Compile an entity, with what it reaches, unless that was done; its id. Raises CompileError."""
    raise CompileError(f"{entity!r} cannot be registered on its own", fix="register the workflow that holds it")


@singledispatch
def target(entity: Entity, work: Compilation, node: Node, into: NodeMessage) -> None:
    """Fill the part of a node that says what it runs. Raises CompileError."""
    raise CompileError(f"{entity!r} cannot be a node of a registered workflow")


@singledispatch
def metadata(entity: Entity, work: Compilation, node: Node, into: NodeMetadata) -> None:
    """Fill the settings of a node that come from its entity; overrides are put on top."""
    into.name = entity.short_name


def inner_nodes(workflow: BaseWorkflow) -> list[Node]:
    """Its nodes, the failure node last."""
    graph = workflow.graph
    return graph.nodes if graph.failure is None else [*graph.nodes, graph.failure]


def sub_workflows(nodes: list[Node]) -> list[str]:
    """The names of all workflows that run inside these nodes, at any depth, each once, inner ones after outer ones.

    What a launch plan starts runs in an execution of its own, and is none of them.
    """
    found: dict[str, None] = {}

    def look(nodes: list[Node]) -> None:
        for node in nodes:
            if isinstance(node.entity, BaseWorkflow):
                if node.entity.name not in found:
                    found[node.entity.name] = None
                    look(inner_nodes(node.entity))
            elif isinstance(node.entity, Branch):
                for arm in node.entity.arms:
                    look(arm.nodes)

    look(nodes)
    return list(found)
