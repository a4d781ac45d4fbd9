"""`alula plugin list`: the plugins that are installed, what they run, and whether they can."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace

import click

from alula.cli.card import FAILED
from alula.cli.documents import as_json
from alula.cli.reports import reported
from alula.config import load
from alula.errors import AlulaError, ConfigError
from alula.hosting.registry import RUNNER, Backends, Known
from alula.plugin.core import Plugin

_PATIENCE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class PluginState:
    """One plugin, for people."""

    name: str
    kind: str
    distribution: str
    task_types: tuple[str, ...]
    """What it says it runs."""
    routes: tuple[str, ...]
    """What settings have it run."""
    state: str
    """`ready`, `off` (no settings name it), `disabled`."""
    note: str = ""


@click.command("list")
@click.option("--open", "opened", is_flag=True, help="Open each one that is ready, to see whether its remote answers.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print it.")
def list_(opened: bool, output: str) -> None:
    """Show the plugins that run tasks: kind, types of task, and why one does not work. The exit code is 1 then."""
    with reported("listing plugins"):
        backends = Backends.of(load().backends)
        states = plugins(backends)
        if opened:
            states = asyncio.run(_opened(backends, states))
    if output == "json":
        click.echo(as_json([asdict(one) for one in states]))
    else:
        _print(states)
    if any(one.state == "disabled" for one in states):
        raise click.exceptions.Exit(FAILED)


def plugins(backends: Backends) -> list[PluginState]:
    """All that is installed, imported."""
    return [_state(backends, known) for known in backends.everything()]


def _state(backends: Backends, known: Known) -> PluginState:
    types = tuple(sorted(known.info.task_types)) if known.info is not None else ()
    routes = tuple(sorted(type for type, name in backends.routes.items() if name == known.name))
    state, note = "ready", ""
    if known.problem:
        state, note = "disabled", known.problem
    elif not backends.active(known):
        state, note = "off", backends.how(known)
    elif known.kind != RUNNER:
        try:
            backends.settings(known)
        except ConfigError as exc:
            state, note = "disabled", exc.what
    conflicts = [problem for type in types if state == "ready" and (problem := backends.verdict(type).problem)]
    if conflicts:
        state, note = "disabled", conflicts[0]
    if known.dynamic and not types:
        types = ("what it is told",)
    return PluginState(known.name, known.kind or "?", known.offer.distribution, types, routes, state, note)


async def _opened(backends: Backends, states: list[PluginState]) -> list[PluginState]:
    """The same, with what came of opening each."""
    return [await _tried(backends, one) if one.state == "ready" and one.kind != RUNNER else one for one in states]


async def _tried(backends: Backends, state: PluginState) -> PluginState:
    plugin: Plugin | None = None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            plugin = backends.make(state.name)
            await plugin.open()
            await plugin.close()
    except Exception as exc:  # noqa: BLE001 - the border to a plugin, which may raise anything
        what = exc.what if isinstance(exc, AlulaError) else f"{type(exc).__name__}: {exc}"
        if isinstance(exc, TimeoutError):
            what = f"it did not open within {_PATIENCE_SECONDS:g} s"
        return replace(state, state="disabled", note=what)
    return replace(state, note="open")


def _print(states: list[PluginState]) -> None:
    if not states:
        click.echo("no plugins are installed")
        return
    colors = {"ready": "green", "off": "yellow", "disabled": "red"}
    rows = [(one.name, one.kind, one.state, ", ".join(one.task_types)) for one in states]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for one, row in zip(states, rows, strict=True):
        name, kind, state, types = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        line = f"{click.style(name, bold=True)}  {kind}  {click.style(state, fg=colors[one.state])}  {types}"
        click.echo(f"{line}  {click.style(one.distribution, dim=True)}")
        if one.routes:
            click.echo(click.style(f"  runs {', '.join(one.routes)}, as [backends.routes] says", dim=True))
        if one.note:
            click.echo(click.style(f"  {one.note}", dim=one.state != "disabled"))
