"""`alula cache`: the cache of task outputs, and the files that local runs leave."""

from __future__ import annotations

import shutil
from datetime import timedelta

import click

from alula import config
from alula.cli.desk import at_desk, store_option
from alula.client.asynchronous import AsyncClient
from alula.errors import ConfigError
from alula.sdk import local_cache


@click.group()
def cache() -> None:
    """Look after the cache of task outputs."""


@cache.command()
@click.option("--runs", is_flag=True, help="Remove the files and reports of earlier runs with --local as well.")
@store_option
def clear(runs: bool, store: str) -> None:
    """Forget every cached result: of the store, and of runs with --local."""

    async def work(client: AsyncClient) -> None:
        await client.house.store.evict(older_than=timedelta(0))

    at_desk("emptying the cache", work, store=store)
    try:
        local_cache.clear()
    except ConfigError as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo("the cache is empty")
    if runs:
        directory = config.home() / "runs"
        count = len(list(directory.iterdir())) if directory.is_dir() else 0
        shutil.rmtree(directory, ignore_errors=True)
        click.echo(f"removed the files of {count} run{'' if count == 1 else 's'}")
