"""`alula agent serve`: plugins as an agent, until told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import Any

import click

from alula._kits.clock import SystemClock
from alula.agent import plugins
from alula.agent.announce import Announcer, announcement
from alula.agent.server import Listening, Running, serving
from alula.agent.services import Services
from alula.cli.noted import log_to_stderr
from alula.cli.reports import reported
from alula.config import load
from alula.data.settings import adopt
from alula.data.stores import Objects
from alula.errors import ConfigError
from alula.hosting.registry import Backends
from alula.plugin import typed
from alula.plugin.announcing import is_loopback
from alula.plugin.core import PluginInfo, SyncPlugin


@click.command()
@click.argument("names", metavar="PLUGIN...", nargs=-1, required=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8000, show_default=True, help="0: any that is free.")
@click.option("--cert", default="", type=click.Path(), help="PEM file with the certificate: TLS.")
@click.option("--key", default="", type=click.Path(), help="PEM file with its key.")
@click.option(
    "--client-ca", default="", type=click.Path(), help="Callers must show a certificate of these authorities."
)
@click.option(
    "--token-file", default="", type=click.Path(), help="Callers must carry a token of this file, one a line."
)
@click.option("--insecure", is_flag=True, help="Listen in plain text where others can reach it.")
@click.option("--register", default="", metavar="DIRECTORY|URL", help="Announce the agent to engines there.")
@click.option("--name", default="", help="What it is announced as; the same after a restart.")
@click.option("--address", default="", metavar="HOST:PORT", help="How engines reach it, if not where it listens.")
@click.option("--register-token", default="", envvar="ALULA_REGISTER_TOKEN", help="For an engine that wants one.")
def serve(
    names: tuple[str, ...],
    host: str,
    port: int,
    *,
    cert: str,
    key: str,
    client_ca: str,
    token_file: str,
    insecure: bool,
    register: str,
    name: str,
    address: str,
    register_token: str,
) -> None:
    """Serve plugins to any engine that calls agents: Alula, or a stock Flyte.

    A PLUGIN is the name of an installed one, of a package that has some, or of a module. Settings come from
    [backends.<name>] of alula.toml.
    """
    log_to_stderr(logging.WARNING)
    with reported("serving the agent"):
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        listening = Listening(host, port, cert, key, client_ca, token_file, insecure)
        config = load()
        adopt(config.storage, os.environ)
        found = plugins.find(names, _settings(config.backends))
        announcer = Announcer(register, token=register_token) if register else None
        if announcer is not None and not name:
            raise ConfigError("the agent announces itself without a name", fix="give --name, the same at every start")
        if listening.plaintext and not is_loopback(f"{host}:0"):
            click.secho(f"anybody who reaches {host} can call this agent and read along", fg="yellow", err=True)
        asyncio.run(_serve(Services(found, Objects()), listening, announcer, name, address))


async def _serve(
    services: Services, listening: Listening, announcer: Announcer | None, name: str, address: str
) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with serving(services, listening) as running, asyncio.TaskGroup() as group:
        _say(services, listening, running)
        clock, keeping = SystemClock(), None
        if announcer is not None:
            where = address or f"{listening.host}:{running.port}"

            def said() -> Any:
                return announcement(name, where, services.plugins, clock=clock, plaintext=listening.plaintext)

            keeping = group.create_task(announcer.keep(said, complain=lambda why: click.echo(why, err=True)))
        await stop.wait()
        if keeping is not None:
            keeping.cancel()
        click.echo("stopping: calls under way may finish", err=True)


def _say(services: Services, listening: Listening, running: Running) -> None:
    how = "in plain text" if listening.plaintext else "with TLS" + (", both ways" if listening.client_ca_file else "")
    click.echo(f"agent at {listening.host}:{running.port}, {how}; Ctrl-C stops it", err=True)
    for plugin in services.plugins:
        kind = "answers at once" if isinstance(plugin, SyncPlugin) else "starts jobs"
        click.echo(f"  {plugin.info.name}: {', '.join(sorted(plugin.info.task_types))} ({kind})", err=True)


def _settings(sections: Any) -> plugins.Settings:
    """Settings of plugins as engines read them."""

    def of(info: PluginInfo) -> Any:
        backends = Backends.of(sections)
        if info.name in backends.offers:
            return backends.settings(backends.known(info.name))
        assert info.settings is not None
        return typed.read(sections.get(info.section or info.name, {}), info.settings, what=f"[backends.{info.name}]")

    return of
