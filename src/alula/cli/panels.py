"""`alula get panels`: what plugins show of an attempt, in a terminal."""

from __future__ import annotations

import click

from alula.admin import panels as shown
from alula.cli.desk import Form, at_desk, store_option
from alula.cli.documents import as_json
from alula.cli.said import bar
from alula.client.asynchronous import AsyncClient
from alula.plugin.panel import Html, Image, Links, Progress, Series, Table, Text, Widget

_TICKS = "▁▂▃▄▅▆▇█"
_WIDE, _BAR = 60, 24


@click.command(short_help="What a plugin shows of a task that it runs.")
@click.argument("execution")
@click.argument("node")
@click.option(
    "--attempt", type=click.IntRange(min=1), default=None, metavar="N", help="Which one, 1 is first; else the last."
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print it.")
@store_option
def panels(execution: str, node: str, attempt: int | None, output: str, store: str) -> None:
    """What the plugin that runs a task shows of it: progress, links, facts, and the panels made for its type."""

    async def work(client: AsyncClient) -> None:
        found = await shown.panels(client.desk, client.key(execution), node, attempt - 1 if attempt else None)
        if output == Form.JSON:
            click.echo(as_json(shown.as_json(found)))
            return
        if not found:
            click.echo(f"{node} shows nothing", err=True)
        for panel in found:
            click.echo(click.style(panel.title, bold=True))
            if panel.error:
                click.echo(click.style(f"  {panel.error}", fg="red"))
            for widget in panel.widgets:
                click.echo("\n".join(f"  {line}" for line in lines(widget)))

    at_desk(f"looking at {node} of {execution}", work, store=store)


def lines(widget: Widget) -> list[str]:
    """A widget as text."""
    match widget:
        case Text(markdown):
            return markdown.splitlines()
        case Table(columns, rows):
            return _table([columns, *[[_cell(value) for value in row] for row in rows]])
        case Progress(done, total, unit):
            share = done / total if total else 0.0
            counted = f"{done:g}/{total:g} {unit}".rstrip() if total != 1 or unit else ""
            drawn = "".join(click.style(part.text, fg=part.color or None, dim=part.dim) for part in bar(share, _BAR))
            return [f"{drawn} {share:.0%} {counted}".rstrip()]
        case Series(title, points, unit):
            values = [value for _, value in points][-_WIDE:]
            last = f"{values[-1]:g} {unit}".rstrip() if values else "nothing yet"
            return [f"{title}: {_sparkline(values)} {last}"]
        case Links(links):
            return [f"{link.name}: {link.uri}" for link in links]
        case Image(uri, caption):
            where = uri if not uri.startswith("data:") else "an image, to be seen in a browser"
            return [f"{caption or 'image'}: {where}"]
        case Html(html):
            return [f"{len(html):,} characters of HTML, to be seen in a browser"]


def _cell(value: object) -> str:
    return value if isinstance(value, str) else as_json(value, indent=None)


def _table(rows: list[tuple[str, ...] | list[str]]) -> list[str]:
    width = max(map(len, rows))
    wide = [max(len(row[at]) if at < len(row) else 0 for row in rows) for at in range(width)]
    return ["  ".join(f"{cell:<{wide[at]}}" for at, cell in enumerate(row)).rstrip() for row in rows]


def _sparkline(values: list[float]) -> str:
    if not values:
        return ""
    low, high = min(values), max(values)
    step = (high - low) / (len(_TICKS) - 1) or 1.0
    return "".join(_TICKS[round((value - low) / step)] for value in values)
