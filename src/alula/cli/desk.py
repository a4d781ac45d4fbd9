"""What every command over executions begins with: the settings, a client, and its border for errors."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alula._kits import lazy, loops
from alula.admin.views import plain
from alula.cli.documents import as_json
from alula.cli.reports import reported
from alula.cli.width import columns
from alula.client.asynchronous import AsyncClient
from alula.config import Config, load
from alula.errors import ConfigError
from alula.serve.programs import Programs
from alula.store.opening import file_of

if TYPE_CHECKING:
    import yaml
else:
    yaml = lazy.module("yaml")  # the other formats need not pay for it

Work = Callable[[AsyncClient], Awaitable[int | None]]
Command = Callable[..., Any]


class Form(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def form_option(command: Command) -> Command:
    """`-o table|json|yaml|name`."""
    forms = click.Choice([form.value for form in Form])
    return click.option("-o", "--output", type=forms, default=Form.TABLE.value, help="How to print it.")(command)


def store_option(command: Command) -> Command:
    """`--store URL`."""
    return click.option("--store", default="", metavar="URL", help="A path or postgresql://...; else as set.")(command)


def at_desk(
    what: str,
    work: Work,
    *,
    store: str = "",
    workers: Callable[[Config], Programs] | None = None,
    makes: bool = False,
) -> None:
    """Do something with a client; ends the command with its exit code.

    Args:
        what: What is done, for a card: `aborting calm-otter-k3d9`.
        work: Gives an exit code; None is 0.
        makes: Whether it makes the store, if there is none; else it finds nothing there.
    """

    async def do() -> int:
        made = workers(config) if workers is not None else None
        async with AsyncClient(store, config=config, workers=made, memory=nothing) as client:
            return await work(client) or 0

    with reported(what):
        config = load()
        nothing = not makes and not there(config, store)
        code = loops.run(do())
    if code:
        raise click.exceptions.Exit(code)


def there(config: Config, store: str = "") -> bool:
    """Whether there is a store to look into: a newcomer has none in the usual place, until something runs.

    Args:
        store: As the command line names it; empty: the settings do.

    Raises:
        ConfigError: There is none in a place that somebody has named.
    """
    file = file_of(store or config.store_url)
    if not file:
        return True  # a server, or what is no URL: who opens it says so
    try:
        os.stat(file)
    except FileNotFoundError:
        if not store and not config.store.url:
            return False
        raise ConfigError(
            f"there is no store at {Path(file).absolute()}",
            where="--store" if store else "store.url",
            fix="mend the path; or alula run makes the store, where store.url names it (alula.toml, ALULA__STORE__URL)",
        ) from None
    except OSError:  # who opens it says more
        return True
    return True


def print_rows(
    rows: Sequence[Any],
    form: Form,
    head: Sequence[str],
    cells: Callable[[Any], Sequence[str]],
    name: Callable[[Any], str],
) -> None:
    """Views as a table, a document, or names alone."""
    match form:
        case Form.JSON:
            click.echo(as_json([plain(row) for row in rows]))
        case Form.YAML:
            click.echo(yaml.safe_dump([plain(row) for row in rows], allow_unicode=True, sort_keys=False).rstrip("\n"))
        case Form.NAME:
            for row in rows:
                click.echo(name(row))
        case Form.TABLE:
            print_table(head, [cells(row) for row in rows])


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under a head, columns as wide as their cells; styles do not count."""
    whole = [list(head), *map(list, rows)]
    widths = [max(columns(click.unstyle(row[at])) for row in whole) for at in range(len(head))]
    for nth, row in enumerate(whole):
        cells = [cell + " " * (width - columns(click.unstyle(cell))) for cell, width in zip(row, widths, strict=True)]
        line = "  ".join(cells).rstrip()
        click.echo(click.style(line, dim=True) if nth == 0 else line)


def document(data: Mapping[str, Any], form: Form) -> str:
    """Plain data as JSON or YAML."""
    if form is Form.YAML:
        text: str = yaml.safe_dump(dict(data), allow_unicode=True, sort_keys=False)
        return text.rstrip("\n")
    return as_json(data)
