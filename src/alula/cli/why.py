"""`alula why`: what something waits for, down to the cause."""

from __future__ import annotations

import click

from alula.admin.views import plain
from alula.cli.desk import Form, at_desk, store_option
from alula.cli.documents import as_json
from alula.client.asynchronous import AsyncClient


@click.command()
@click.argument("execution")
@click.argument("node", default="")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print it.")
@store_option
def why(execution: str, node: str, output: str, store: str) -> None:
    """Say why an execution, or one of its nodes, does not go on: what it waits for, and what that waits for."""

    async def work(client: AsyncClient) -> None:
        links = await (await client.get(execution)).why(node)
        if output == Form.JSON:
            click.echo(as_json([plain(link) for link in links]))
            return
        for link in links:
            about = f"{link.path} {link.title}" if link.path and link.title != link.path else link.path or execution
            click.echo(f"{click.style(about, bold=True)}: {link.text.rstrip()}")

    at_desk(f"looking at {execution}", work, store=store)
