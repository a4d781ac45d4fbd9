"""`alula inspect FILE [ENTITY]`: what a program holds, and what one of its entities takes, gives and does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from alula.cli import bodies
from alula.cli.listing import listing, shown_type
from alula.cli.loading import loaded
from alula.cli.program import kind_of
from alula.errors import AlulaError, ConfigError
from alula.sdk.conditional import Branch
from alula.sdk.graph import Entity, Node
from alula.sdk.launch_plan import LaunchPlan
from alula.sdk.promise import Comparison, Conjunction, Promise
from alula.sdk.task import PythonTask
from alula.sdk.walk import dependencies
from alula.sdk.workflow import BaseWorkflow


@click.command()
@click.argument("target", metavar="FILE|MODULE")
@click.argument("entity", required=False)
@click.pass_context
def inspect(ctx: click.Context, target: str, entity: str | None) -> None:
    """Show what a file or module holds; with ENTITY its inputs, outputs, settings and nodes."""
    program = loaded(target, ctx)
    if entity is None:
        click.echo(listing(program))
        return
    try:
        found = program.find(entity)
    except ConfigError as exc:
        raise click.UsageError(str(exc), ctx) from None
    try:
        click.echo("\n".join(described(found)))
    except AlulaError as exc:  # the body of a workflow is read here
        raise click.ClickException(str(exc)) from exc
    except Exception as exc:
        if not bodies.came_of_one(exc):
            raise
        raise click.ClickException(bodies.in_a_line(exc)) from exc


def described(entity: Entity) -> Iterator[str]:
    """An entity, line by line. Raises AlulaError for a workflow that does not hold together."""
    doc = entity.interface.doc
    yield click.style(f"{kind_of(entity)} {entity.name}", bold=True)
    where = getattr(entity, "where", "")
    if where:
        yield click.style(where, dim=True)
    for text in (doc.short, doc.long):
        if text:
            yield from ("", *text.splitlines())
    inputs = [
        (name, shown_type(one.type), "" if one.required else f"default: {one.default!r:.60}", doc.inputs.get(name, ""))
        for name, one in entity.interface.inputs.items()
    ]
    outputs = [
        (name, shown_type(one.type), "", doc.outputs.get(name) or doc.returns)
        for name, one in entity.interface.outputs.items()
    ]
    for title, rows in (("inputs", inputs), ("outputs", outputs)):
        if rows:
            yield from ("", f"{title}:", *_table(rows))
    settings = [*_settings(entity)]
    if settings:
        yield from ("", "settings:", *_table(settings))
    workflow = entity.workflow if isinstance(entity, LaunchPlan) else entity
    if isinstance(workflow, BaseWorkflow):
        yield from ("", "nodes:", *_nodes(workflow.nodes, "  "))


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True) if width)
        yield f"  {'  '.join(cells)}".rstrip()


def _settings(entity: Entity) -> Iterator[tuple[str, ...]]:
    """What differs from a task or plan without settings."""
    if isinstance(entity, PythonTask):
        options = entity.options
        found: dict[str, Any] = {
            "retries": options.retries or None,
            "timeout": options.limit if options.seconds else None,
            "cache": f"version {entity.cache.version}" if entity.cache is not None else None,
            "report": "yes" if options.deck else None,
            "image": options.container_image,
            "plugin": type(entity.plugin).__name__ if entity.plugin is not None else None,
        }
    elif isinstance(entity, LaunchPlan):
        found = {
            "workflow": entity.workflow.name,
            "schedule": entity.schedule,
            "fixed": dict(entity.fixed_inputs) or None,
        }
    else:
        found = {}
    return ((name, str(value)) for name, value in found.items() if value is not None)


def _text(part: Any) -> str:
    """A condition, or a side of it: `n0.o0 > 3`; an input of the workflow by its name."""
    match part:
        case Comparison(left, op, right):
            return f"{_text(left)} {op} {_text(right)}"
        case Conjunction(left, op, right):
            return f"({_text(left)}) {op} ({_text(right)})"
        case Promise():
            path = "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in part._path)
            return f"{part._var}{path}" if part._node.entity is None else f"{part._node.id}.{part._var}{path}"
    return repr(part)


def _nodes(nodes: list[Node], indent: str) -> Iterator[str]:
    for node in nodes:
        entity = node.entity
        assert entity is not None  # only the start node has none, and it is not among the nodes
        before = [other.id for other in dependencies(node) if other.entity is not None]
        notes = click.style(f"  after {', '.join(before)}", dim=True) if before else ""
        if isinstance(entity, Branch):
            yield f"{indent}{node.id}  conditional {entity.name}{notes}"
            for arm in entity.arms:
                yield f"{indent}  {'else' if arm.condition is None else f'if {_text(arm.condition)}'}"
                if arm.target is None:
                    yield f"{indent}    fail: {arm.error}"
                yield from _nodes(arm.nodes, f"{indent}    ")
            continue
        yield f"{indent}{node.id}  {kind_of(entity)} {node.title}{notes}"
        if isinstance(entity, BaseWorkflow):
            yield from _nodes(entity.nodes, f"{indent}    ")
