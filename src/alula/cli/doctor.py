"""`alula doctor`: versions, the store, plugins with the distributions they come from, and which types are available."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from alula._kits import lazy
from alula.cli import doctor_places, doctor_storage
from alula.cli.card import FAILED, SERVER
from alula.cli.desk import there
from alula.cli.doctor_storage import StorageState
from alula.cli.documents import as_json
from alula.cli.plugin_list import plugins
from alula.cli.width import without_password
from alula.client.asynchronous import AsyncClient
from alula.config import Config, file_for, home, load
from alula.errors import AlulaError, ConfigError, PluginError
from alula.hosting.registry import Backends
from alula.store.records import ExecutionFilter

_BACKENDS = "alula.backends"
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
_LIBRARIES = ("flyteidl", "protobuf", "msgpack", "mashumaro", "click", "obstore", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point, and how it is."""

    group: str
    name: str
    value: str
    distribution: str
    state: str
    """`ok`, `missing` (what it serves is not installed), `off` (no settings name it) or `broken`."""
    note: str = ""


Row = tuple[str, str, str]
_HIDDEN = re.compile("SECRET|TOKEN|PASSW|CREDENTIAL|_KEY")
"""Variables whose values are nobody's business."""


def examined() -> list[Plugin]:
    """Every plugin of the groups above, loaded if what it serves is installed."""
    found = [_examine(group, point) for group in _GROUPS for point in sorted(lazy.installed(group), key=str)]
    return [*_backends(), *found]


def _backends() -> list[Plugin]:
    """What runs tasks, as the settings have it."""
    try:
        backends = Backends.of(load().backends)
    except ConfigError as exc:
        return [Plugin(_BACKENDS, "settings", "", "alula.toml", "broken", exc.what)]
    states = {"ready": "ok", "disabled": "broken"}
    return [
        Plugin(
            _BACKENDS,
            one.name,
            backends.offers[one.name].value,
            one.distribution,
            states.get(one.state, one.state),
            one.note or f"runs {', '.join(one.task_types)}",
        )
        for one in plugins(backends)
    ]


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


def _told(variable: str, value: str) -> str:
    """The value of a variable, for a report that people paste elsewhere."""
    return "***" if value and _HIDDEN.search(variable) else without_password(value)


def _version(package: str) -> str:
    """The version of the distribution that brings a package; empty if that is unknown."""
    found = metadata.packages_distributions().get(package, [])
    return f"{found[0]} {metadata.version(found[0])}" if found else ""


@click.command()
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print it.")
def doctor(output: str) -> None:
    """Show versions, the store, the object store, where tasks can run here and what is missing for that, plugins and
    types. The exit code is 1 if a plugin or the object store is broken, 5 if the store is."""
    versions = {name: metadata.version(name) for name in ("alula", *_LIBRARIES)}
    versions = {"alula": versions.pop("alula"), "python": platform.python_version(), **versions}
    variables = {key: _told(key, v) for key, v in sorted(os.environ.items()) if key.startswith("ALULA_")}
    found = examined()
    store = looked_at()
    storage = _storage()
    places = _places()
    if output == "json":
        facts = {
            "versions": versions,
            "executable": sys.executable,
            "home": str(home()),
            "environment": variables,
            "store": asdict(store),
            "storage": asdict(storage),
            "places": [asdict(place) for place in places],
            "plugins": [asdict(plugin) for plugin in found],
        }
        click.echo(as_json(facts))
    else:
        sections = {"object store": doctor_storage.rows(storage), "can run here": doctor_places.rows(places)}
        _print(versions, variables, found, store, sections)
    if store.trouble:
        raise click.exceptions.Exit(SERVER)
    if storage.trouble or any(plugin.state == "broken" for plugin in found):
        raise click.exceptions.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class StoreState:
    """What there is to know of the store."""

    url: str = ""
    durability: str = ""
    data: str = ""
    settings: str = ""
    """The `alula.toml` that counts; empty: none."""
    engines: tuple[str, ...] = ()
    """Those that live."""
    open: int = 0
    """Executions that have not ended; at most 1000."""
    there: bool = True
    """False: it is a file that nobody has made yet."""
    trouble: str = ""


def looked_at() -> StoreState:
    """The state of the store that the settings name."""
    try:
        config = load()
    except ConfigError as exc:
        return StoreState(trouble=exc.what)
    path = file_for(Path.cwd())
    found = StoreState(
        url=without_password(config.store_url),
        durability=str(config.store.durability),
        data=config.data_prefix,
        settings=str(path) if path is not None else "",
    )
    try:
        if not there(config):
            return replace(found, there=False)
        return asyncio.run(_looked_at(config, found))
    except AlulaError as exc:
        return replace(found, trouble=exc.what)


def _storage() -> StorageState:
    """The state of the place for files that the settings name."""
    try:
        return doctor_storage.looked_at(load())
    except ConfigError as exc:
        return StorageState(state="broken", trouble=exc.what, fix=exc.fix)


def _places() -> list[doctor_places.Place]:
    """Where tasks can run, as far as the settings can be read."""
    try:
        return doctor_places.places(load())
    except ConfigError:  # the store says so
        return []


async def _looked_at(config: Config, found: StoreState) -> StoreState:
    async with AsyncClient(config=config) as client:
        store = client.house.store
        engines = tuple(name for name, _, lives in await store.owners() if lives)
        waiting = await store.executions(ExecutionFilter(open=True), limit=1000)
        return replace(found, engines=engines, open=len(waiting))


def _print(
    versions: dict[str, str],
    variables: dict[str, str],
    found: list[Plugin],
    store: StoreState,
    sections: Mapping[str, list[Row]],
) -> None:
    _section("versions", [(name, version, "") for name, version in versions.items()])
    engines = f"{len(store.engines)} alive" if store.engines else "none alive"
    rows = [
        ("url", store.url, "" if store.there else "not there yet: alula run makes it"),
        ("durability", store.durability, ""),
        ("data", store.data, ""),
        ("settings", store.settings or "defaults: there is no alula.toml", ""),
        *([("trouble", "broken", store.trouble)] if store.trouble else [("engines", engines, "")]),
        *([] if store.trouble else [("open executions", str(store.open), "")]),
    ]
    _section("store", rows)
    for title, own in sections.items():
        _section(title, own)
    _section("places", [("python", sys.executable, ""), ("home", str(home()), "")])
    _section("environment", [(name, value, "") for name, value in variables.items()])
    for group, title in {_BACKENDS: "plugins that run tasks", **_GROUPS}.items():
        shown = [p for p in found if p.group == group and (p.state != "ok" or not p.name.startswith("_"))]
        rows = [(p.name, p.state, "; ".join(filter(None, [p.note, f"from {p.distribution}"]))) for p in shown]
        _section(f"{title} ({group})", rows)


def _section(title: str, rows: list[tuple[str, str, str]]) -> None:
    if not rows:
        return
    click.echo(click.style(title, bold=True))
    widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
    colors = {"ok": "green", "missing": "yellow", "off": "yellow", "broken": "red"}
    for name, value, note in rows:
        shown = click.style(f"{value:<{widths[1]}}" if note else value, fg=colors.get(value))
        click.echo(f"  {name:<{widths[0]}}  {shown}" + (f"  {click.style(note, dim=True)}" if note else ""))
