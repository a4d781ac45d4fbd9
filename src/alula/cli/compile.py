"""`alula compile FILE`: every fault of every workflow at once, or the specs that register them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from alula.cli import bodies
from alula.cli.loading import loaded
from alula.cli.program import Program, kind_of
from alula.cli.reach import reachable
from alula.client.shipping import Copy, Shipping
from alula.compiler.compile import compile_workflow
from alula.config import load
from alula.errors import AlulaError, CompileError, ConfigError
from alula.idl import Identifier, ResourceType, TaskTemplate, TypedInterface
from alula.idl.ids import Key, key
from alula.sdk.graph import Entity
from alula.sdk.launch_plan import LaunchPlan
from alula.sdk.map import ArrayTask
from alula.sdk.reference import ReferenceEntity, ReferenceWorkflow
from alula.sdk.serialize import Registration, SerializationSettings, serialize
from alula.sdk.workflow import BaseWorkflow
from alula.serve.code import Code


@dataclass(slots=True)
class Specs:
    """Everything that registers some entities, by kind and name."""

    tasks: dict[str, Message] = field(default_factory=dict)
    workflows: dict[str, Message] = field(default_factory=dict)
    launch_plans: dict[str, Message] = field(default_factory=dict)

    def add(self, made: Registration) -> None:
        self.tasks |= made.tasks
        self.workflows |= made.workflows
        self.launch_plans |= made.launch_plans

    def kinds(self) -> dict[str, dict[str, Message]]:
        return {"tasks": self.tasks, "workflows": self.workflows, "launch_plans": self.launch_plans}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one entity."""

    entity: Entity
    faults: tuple[str, ...] = ()
    fix: str = ""
    note: str = ""


def compiled(entities: Iterable[Entity], settings: SerializationSettings) -> tuple[Specs, list[Verdict]]:
    """The specs of entities and of all that they reach, and what is wrong with each."""
    specs, verdicts = Specs(), []
    for entity in entities:
        try:
            made = serialize(entity, settings)
            specs.add(made)
            note = ""
            if isinstance(entity, BaseWorkflow):
                note = _check(entity, made)
                specs.add(serialize(LaunchPlan.get_default_launch_plan(entity), settings))
            verdicts.append(Verdict(entity, note=note))
        except CompileError as exc:
            verdicts.append(Verdict(entity, exc.faults or (_line(exc),), exc.fix))
        except AlulaError as exc:
            verdicts.append(Verdict(entity, (_line(exc),), exc.fix))
        except Exception as exc:
            if not bodies.came_of_one(exc):
                raise
            verdicts.append(Verdict(entity, (bodies.in_a_line(exc),)))
    return specs, verdicts


def _line(exc: AlulaError) -> str:
    return f"{exc.what} ({exc.where})" if exc.where else exc.what


def _check(workflow: BaseWorkflow, made: Registration) -> str:
    """Check every edge of a workflow; what could not be checked, and why. Raises CompileError."""
    tasks = [spec.template for spec in made.tasks.values()]
    plans: dict[Key, TypedInterface] = {}
    defaults: dict[Key, Sequence[str]] = {}
    for one in reachable(workflow):
        if isinstance(one, ReferenceWorkflow):
            return f"not checked further: it calls {one.name}, which is registered elsewhere"
        if isinstance(one, ReferenceEntity) and one.kind == ResourceType.TASK:
            tasks.append(TaskTemplate(id=one.id, interface=one.interface.message()))
        elif isinstance(one, LaunchPlan | ReferenceEntity):
            at = key(_plan_id(one, made))
            plans[at] = one.interface.message()
            defaults[at] = [name for name, given in one.interface.inputs.items() if not given.required]
    spec = made.workflows[workflow.name]
    compile_workflow(spec.template, spec.sub_workflows, tasks, plans, defaults=defaults)
    return ""


def _plan_id(plan: LaunchPlan | ReferenceEntity[..., Any], made: Registration) -> Identifier:
    return plan.id if isinstance(plan, ReferenceEntity) else made.launch_plans[plan.name].id


def write(specs: Specs, directory: Path) -> list[Path]:
    """Write each spec as protobuf, `tasks/NAME.pb` and so on. Returns the paths."""
    paths = []
    for kind, messages in specs.kinds().items():
        for name, message in messages.items():
            path = directory / kind / f"{name.replace('/', '_')}.pb"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(message.SerializeToString(deterministic=True))
            paths.append(path)
    return paths


def as_json(specs: Specs) -> str:
    """The specs by kind and name, as one JSON document."""
    document = {
        kind: {name: MessageToDict(message, preserving_proto_field_name=True) for name, message in messages.items()}
        for kind, messages in specs.kinds().items()
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


@click.command()
@click.argument("target", metavar="FILE|MODULE")
@click.argument("entity", required=False)
@click.option("-o", "--output", metavar="DIR|json", help="Write protobuf files below DIR, or JSON to standard output.")
@click.option("-p", "--project", default="", help="Project in the ids.")
@click.option("-d", "--domain", default="", help="Domain in the ids.")
@click.option("--version", default="", help="Version in the ids.")
@click.option("-i", "--image", multiple=True, metavar="[NAME=]IMAGE", help="Of tasks that name none; or by name.")
@click.option(
    "--copy", type=click.Choice([one.value for one in Copy]), default="none", help="Code that containers unpack."
)
@click.pass_context
def compile(ctx: click.Context, /, target: str, entity: str | None, output: str | None, **given: Any) -> None:
    """Check the workflows of a file or module, and write the specs that register them.

    All faults of all workflows are shown at once; with any, the exit code is 1 and nothing is written. With --copy the
    code goes to the data prefix as one bundle, addressed by its content; else images have it.
    """
    program = loaded(target, ctx)
    try:
        entities = [program.find(entity)] if entity else registrable(program)
        settings = _settings(program, **given)
    except ConfigError as exc:
        raise click.UsageError(str(exc), ctx) from None
    specs, verdicts = compiled(entities, settings)
    for verdict in verdicts:
        say(verdict)
    failed = sum(bool(verdict.faults) for verdict in verdicts)
    if failed:
        click.echo(f"{failed} of {len(verdicts)} do not compile", err=True)
        raise click.exceptions.Exit(1)
    counts = ", ".join(
        f"{len(messages)} {kind.replace('_', ' ')[: -1 if len(messages) == 1 else None]}"
        for kind, messages in specs.kinds().items()
    )
    where = ""
    if output == "json":
        click.echo(as_json(specs))
    elif output:
        write(specs, Path(output))
        where = f", written below {output}"
    click.echo(f"{counts}{where}", err=True)


def _settings(program: Program, image: Sequence[str], copy: str, **ids: Any) -> SerializationSettings:
    settings = SerializationSettings(**ids)
    if not image and copy == Copy.NONE:
        return settings
    return Shipping.of(load(), copy=copy, images=image).into(
        settings, Code.loaded(program.module, target=program.shown)
    )


def registrable(program: Program) -> list[Entity]:
    """What can be registered on its own."""
    own = (program.entities[name] for name in program.own)
    return [entity for entity in own if not isinstance(entity, ArrayTask | ReferenceEntity)]


def say(verdict: Verdict) -> None:
    """Tell what came of an entity."""
    mark, color = ("✗", "red") if verdict.faults else ("✓", "green")
    note = click.style(f"  {verdict.note}", dim=True) if verdict.note else ""
    title = f"{kind_of(verdict.entity)} {verdict.entity.short_name}"
    click.echo(f"{click.style(mark, fg=color)} {title}{note}", err=True)
    for fault in verdict.faults:
        click.echo(f"    {fault}", err=True)
    if verdict.fix:
        click.echo(f"    {click.style('fix:', fg='green')} {verdict.fix}", err=True)
