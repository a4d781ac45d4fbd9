"""`alula get attempts`: every try at a node, and what its plugin says of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import click

from alula._kits.units import shown_duration
from alula.admin.views import AttemptView
from alula.cli.desk import Form, at_desk, form_option, print_rows, store_option
from alula.cli.documents import as_json
from alula.cli.said import last_line
from alula.cli.width import cut
from alula.client.asynchronous import AsyncClient

_LONGEST = 100


@click.command(short_help="The tries at a node, or at all of them.")
@click.argument("execution")
@click.argument("node", default="")
@form_option
@store_option
def attempts(execution: str, node: str, output: str, store: str) -> None:
    """The attempts of an execution or a node: why each waits, what it does outside, links, facts."""

    async def work(client: AsyncClient) -> None:
        rows = await (await client.get(execution)).attempts(node or None)
        form = Form(output)
        head = ("PATH", "ATTEMPT", "PHASE", "TOOK", "")
        print_rows(rows, form, head, _cells, lambda row: numbered(row.path, row.number))
        for row in rows if form is Form.TABLE else ():
            _tell(row)

    at_desk(f"looking at {execution}", work, store=store)


def numbered(path: str, number: int) -> str:
    """An attempt in a word: people count from 1, flyteidl from 0."""
    return f"{path}#{number + 1}"


def _cells(row: AttemptView) -> Sequence[str]:
    took = shown_duration(timedelta(seconds=row.running_seconds)) if row.started_at else ""
    phase = row.phase if not row.outside or row.outside == row.phase else f"{row.phase} ({row.outside})"
    note = row.stuck or (last_line(row.failure.message) if row.failure is not None else "")
    note = note or row.waiting or row.message or row.reason
    done = f"{row.done:.0%} " if row.done is not None and row.ended_at is None else ""
    return row.path, str(row.number + 1), phase, took, cut(done + note, _LONGEST)


def _tell(row: AttemptView) -> None:
    """What has no place in a table."""
    about = click.style(numbered(row.path, row.number), dim=True)
    for link in row.links:
        click.echo(f"{about} {link.name or 'link'}: {link.uri}")
    for name, value in row.custom.items():
        click.echo(f"{about} {name}: {value if isinstance(value, str) else as_json(value, indent=None)}")
