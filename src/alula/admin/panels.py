"""Panels of an attempt: what its plugin says, drawn by whoever wrote a panel for tasks of its type.

A panel is a guest: what it raises, and what it gives that is no widget, is shown in its place, and hurts no other one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from alula._kits import lazy
from alula.admin.desk import Desk
from alula.admin.views import loaded, no_attempt, plan_of
from alula.engine.codec import read_attempt
from alula.errors import PluginError, Unknown
from alula.plugin import showing
from alula.plugin.panel import Html, Image, Links, Panel, Progress, Series, Table, Text, Widget
from alula.plugin.phase import Json, LogLink
from alula.store.records import ExecutionKey

log = logging.getLogger(__name__)

GROUP = "alula.panels"
FACTS = "facts"
"""The name of the panel that every attempt has which shows anything."""
_WIDGETS = (Text, Table, Progress, Series, Links, Image, Html)
_MOST = 100
"""Widgets of one panel that are shown."""


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """One attempt, as panels see it (`plugin.panel.TaskView`)."""

    task_type: str
    phase: str
    reason: str = ""
    progress: float | None = None
    links: tuple[LogLink, ...] = ()
    custom: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PanelView:
    """A panel as it is now."""

    name: str
    title: str
    widgets: tuple[Widget, ...] = ()
    error: str = ""
    """Why there are no widgets."""


async def panels(desk: Desk, key: ExecutionKey, path: str, number: int | None = None) -> list[PanelView]:
    """The panels of an attempt of a task; of the last one, if no number is given. None, if it shows nothing.

    Raises:
        Unknown: There is no such execution, node or attempt; or the node is no task.
    """
    view = await facts(desk, key, path, number)
    return [shown for panel in installed() if (shown := drawn(panel, view)) is not None] + _general(view)


async def facts(desk: Desk, key: ExecutionKey, path: str, number: int | None = None) -> TaskFacts:
    """What is known of an attempt. Raises Unknown."""
    record = await desk.store.execution(key)
    plan = plan_of(await loaded(desk, record), path)
    if plan.task is None:
        raise Unknown(f"node {path!r} of {key.name} is no task: it has no panels", fix="name a node that runs a task")
    rows = [read_attempt(row) for row in await desk.store.attempts(record.id, path)]
    row = next((one for one in reversed(rows) if number is None or one.number == number), None)
    if row is None:
        if rows and number is not None:
            raise no_attempt(f"node {path} of {key.name}", number, [one.number for one in rows])
        fix = f"alula why {key.name} {path} says what it waits for"
        raise Unknown(f"node {path!r} of {key.name} has not begun", fix=fix)
    kept = next((job for job in await desk.store.jobs(record.id, path) if job.number == row.number), None)
    shown = showing.read(kept.info) if kept is not None else showing.NOTHING_SHOWN
    said = {(one.path, one.number): one for one in await desk.store.progress(record.id)}.get((path, row.number))
    done = said.done if said is not None and said.done is not None else shown.progress
    return TaskFacts(
        task_type=plan.task.type,
        phase=str(shown.phase) if shown.phase is not None and row.phase.live else str(row.phase),
        reason=shown.reason or (said.message if said is not None else ""),
        progress=done,
        links=shown.links,
        custom=shown.custom,
    )


def installed() -> list[Panel | PanelView]:
    """Every installed panel, by name; of one that cannot be made, what is said in its place."""
    found: list[Panel | PanelView] = []
    for point in sorted(lazy.installed(GROUP), key=lambda one: one.name):
        try:
            panel = lazy.load_point(point)()
            if not isinstance(panel, Panel):
                raise PluginError(f"{point.value} is no subclass of alula.plugin.panel.Panel")
            found.append(panel)
        except Exception as exc:  # noqa: BLE001 - the border to someone else's class, which may raise anything
            log.warning("panel.broken", extra={"panel": point.name, "error": str(exc)})
            what = exc.what if isinstance(exc, PluginError) else f"it raised {type(exc).__name__}: {exc}"
            found.append(PanelView(point.name, point.name, error=f"this panel cannot be loaded: {what}"))
    return found


def drawn(panel: Panel | PanelView, view: TaskFacts) -> PanelView | None:
    """A panel as it is now; None, if the attempt has none of it."""
    if isinstance(panel, PanelView):
        return panel
    name, title = str(getattr(panel, "name", type(panel).__name__)), str(getattr(panel, "title", ""))
    try:
        if view.task_type not in panel.task_types:
            return None
        widgets = tuple(panel.render(view))
        for widget in widgets:
            if not isinstance(widget, _WIDGETS):
                raise TypeError(f"it gave {widget!r}, which is no widget")
    except Exception as exc:
        log.warning("panel.failed", extra={"panel": name}, exc_info=True)
        return PanelView(name, title or name, error=f"this panel failed: {type(exc).__name__}: {exc}")
    return PanelView(name, title or name, widgets[:_MOST])


def _general(view: TaskFacts) -> list[PanelView]:
    """What any attempt shows, in one panel."""
    widgets: list[Widget] = []
    if view.reason:
        widgets.append(Text(view.reason))
    if view.progress is not None:
        widgets.append(Progress(view.progress, 1.0))
    if view.links:
        widgets.append(Links(view.links))
    if view.custom:
        widgets.append(Table(("fact", "value"), tuple(view.custom.items())))
    return [PanelView(FACTS, f"{view.task_type}: {view.phase}", tuple(widgets))] if widgets else []


def as_json(shown: Sequence[PanelView]) -> list[Json]:
    """Panels for programs: each widget says what it is."""
    return [
        {
            "name": one.name,
            "title": one.title,
            "error": one.error,
            "widgets": [_widget(widget) for widget in one.widgets],
        }
        for one in shown
    ]


def _widget(widget: Widget) -> Json:
    match widget:
        case Text(markdown):
            return {"text": markdown}
        case Table(columns, rows):
            return {"table": {"columns": list(columns), "rows": [list(row) for row in rows]}}
        case Progress(done, total, unit):
            return {"progress": {"done": done, "total": total, "unit": unit}}
        case Series(title, points, unit):
            each: list[Json] = [[at.isoformat(), value] for at, value in points]
            return {"series": {"title": title, "unit": unit, "points": each}}
        case Links(links):
            return {"links": [{"name": link.name, "uri": link.uri} for link in links]}
        case Image(uri, caption):
            return {"image": {"uri": uri, "caption": caption}}
        case Html(html):
            return {"html": html}
