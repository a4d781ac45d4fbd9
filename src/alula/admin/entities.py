"""What is registered: tasks, workflows and launch plans by version, and what it takes to run one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from google.protobuf.message import Message

from alula.admin.desk import refuse
from alula.admin.names import entity_fault, place_faults, prefix_fault
from alula.admin.options import Options, of_plan
from alula.compiler.compile import compile_workflow
from alula.compiler.launching import Intake, around, intake, open_interface
from alula.compiler.nodes import every_node, reference
from alula.engine.facts import facts_of
from alula.errors import CompileError, Unknown
from alula.idl import (
    CompiledWorkflowClosure,
    Identifier,
    LiteralMap,
    ResourceType,
    TaskTemplate,
    TypedInterface,
    WorkflowTemplate,
)
from alula.idl.admin import LaunchPlan, TaskSpec, WorkflowSpec
from alula.idl.ids import Key, id_text, key, type_name
from alula.idl.interface import unfit_values
from alula.store.records import EntityRecord
from alula.store.store import EntityStore

Check = Callable[[TaskTemplate], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Specs:
    """What the authoring side says of one program."""

    tasks: Sequence[TaskSpec] = ()
    workflows: Sequence[WorkflowSpec] = ()
    launch_plans: Sequence[LaunchPlan] = ()

    @staticmethod
    def of(
        tasks: Iterable[TaskSpec], workflows: Iterable[WorkflowSpec], launch_plans: Iterable[LaunchPlan] = ()
    ) -> Specs:
        return Specs(tuple(tasks), tuple(workflows), tuple(launch_plans))


@dataclass(frozen=True, slots=True)
class Launchable:
    """Something that can be run, checked as a whole."""

    id: Identifier
    closure: CompiledWorkflowClosure
    intake: Intake
    options: Options = field(default_factory=Options)
    """What a launch plan says about how it is run."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What a launch plan says of its tasks: variables, and where their files go."""
    packed: bytes = field(default=b"", repr=False)
    """The closure, serialized, for who starts many; empty: it is done for each."""

    @property
    def entity(self) -> str:
        """`workflow:project:domain:name:version`."""
        return id_text(self.id)


async def register(
    store: EntityStore, specs: Specs, *, now: datetime, check: Check = lambda template: ()
) -> tuple[EntityRecord, ...]:
    """Keep entities, all or nothing. Registering the same again is fine: descriptions do not count.

    Args:
        check: What is wrong with a task, as the plugin says that would run it.

    Raises:
        RequestError: Ids without a version or with names that cannot be, launch plans whose inputs do not fit.
        NameTaken: A version is there with another content.
        CompileError: A workflow does not hold together; its `faults` lists everything.
    """
    _check_ids(specs)
    _check_tasks(specs, check)
    known = Known(store, specs)
    records = [_record(task.template.id, task, task.template, now) for task in specs.tasks]
    for workflow in specs.workflows:
        closure = await known.closure_of(workflow.template.id)
        records.append(_record(workflow.template.id, workflow, _meaning(workflow), now, closure))
    for plan in specs.launch_plans:
        whole = LaunchPlan()
        whole.CopyFrom(plan)
        await known.finish(whole)
        records.append(_record(plan.id, whole, plan.spec, now))
    await store.register(records)
    return tuple(records)


def _check_tasks(specs: Specs, check: Check) -> None:
    """Raises CompileError, with every fault of every task."""
    templates = [task.template for task in specs.tasks]
    found = {template.id.name: list(check(template)) for template in templates}
    faults = [f"{name}.{fault}" for name, said in sorted(found.items()) for fault in said]
    if faults:
        types = sorted({template.type for template in templates if found[template.id.name]})
        raise CompileError(
            f"{len(faults)} faults in the configs of tasks" if len(faults) > 1 else "a fault in the config of a task",
            fix=f"give what tasks of type {', '.join(types)} take: alula plugin schema prints it",
            faults=faults,
        )


async def find(store: EntityStore, id: Identifier) -> Launchable:
    """What is registered under an id, ready to run; without a version the newest.

    Raises:
        Unknown: Nothing is.
        CompileError: It cannot run.
    """
    return await Known(store).launchable(id)


async def prepare(specs: Specs, id: Identifier, store: EntityStore | None = None) -> Launchable:
    """One of the entities of a program, ready to run without being registered. What is missing is looked up in `store`.

    Raises:
        Unknown: The program has no such entity.
        CompileError: It cannot run.
    """
    return await Known(store, specs).launchable(id)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a workflow calls, while it is being put together."""

    tasks: dict[Key, TaskTemplate]
    workflows: dict[Key, WorkflowTemplate]
    plans: dict[Key, TypedInterface] = field(default_factory=dict)
    defaults: dict[Key, list[str]] = field(default_factory=dict)


class Known:
    """Entities by id: those of a program, and behind them those that are registered."""

    def __init__(self, store: EntityStore | None, specs: Specs | None = None) -> None:
        self._store = store
        specs = specs or Specs()
        self._given: dict[Key, Message] = {}
        for task in specs.tasks:
            self._given[key(task.template.id)] = task
        for workflow in specs.workflows:
            self._given[key(workflow.template.id)] = workflow
        for plan in specs.launch_plans:
            self._given[key(plan.id)] = plan

    async def launchable(self, id: Identifier) -> Launchable:
        match id.resource_type:
            case ResourceType.TASK:
                task = (await self.task(id)).template
                closure = await self.closure(around(task), [task])
                return Launchable(task.id, closure, Intake(closure.primary.template.interface))
            case ResourceType.WORKFLOW:
                closure = await self.closure_of(id)
                return Launchable(closure.primary.template.id, closure, Intake(closure.primary.template.interface))
            case ResourceType.LAUNCH_PLAN:
                plan = await self.plan(id)
                closure = await self.closure_of(plan.spec.workflow_id)
                taken = intake(plan.spec, closure.primary.template.interface)
                return Launchable(plan.id, closure, taken, of_plan(plan.spec), facts_of(plan.spec))
        raise refuse("nothing can be run", [f"{id_text(id)} is neither a task, a workflow nor a launch plan"])

    async def task(self, id: Identifier) -> TaskSpec:
        given = self._given.get(key(id))
        return given if isinstance(given, TaskSpec) else TaskSpec.FromString((await self._record(id)).spec)

    async def workflow(self, id: Identifier) -> WorkflowSpec:
        given = self._given.get(key(id))
        return given if isinstance(given, WorkflowSpec) else WorkflowSpec.FromString((await self._record(id)).spec)

    async def plan(self, id: Identifier) -> LaunchPlan:
        given = self._given.get(key(id))
        return given if isinstance(given, LaunchPlan) else LaunchPlan.FromString((await self._record(id)).spec)

    async def closure_of(self, id: Identifier) -> CompiledWorkflowClosure:
        """A workflow with all that it calls; a registered one as it was compiled then."""
        given = self._given.get(key(id))
        if isinstance(given, WorkflowSpec):
            return await self.closure(given.template, subs=given.sub_workflows)
        return CompiledWorkflowClosure.FromString((await self._record(id)).closure)

    async def closure(
        self,
        primary: WorkflowTemplate,
        tasks: Iterable[TaskTemplate] = (),
        subs: Iterable[WorkflowTemplate] = (),
    ) -> CompiledWorkflowClosure:
        """Raises CompileError; what is not known is among its faults."""
        found = _Found({key(task.id): task for task in tasks}, {key(sub.id): sub for sub in subs})
        todo = [primary, *found.workflows.values()]
        seen = {key(primary.id), *found.tasks, *found.workflows}
        while todo:
            for id in _references(todo.pop()):
                if key(id) not in seen:
                    seen.add(key(id))
                    with suppress(Unknown):  # the compiler says where it is called
                        todo.extend(await self._fetch(id, found))
        return compile_workflow(
            primary, found.workflows.values(), found.tasks.values(), found.plans, defaults=found.defaults
        )

    async def _fetch(self, id: Identifier, into: _Found) -> list[WorkflowTemplate]:
        """Add what an id stands for; the workflows whose nodes are still to be looked at. Raises Unknown."""
        if id.resource_type == ResourceType.TASK:
            into.tasks[key(id)] = (await self.task(id)).template
            return []
        if id.resource_type == ResourceType.LAUNCH_PLAN:
            plan = await self.plan(id)
            taken = intake(plan.spec, (await self.workflow(plan.spec.workflow_id)).template.interface)
            into.plans[key(id)], into.defaults[key(id)] = open_interface(taken), list(taken.defaults)
            return []
        workflow = await self.workflow(id)
        new = [sub for sub in (workflow.template, *workflow.sub_workflows) if key(sub.id) not in into.workflows]
        into.workflows.update((key(sub.id), sub) for sub in new)
        return new

    async def finish(self, plan: LaunchPlan) -> None:
        """Fill in what a launch plan takes and gives. Raises RequestError where its inputs do not fit its workflow."""
        workflow = (await self.workflow(plan.spec.workflow_id)).template
        taken = intake(plan.spec, workflow.interface)
        declared = workflow.interface.inputs
        fault = prefix_fault(plan.spec.raw_output_data_config.output_location_prefix)
        own = [*([f"raw_output_data_config.{fault}"] if fault else []), *of_plan(plan.spec).faults()]
        faults = own[:]
        for what, values in (("default", taken.defaults), ("fixed", taken.fixed)):
            given = LiteralMap(literals=dict(values))
            missing = {name for name in declared.variables if name not in values}
            faults += [
                f"{what} input {fault}"
                for fault in unfit_values(given, declared)
                if fault.partition(":")[0] not in missing
            ]
        if faults:
            what = "cannot be" if own else "does not fit its workflow"
            raise refuse(f"launch plan {plan.id.name} {what}", faults, where=id_text(plan.id))
        plan.closure.expected_inputs.CopyFrom(plan.spec.default_inputs)
        plan.closure.expected_outputs.CopyFrom(workflow.interface.outputs)

    async def _record(self, id: Identifier) -> EntityRecord:
        if self._store is None:
            there = ", ".join(sorted({at.name for at in self._given if at.resource_type == id.resource_type}))
            raise Unknown(f"there is no {type_name(id.resource_type)} {id.name}", fix=f"there are: {there or 'none'}")
        return await self._store.entity(type_name(id.resource_type), id.project, id.domain, id.name, id.version)


def _references(template: WorkflowTemplate) -> Iterable[Identifier]:
    for node in [*template.nodes, template.failure_node]:
        for inner in every_node(node):
            id = reference(inner)
            if id is not None and id.name:
                yield id


def _meaning(workflow: WorkflowSpec) -> WorkflowSpec:
    """What counts of a workflow. What a node comes after is a set, which flytekit writes in any order."""
    made = WorkflowSpec(template=workflow.template, sub_workflows=workflow.sub_workflows)
    for template in (made.template, *made.sub_workflows):
        for outer in (*template.nodes, template.failure_node):
            for node in every_node(outer):
                if len(node.upstream_node_ids) > 1:
                    node.upstream_node_ids.sort()
    return made


def _record(
    id: Identifier, spec: Message, meaning: Message, now: datetime, closure: CompiledWorkflowClosure | None = None
) -> EntityRecord:
    return EntityRecord(
        kind=type_name(id.resource_type),
        project=id.project,
        domain=id.domain,
        name=id.name,
        version=id.version,
        digest=hashlib.sha256(meaning.SerializeToString(deterministic=True)).hexdigest(),
        spec=spec.SerializeToString(deterministic=True),
        closure=closure.SerializeToString(deterministic=True) if closure is not None else b"",
        created_at=now,
    )


def _check_ids(specs: Specs) -> None:
    ids = [task.template.id for task in specs.tasks]
    ids += [workflow.template.id for workflow in specs.workflows]
    ids += [plan.id for plan in specs.launch_plans]
    faults: list[str] = []
    for id in ids:
        shown = f"{type_name(id.resource_type)} {id.name or 'without a name'}"
        if not id.name:
            faults.append(f"{shown}: has no name")
        if not id.version or ":" in id.version:
            faults.append(f"{shown}: {id.version!r} is no version: it must be there, and have no colon")
        if fault := entity_fault(id.name) or entity_fault(id.version):
            faults.append(f"{shown}: {fault}")
        faults += [f"{shown}: {fault}" for fault in place_faults(id.project, id.domain)]
    if faults:
        raise refuse("nothing was registered", list(dict.fromkeys(faults)), fix="give every id all of its parts")
