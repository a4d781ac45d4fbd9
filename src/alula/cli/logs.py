"""`alula logs`: what the tasks of an execution printed."""

from __future__ import annotations

import click

from alula.admin.views import no_attempt
from alula.cli.desk import at_desk, store_option
from alula.cli.width import Part, tame
from alula.client.asynchronous import AsyncClient
from alula.engine.state import parent

_COLORS = ("cyan", "magenta", "green", "yellow", "blue")


@click.command(short_help="What tasks printed; -f follows them.")
@click.argument("execution")
@click.argument("node", default="")
@click.option("-f", "--follow", is_flag=True, help="Go on until the execution has ended.")
@click.option(
    "--attempt", type=click.IntRange(min=1), default=None, metavar="N", help="Of this attempt only; 1 is first."
)
@store_option
def logs(execution: str, node: str, follow: bool, attempt: int | None, store: str) -> None:
    """What tasks printed, standard output and errors in order: of one node, or of all of them."""

    async def work(client: AsyncClient) -> None:
        run = await client.get(execution)
        titles = {} if node else {one.path: one.title for one in await run.nodes(elements=0)}
        count = 0
        wanted = None if attempt is None else attempt - 1
        async for line in run.logs(node or None, attempt=wanted, follow=follow):
            count += 1
            click.echo(f"{_label(line.path, line.attempt, titles)}{tame(line.text)}")
        if not count:
            where = f"node {node} of {execution}" if node else execution
            if wanted is not None:
                there = {one.number for one in await run.attempts(node or None)}
                if wanted not in there:
                    raise no_attempt(where, wanted, there)
                where = f"attempt {attempt} of {where}"
            click.echo(f"{where} has printed nothing", err=True)

    at_desk(f"reading logs of {execution}", work, store=store)


def _label(path: str, attempt: int, titles: dict[str, str]) -> str:
    """Who printed a line, where several may."""
    if not titles:
        return ""
    title = titles.get(parent(path) if path.endswith("]") else path, "")  # that of an element is its index again
    shown = f"{path} {title}" if title and title != path else path
    number = f" #{attempt + 1}" if attempt else ""
    return str(Part(f"{shown}{number} │ ", _COLORS[sum(path.encode()) % len(_COLORS)]))
