"""`alula cache`: the cache of local runs, and the files that runs leave."""

from __future__ import annotations

import shutil

import click

from alula import config
from alula.errors import ConfigError
from alula.sdk import local_cache


@click.group()
def cache() -> None:
    """Look after the cache of local runs."""


@cache.command()
@click.option("--runs", is_flag=True, help="Remove the files and reports of earlier runs as well.")
def clear(runs: bool) -> None:
    """Forget every cached result."""
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
