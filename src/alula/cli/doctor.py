"""`alula doctor`: versions, plugins with the distributions they come from, and which types are available."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Any

import click

from alula._kits import lazy
from alula.config import home
from alula.errors import PluginError

_GROUPS = {
    "alula.types": "types",
    "alula.tasks": "kinds of task",
    "alula.dialects": "dialects",
    "alula.cli": "commands",
}
"""Entry-point groups that this version reads, and what their entries are."""
_SHARED = {"alula.types"}
"""Groups in which a name stands for a package, so that several distributions may serve it."""
_EXTRAS = {"pyarrow": "arrow", "PIL": "images"}
"""Extras of Alula that are not named for the package that they bring."""
_LIBRARIES = ("flyteidl", "protobuf", "msgpack", "mashumaro", "click", "obstore")


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point, and how it is."""

    group: str
    name: str
    value: str
    distribution: str
    state: str
    """`ok`, `missing` (what it serves is not installed) or `broken`."""
    note: str = ""


def examined() -> list[Plugin]:
    """Every plugin of the groups above, loaded if what it serves is installed."""
    return [_examine(group, point) for group in _GROUPS for point in sorted(lazy.installed(group), key=str)]


def _examine(group: str, point: Any) -> Plugin:
    made = {"group": group, "name": point.name, "value": point.value, "distribution": lazy.distribution(point)}
    if group == "alula.types" and find_spec(point.name) is None:
        extra = _EXTRAS.get(point.name, point.name)
        ours = point.value.startswith("alula.types.")
        return Plugin(
            **made, state="missing", note=f"pip install 'alula[{extra}]'" if ours else f"install {point.name}"
        )
    doubled = Counter(other.name for other in lazy.installed(group))[point.name] > 1
    if doubled and group not in _SHARED:
        return Plugin(**made, state="broken", note="provided more than once: uninstall all but one")
    try:
        lazy.load_point(point)
    except PluginError as exc:
        return Plugin(**made, state="broken", note=exc.what)
    return Plugin(**made, state="ok", note=_version(point.name) if group == "alula.types" else "")


def _version(package: str) -> str:
    """The version of the distribution that brings a package; empty if that is unknown."""
    found = metadata.packages_distributions().get(package, [])
    return f"{found[0]} {metadata.version(found[0])}" if found else ""


@click.command()
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print it.")
def doctor(output: str) -> None:
    """Show versions, plugins and types. The exit code is 1 if a plugin is broken."""
    versions = {name: metadata.version(name) for name in ("alula", *_LIBRARIES)}
    versions = {"alula": versions.pop("alula"), "python": platform.python_version(), **versions}
    variables = {key: value for key, value in sorted(os.environ.items()) if key.startswith("ALULA_")}
    plugins = examined()
    if output == "json":
        facts = {
            "versions": versions,
            "executable": sys.executable,
            "home": str(home()),
            "environment": variables,
            "plugins": [asdict(plugin) for plugin in plugins],
        }
        click.echo(json.dumps(facts, indent=2))
    else:
        _print(versions, variables, plugins)
    if any(plugin.state == "broken" for plugin in plugins):
        raise click.exceptions.Exit(1)


def _print(versions: dict[str, str], variables: dict[str, str], plugins: list[Plugin]) -> None:
    _section("versions", [(name, version, "") for name, version in versions.items()])
    _section("places", [("python", sys.executable, ""), ("home", str(home()), "")])
    _section("environment", [(name, value, "") for name, value in variables.items()])
    for group, title in _GROUPS.items():
        shown = [p for p in plugins if p.group == group and (p.state != "ok" or not p.name.startswith("_"))]
        rows = [(p.name, p.state, "; ".join(filter(None, [p.note, f"from {p.distribution}"]))) for p in shown]
        _section(f"{title} ({group})", rows)


def _section(title: str, rows: list[tuple[str, str, str]]) -> None:
    if not rows:
        return
    click.echo(click.style(title, bold=True))
    widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
    colors = {"ok": "green", "missing": "yellow", "broken": "red"}
    for name, value, note in rows:
        shown = click.style(f"{value:<{widths[1]}}" if note else value, fg=colors.get(value))
        click.echo(f"  {name:<{widths[0]}}  {shown}" + (f"  {click.style(note, dim=True)}" if note else ""))
