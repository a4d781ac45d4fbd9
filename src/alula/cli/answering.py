"""`alula approve` and `alula signal`: answers to gates."""

from __future__ import annotations

import difflib

import click

from alula.admin import signals
from alula.cli.desk import at_desk, store_option
from alula.cli.submit import answer
from alula.client.asynchronous import AsyncClient
from alula.errors import Unknown
from alula.idl.types import type_text


@click.command()
@click.argument("execution")
@click.argument("gate")
@click.option("--reject", is_flag=True, help="Say no: the gate fails.")
@store_option
def approve(execution: str, gate: str, reject: bool, store: str) -> None:
    """Say yes at a gate that waits for approval, or no."""

    async def work(client: AsyncClient) -> None:
        await signals.approve(client.desk, client.key(execution), gate, yes=not reject)
        said = "rejected" if reject else "approved"
        click.echo(f"{click.style('✓', fg='green')} {said} {gate} of {execution}", err=True)

    at_desk(f"answering {gate} of {execution}", work, store=store)


@click.command()
@click.argument("execution")
@click.argument("gate")
@click.argument("value")
@store_option
def signal(execution: str, gate: str, value: str, store: str) -> None:
    """Give a gate the value that it waits for, written as an input of that type."""

    async def work(client: AsyncClient) -> None:
        key = client.key(execution)
        types = {one.id: one.type for one in await signals.signals(client.desk, key)}
        if gate not in types:
            close = difflib.get_close_matches(gate, types, n=1, cutoff=0.4)
            there = ", ".join(f"{name}: {type_text(t)}" for name, t in types.items())
            raise Unknown(
                f"no gate of {execution} waits for {gate!r}",
                where=f"there are: {there or 'none'}",
                fix=f"did you mean {close[0]}?" if close else "",
            )
        await signals.give(client.desk, key, gate, answer(gate, value, types))
        click.echo(f"{click.style('✓', fg='green')} gave {gate} of {execution} its value", err=True)

    at_desk(f"answering {gate} of {execution}", work, store=store)
