"""`alula pool`: units that attempts share, and who waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from alula._kits.units import shown_duration
from alula.admin.pools import LeaseView, PoolChange, PoolView
from alula.admin.views import plain
from alula.cli.desk import Form, at_desk, form_option, print_rows, print_table, store_option
from alula.cli.documents import as_json
from alula.client.asynchronous import AsyncClient


@click.group()
def pool() -> None:
    """Look after pools: units that attempts of all executions share."""


@pool.command("list")
@form_option
@store_option
def list_pools(output: str, store: str) -> None:
    """All pools, and how much of each is in use."""

    async def work(client: AsyncClient) -> None:
        rows = await client.pools()
        if not rows and Form(output) is Form.TABLE:
            click.echo("no pools yet: alula pool set NAME UNITS makes one", err=True)
            return
        print_rows(
            rows, Form(output), ("NAME", "UNITS", "IN USE", "WAITING", ""), _pool_cells, lambda row: str(row.name)
        )

    at_desk("listing pools", work, store=store)


@pool.command("show")
@click.argument("name")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Of holders, and of the line.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print it.")
@store_option
def show(name: str, limit: int, output: str, store: str) -> None:
    """Who has units of a pool, and who waits, in the order of the line."""

    async def work(client: AsyncClient) -> None:
        found, leases = await client.pool(name, limit=limit)
        if output == Form.JSON:
            click.echo(as_json({**plain(found), "leases": plain(leases)}))
            return
        click.echo(_said(found))
        if leases:
            head = ("PLACE", "EXECUTION", "NODE", "ATTEMPT", "PROJECT", "UNITS", "PRIORITY", "SINCE")
            print_table(head, [_lease_cells(lease) for lease in leases])

    at_desk(f"looking at pool {name}", work, store=store)


def _weights(ctx: click.Context, param: click.Parameter, texts: Sequence[str]) -> dict[str, float]:
    found = {}
    for text in texts:
        project, sign, weight = text.partition("=")
        try:
            if not (project and sign):
                raise ValueError
            found[project] = float(weight)
        except ValueError:
            raise click.BadParameter(f"{text!r} is no weight: write PROJECT=2", ctx, param) from None
    return found


@pool.command("set")
@click.argument("name")
@click.argument("units", type=click.IntRange(min=0), required=False)
@click.option("--per-project", type=click.IntRange(min=0), default=None, help="The most of one project; 0: all.")
@click.option(
    "--weight", "weights", multiple=True, callback=_weights, metavar="PROJECT=N", help="Its share; others have 1."
)
@click.option("--priority", type=int, default=None, help="Of attempts that say nothing about theirs.")
@store_option
def set_(
    name: str,
    units: int | None,
    per_project: int | None,
    weights: dict[str, float],
    priority: int | None,
    store: str,
) -> None:
    """Make a pool, or change it while it is in use. What is held stays held."""
    if units is None and per_project is None and not weights and priority is None:
        raise click.UsageError("say what to change: UNITS, --per-project, --weight or --priority")

    async def work(client: AsyncClient) -> None:
        click.echo(_said(await client.set_pool(name, PoolChange(units, per_project, weights, priority))))

    at_desk(f"setting pool {name}", work, store=store, makes=True)


def _said(pool: PoolView) -> str:
    waiting = f", {pool.waiting} waiting" if pool.waiting else ""
    more = _limits(pool)
    return f"{click.style(pool.name, bold=True)}: {pool.used} of {pool.units} units in use{waiting}" + (
        f" ({more})" if more else ""
    )


def _limits(pool: PoolView) -> str:
    parts = [f"{pool.per_project} per project at most"] if pool.per_project else []
    parts += [f"{project} weighs {weight:g}" for project, weight in pool.weights.items()]
    return "; ".join([*parts, *([f"priority {pool.priority}"] if pool.priority else [])])


def _pool_cells(pool: PoolView) -> Sequence[str]:
    return pool.name, str(pool.units), str(pool.used), str(pool.waiting), _limits(pool)


def _lease_cells(lease: LeaseView) -> Sequence[str]:
    since = shown_duration(datetime.now(UTC) - lease.since)
    place = f"{lease.place}." if lease.place else "has it"
    about = lease.execution, lease.path, str(lease.number + 1), lease.project, str(lease.units), str(lease.priority)
    return place, *about, f"{since} ago"
