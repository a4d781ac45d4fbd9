"""A process of its own that drives one execution, and leaves when it is over."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import click

from alula.cli.aside import aside
from alula.client.asynchronous import AsyncClient
from alula.client.run import AsyncRun
from alula.config import ENVIRONMENT, Config
from alula.errors import ConfigError, StoreUnavailable

_PATIENCE = 20.0
"""Seconds for the process to take the execution."""
_SHOWN = 20
"""Lines of its log that are shown if it dies."""


def log_of(config: Config, name: str) -> Path:
    """Where the process that drives an execution in the background writes."""
    return config.home / "logs" / f"{name}.log"


async def start(client: AsyncClient, run: AsyncRun) -> Path:
    """Start the process, and return once it has the execution; the file that it writes to.

    Raises:
        StoreUnavailable: It died, with what it said.
        ConfigError: It has no place to write to.
    """
    config = client.config
    path = log_of(config, run.name)
    with _opened(path) as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [sys.executable, "-m", "alula.cli.main", "drive", run.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=_environment(config),
        )
    try:
        async with asyncio.timeout(_PATIENCE):
            while process.poll() is None:
                await run.refresh()
                if run.record.owner or run.ended:
                    return path
                await asyncio.sleep(0.05)
    except TimeoutError:
        return path
    await run.refresh()
    if run.ended:
        return path
    said = path.read_text(errors="replace").splitlines()[-_SHOWN:]
    raise StoreUnavailable(
        f"the process in the background ended with {process.returncode}: " + ("\n".join(said) or "it said nothing"),
        where=str(path),
        fix=f"run it in the foreground: alula run --name {run.name} ...",
    )


def _opened(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError as exc:
        raise ConfigError(
            f"the log of a process in the background has no place: {exc.strerror or exc}",
            where=str(path),
            fix=f"make room there, or run it in the foreground: alula run --name {path.stem} ...",
        ) from exc


def _environment(config: Config) -> dict[str, str]:
    """The environment in which another process comes to the same settings, wherever it runs."""
    given = {
        "STORE__URL": config.store_url,
        "STORE__DURABILITY": str(config.store.durability),
        "DATA": config.data_prefix,
        "PROJECT": config.project,
        "DOMAIN": config.domain,
    }
    return {**os.environ, "ALULA_HOME": str(config.home), **{ENVIRONMENT + key: v for key, v in given.items()}}


def told(name: str, path: Path) -> None:
    """Say what runs in the background, and how to look at it: the name alone goes to standard output."""
    click.echo(name)
    aside(f"  {click.style(f'alula logs -f {name}', fg='cyan')}  follows it; the engine writes to {path}")
