"""`alula leaks`: what is alive because of us and should not be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import click

from alula._kits.units import shown_duration
from alula.admin.executions import ended
from alula.admin.leaks import Leak, LeakKind, Leaks
from alula.admin.views import plain
from alula.cli.attempts import numbered
from alula.cli.desk import Form, at_desk, print_table, store_option
from alula.cli.documents import as_json
from alula.client.asynchronous import AsyncClient
from alula.store.records import ExecutionKey

_PATIENCE = 30.0
"""Seconds for clean-ups that nobody else is there to try."""


@click.command()
@click.option("--reclaim", is_flag=True, help="Stop what nobody knows, and try failing clean-ups again now.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print it.")
@store_option
def leaks(reclaim: bool, output: str, store: str) -> None:
    """List what leaks: attempts that cannot be cleaned up after, and jobs at remotes that no attempt has.

    Exit code 1 if something does.
    """

    async def work(client: AsyncClient) -> int:
        found = await client.leaks(reclaim=reclaim)
        if reclaim:
            found = await _cleaned(client, found)
        if output == Form.JSON:
            click.echo(as_json(plain(found)))
        else:
            _tell(found)
        return 1 if found.faults or any(not leak.reclaimed for leak in found.leaks) else 0

    at_desk("looking for leaks", work, store=store)


async def _cleaned(client: AsyncClient, found: Leaks) -> Leaks:
    """Clean up here after executions that have ended, where no engine lives that would."""
    store = client.house.store
    if any(lives for _, _, lives in await store.owners()):
        return found
    ours = {leak.name: leak for leak in found.leaks if leak.kind is not LeakKind.UNKNOWN}
    keys = {ExecutionKey(leak.project, leak.domain, leak.execution) for leak in ours.values()}
    records = [record for key in sorted(keys, key=str) if ended(record := await store.execution(key))]
    if records:
        engine = await client.engine()
        for record in records:
            engine.drive(record.id)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await engine.until_idle()
    left = {leak.name for leak in (await client.leaks()).leaks}
    told = [replace(one, reclaimed=one.name not in left) if one.name in ours else one for one in found.leaks]
    return replace(found, leaks=told)


def _tell(found: Leaks) -> None:
    if found.leaks:
        print_table(("WHAT", "EXECUTION", "NODE", "SINCE", ""), [_cells(leak) for leak in found.leaks])
    for fault in found.faults:
        click.echo(f"{click.style('✗', fg='red')} {fault}", err=True)
    if found.unasked:
        names = ", ".join(note.removeprefix("plugin ").partition(" ")[0] for note in found.unasked)
        text = f"- not asked: {names} (no settings, so nothing here can have used them; -o json says more)"
        click.echo(click.style(text, dim=True), err=True)
    if not found.leaks and not found.faults:
        click.echo("nothing leaks", err=True)


def _cells(leak: Leak) -> Sequence[str]:
    since = f"{shown_duration(datetime.now(UTC) - leak.since)} ago" if leak.since is not None else ""
    who = f"plugin {leak.plugin}: " if leak.plugin else ""
    done = click.style(" (reclaimed)", fg="green") if leak.reclaimed else ""
    return (
        str(leak.kind),
        leak.execution,
        numbered(leak.path, leak.number) if leak.path else "",
        since,
        who + leak.what + done,
    )
