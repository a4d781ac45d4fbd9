"""`alula get`: executions, nodes, inputs, outputs and logs, as tables or for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from alula._kits.units import shown_duration
from alula.admin import values
from alula.admin.views import ExecutionView, NodeView
from alula.cli.attempts import attempts
from alula.cli.desk import Form, at_desk, document, form_option, print_rows, store_option
from alula.cli.logs import logs
from alula.cli.panels import panels
from alula.cli.results import plain, readable_literal
from alula.cli.said import last_line
from alula.cli.width import cut
from alula.client.asynchronous import AsyncClient
from alula.engine.state import NodePhase
from alula.idl import LiteralMap

_COLORS = {"succeeded": "green", "recovered": "cyan", "failed": "red", "timed_out": "red", "aborted": "yellow"}
_LONGEST_ERROR = 60


@click.group()
def get() -> None:
    """Show executions, and what is in one of them."""


@get.command()
@form_option
@click.option("--phase", "phases", multiple=True, metavar="PHASE", help="running, failed, ... Repeatable.")
@click.option("--entity", default="", metavar="TEXT", help="A part of the name of what ran.")
@click.option("--name", default="", metavar="TEXT", help="A part of the execution's name.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@store_option
def executions(output: str, phases: Sequence[str], entity: str, name: str, limit: int, store: str) -> None:
    """Executions, newest first."""
    known = [str(phase) for phase in NodePhase]
    if unknown := [phase for phase in phases if phase not in known]:
        raise click.UsageError(f"{unknown[0]!r} is no phase; there are {', '.join(known)}")

    async def work(client: AsyncClient) -> None:
        rows = await client.list(phases=phases, entity=entity, name=name, limit=limit)
        head = ("NAME", "WHAT", "PHASE", "STARTED", "TOOK", "")
        if not rows and Form(output) is Form.TABLE:
            asked = phases or entity or name
            click.echo(
                "no executions" + (" like that" if asked else " yet: alula run FILE ENTITY begins one"), err=True
            )
            return
        print_rows(rows, Form(output), head, _execution_cells, lambda row: str(row.name))

    at_desk("listing executions", work, store=store)


@get.command()
@click.argument("execution")
@click.argument("node", default="")
@form_option
@click.option("--elements", type=click.IntRange(min=0), default=20, show_default=True, help="Of each map; 0: all.")
@store_option
def nodes(execution: str, node: str, output: str, elements: int, store: str) -> None:
    """The nodes of an execution, or one and what is in it."""

    async def work(client: AsyncClient) -> None:
        rows = await (await client.get(execution)).nodes(node, elements=elements)
        head = ("PATH", "NODE", "PHASE", "TOOK", "")
        print_rows(rows, Form(output), head, _node_cells, lambda row: str(row.path))

    at_desk(f"looking at {execution}", work, store=store)


@get.command()
@click.argument("execution")
@click.argument("node", default="")
@form_option
@store_option
def outputs(execution: str, node: str, output: str, store: str) -> None:
    """What an execution gave, or one of its nodes."""

    async def work(client: AsyncClient) -> None:
        _print_values(await values.outputs(client.desk, client.key(execution), node), Form(output))

    at_desk(f"reading outputs of {execution}", work, store=store)


@get.command()
@click.argument("execution")
@click.argument("node", default="")
@form_option
@store_option
def inputs(execution: str, node: str, output: str, store: str) -> None:
    """What an execution was given, or one of its nodes."""

    async def work(client: AsyncClient) -> None:
        _print_values(await values.inputs(client.desk, client.key(execution), node), Form(output))

    at_desk(f"reading inputs of {execution}", work, store=store)


get.add_command(attempts, "attempts")
get.add_command(logs, "logs")
get.add_command(panels, "panels")


def _print_values(found: LiteralMap, form: Form) -> None:
    names = sorted(found.literals)
    if form is Form.NAME:
        click.echo("\n".join(names))
    elif form is not Form.TABLE:
        click.echo(document({name: plain(found.literals[name]) for name in names}, form))
    else:
        width = max(map(len, names), default=0)
        for name in names:
            text = readable_literal(found.literals[name])
            click.echo(f"{name:<{width}}  {text}" if "\n" not in text else f"{name}:\n{text}")


def _execution_cells(row: ExecutionView) -> Sequence[str]:
    took = shown_duration(timedelta(seconds=row.seconds)) if row.started_at else ""
    note = cut(last_line(row.error), _LONGEST_ERROR)
    if not row.ended_at and not row.engine:
        note = "nobody drives it"
    elif row.reference:
        note = note or f"recovers {row.reference}"
    return row.name, _entity(row.entity), shown_phase(row.phase), _ago(row.started_at or row.created_at), took, note


def _entity(text: str) -> str:
    """The name in an id: `workflow:project:domain:name:version`."""
    parts = text.split(":")
    return parts[3] if len(parts) > 4 else text


def _node_cells(row: NodeView) -> Sequence[str]:
    took = shown_duration(timedelta(seconds=row.running_seconds)) if row.started_at else ""
    notes = []
    if row.size:
        notes.append(f"{row.ended:,}/{row.size:,}")
    if row.cache == "hit":
        notes.append("cached")
    if row.attempts > 1:
        notes.append(f"{row.attempts} attempts")
    if row.done is not None:
        notes.append(f"{row.done:.0%} {row.message}".rstrip())
    if row.failure is not None:
        notes.append(cut(last_line(row.failure.message), _LONGEST_ERROR))
    elif row.waiting:
        notes.append(row.waiting)
    elif row.reason and not row.ended_at and not row.message:
        notes.append(cut(row.reason, _LONGEST_ERROR))
    if row.stuck:
        notes.append(click.style(row.stuck, fg="red"))
    return row.path or ".", "  " * row.depth + row.title, shown_phase(row.phase), took, "; ".join(notes)


def shown_phase(phase: str) -> str:
    """A phase as it is printed."""
    color = _COLORS.get(phase)
    text = phase.replace("_", " ") or "not begun"
    return click.style(text, fg=color) if color else click.style(text, dim=not phase)


def _ago(at: datetime) -> str:
    past: Any = datetime.now(UTC) - at
    return f"{shown_duration(past)} ago"
