"""`alula plugin limit`: how hard a plugin may lean on its remote, changed while engines run."""

from __future__ import annotations

import click

from alula.admin.limits import NAMES, limits, set_limit
from alula.admin.views import plain
from alula.cli.desk import Form, at_desk, print_table, store_option
from alula.cli.documents import as_json
from alula.client.asynchronous import AsyncClient

_DEFAULT = "default"


@click.command()
@click.argument("plugin", default="")
@click.argument("limit", default="", metavar="[LIMIT]")
@click.argument("value", default="", metavar="[VALUE]")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print it.")
@store_option
def limit(plugin: str, limit: str, value: str, output: str, store: str) -> None:
    """Show what was changed of the limits of plugins, or change one: writes_per_second 5, refresh 1m, concurrent 8.

    All engines follow within seconds. `default` as the value goes back to what the plugin says.
    """
    if limit and not value:
        raise click.UsageError(f"say what {limit} is to be; `default` goes back to what the plugin says")

    async def work(client: AsyncClient) -> None:
        if limit:
            await set_limit(client.desk, plugin, limit, "" if value == _DEFAULT else value)
        found = await limits(client.desk, plugin)
        if output == Form.JSON:
            click.echo(as_json(plain(found)))
        elif found:
            print_table(("PLUGIN", "LIMIT", "VALUE"), [(one.plugin, one.limit, one.value) for one in found])
        else:
            click.echo(f"nothing was changed; there are {', '.join(NAMES)}", err=True)

    at_desk("looking at limits", work, store=store, makes=bool(limit))
