"""`alula plugin schema`: what tasks of a plugin must carry, for SDKs in any language."""

from __future__ import annotations

import click

from alula.cli.documents import as_json
from alula.config import load
from alula.errors import AlulaError
from alula.hosting.registry import Backends
from alula.plugin import schema as contract


@click.command()
@click.argument("name")
def schema(name: str) -> None:
    """Print the JSON Schema of the custom part of tasks that plugin NAME runs; NAME may be a type of task, too."""
    try:
        backends = Backends.of(load().backends)
        if name not in backends.offers:
            verdict = backends.verdict(name)
            if not verdict.plugin:
                known = ", ".join(sorted(backends.offers)) or "none"
                what = verdict.problem or f"there is no plugin {name!r}, and none that runs tasks of that type"
                raise click.ClickException(f"{what}\n  fix:   name one of {known}")
            name = verdict.plugin
        found = backends.known(name)
        if found.info is None:
            raise click.ClickException(f"plugin {found} cannot be used: {found.problem}")
        document = contract.published(found.info)
    except AlulaError as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(as_json(document))
