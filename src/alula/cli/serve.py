"""`alula serve`: an engine as a process; and the process in the background of `alula run --detach`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alula._kits import lazy, loops
from alula.admin.executions import ended
from alula.cli.card import OK
from alula.cli.desk import store_option
from alula.cli.noted import log_to_stderr
from alula.cli.reports import reported
from alula.cli.width import without_password
from alula.client.ending import until_ended
from alula.config import Config, load
from alula.engine.observe import Observer
from alula.observability.opening import open_metrics, open_spans
from alula.plugin.announcing import is_loopback
from alula.serve.crews import programs
from alula.serve.flytekit import platform
from alula.serve.house import House, furnish
from alula.store.records import ExecutionKey

_CLEAN_UP = 15.0
"""Seconds to wait for the clean-up after an execution that has ended."""

if TYPE_CHECKING:
    from alula.observability import exposition
    from alula.observability.metrics import Metrics
    from alula.serve import control, standing
else:
    control = lazy.module("alula.serve.control")
    standing = lazy.module("alula.serve.standing")
    exposition = lazy.module("alula.observability.exposition")  # needs an extra, and only --metrics comes there


@click.command()
@store_option
@click.option("--grpc", default="", metavar="HOST:PORT", help="Answer clients of Flyte there, over gRPC.")
@click.option("--http", default="", metavar="HOST:PORT", help="The same over HTTP, and uploads and downloads.")
@click.option("--data", default="", metavar="DIR", help="Where all is kept; or a bucket, for files.")
@click.option(
    "--agent",
    "agents",
    multiple=True,
    metavar="HOST:PORT",
    help="Run tasks of an agent there; repeatable.",
)
@click.option("--metrics", default="", metavar="HOST:PORT", help="Serve Prometheus metrics there.")
@click.option(
    "--workers", type=click.FloatRange(min=0, min_open=True), default=None, metavar="CPUS", help="Cores for tasks."
)
@click.option("-v", "--verbose", is_flag=True, help="Log every state change that matters to an operator.")
def serve(metrics: str, verbose: bool, grpc: str, http: str, **given: Any) -> None:
    """Drive all executions in the store, until told to stop (Ctrl-C, SIGTERM).

    With --grpc and --http it is a control plane, too: clients of Flyte register and run programs there. Several may run
    side by side on Postgres; what one leaves, another takes up.
    """
    log_to_stderr(logging.INFO if verbose else logging.WARNING)
    with reported("serving"), ExitStack() as stack:
        config = _configured(load(), **given)
        server = config.server
        config = replace(config, server=replace(server, grpc=grpc or server.grpc, http=http or server.http))
        observers: list[Observer] = []
        if (spans := open_spans()) is not None:
            observers.append(spans)
        numbers = open_metrics() if metrics else None
        if numbers is not None:
            observers.append(numbers)
            shown = exposition.serve_metrics(numbers.registry, metrics)
            stack.callback(shown.close)
            click.echo(f"metrics at http://{shown.host}:{shown.port}/metrics", err=True)
        loops.run(_serve(furnish(config), observers, numbers))


def _configured(
    config: Config,
    *,
    store: str,
    data: str,
    workers: float | None,
    agents: Sequence[str],
) -> Config:
    """Settings, with what the command line says over them."""
    if store:
        config = replace(config, store=replace(config.store, url=store))
    if "://" in data:
        config = replace(config, data=data)
    elif data:
        config = replace(config, home=Path(data).absolute(), data="")
    if workers is not None:
        config = replace(config, workers=replace(config.workers, cpus=workers))
    if agents:
        config = replace(config, backends=_with_agents(config.backends, agents))
    return config


def _with_agents(backends: Mapping[str, Any], addresses: Sequence[str]) -> Mapping[str, Any]:
    """Sections of plugins, with more agents: in plain text on this machine, else over TLS."""
    section = backends.get("agent", {})
    more = {one: {"address": one, "plaintext": is_loopback(one)} for one in addresses}
    return {**backends, "agent": {**section, "endpoints": {**section.get("endpoints", {}), **more}}}


async def _serve(house: House, observers: Sequence[Observer], numbers: Metrics | None) -> None:
    stop, here = _stopped(), dict[str, str]()
    workers = programs(house.config, platform=lambda: here, ready=True)
    try:
        async with house.driving([workers], everything=True, observers=[workers, *observers]) as engine:
            if numbers is not None:
                numbers.read(engine, workers)
                if house.plugins is not None:
                    numbers.read_plugins(house.plugins.hosts)
            click.echo(
                f"engine {engine.owner} drives {without_password(house.config.store_url)}; Ctrl-C stops it", err=True
            )
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(standing.standing(house))
                server = house.config.server
                if server.grpc or server.http:
                    tally = numbers.calls if numbers is not None else None
                    served = await stack.enter_async_context(control.answering(house, server, tally))
                    if served.grpc:
                        here.update(platform(served.grpc, certificate=str(server.cert or "")))
                    for what, where in (("gRPC", served.grpc), ("HTTP", served.http)):
                        if where:
                            click.echo(f"{what} at {where}", err=True)
                lazy.settle()  # a collection that looks through all this holds everything up
                await house.unless_lost(stop.wait())
            click.echo("stopping: what is under way goes on with the next engine", err=True)
    finally:
        await house.aclose()


@click.command(hidden=True)
@click.argument("execution")
def drive(execution: str) -> None:
    """Drive one execution to its end."""
    log_to_stderr(logging.INFO)
    with reported(f"driving {execution}"):
        config = load()
        loops.run(_drive(furnish(config), config, execution))
    raise click.exceptions.Exit(OK)


async def _drive(house: House, config: Config, name: str) -> None:
    stop = _stopped()
    workers = programs(config)
    try:
        record = await house.store.execution(ExecutionKey(config.project, config.domain, name))
        if ended(record):
            return
        async with house.driving([workers], observers=[workers]) as engine:
            engine.drive(record.id)
            over = asyncio.ensure_future(until_ended(house.store, record.id, driven=lambda: True))
            stopped = asyncio.ensure_future(stop.wait())
            await house.unless_lost(asyncio.wait([over, stopped], return_when=asyncio.FIRST_COMPLETED))
            if over.done():
                over.result()
            for one in (over, stopped):
                one.cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(0 if stop.is_set() else _CLEAN_UP):
                    await engine.until_idle()
    finally:
        await house.aclose()


def _stopped() -> asyncio.Event:
    """Set when the process is asked to stop; asked a second time, it ends at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def asked() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, asked)
    return stop
