"""Panels: facts in, widgets out; a panel that fails is shown as failed, and alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from alula.admin import panels
from alula.admin.panels import PanelView, TaskFacts
from alula.cli.panels import lines
from alula.plugin.panel import Html, Image, Links, Panel, Progress, Series, Table, TaskView, Text, Widget
from alula.plugin.phase import LogLink

VIEW = TaskFacts("query", "running", "it scans", 0.25, (LogLink("console", "https://db/1"),), {"rows": 3})


class Rows(Panel):
    name = "rows"
    title = "Rows so far"
    task_types = frozenset({"query"})

    def render(self, task: TaskView) -> Sequence[Widget]:
        return [Progress(float(str(task.custom["rows"])), 12, "rows")]


class Broken(Rows):
    def render(self, task: TaskView) -> Sequence[Widget]:
        raise KeyError("rows")


class Odd(Rows):
    def render(self, task: TaskView) -> Sequence[Widget]:
        return ["<b>"]  # type: ignore[list-item]


def test_a_panel_is_drawn_for_tasks_of_its_type_only() -> None:
    assert panels.drawn(Rows(), VIEW) == PanelView("rows", "Rows so far", (Progress(3.0, 12, "rows"),))
    assert panels.drawn(Rows(), TaskFacts("spark", "running")) is None


def test_what_a_panel_raises_is_shown_in_its_place() -> None:
    shown = panels.drawn(Broken(), VIEW)
    assert shown is not None
    assert shown.error == "this panel failed: KeyError: 'rows'"


def test_what_is_no_widget_is_refused() -> None:
    shown = panels.drawn(Odd(), VIEW)
    assert shown is not None
    assert "which is no widget" in shown.error


def test_every_widget_has_a_form_for_programs() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    every: tuple[Widget, ...] = (
        Text("*hi*"),
        Table(("a",), ((1,),)),
        Progress(1, 2, "rows"),
        Series("load", ((at, 0.5),), "cores"),
        Links((LogLink("x", "https://x"),)),
        Image("s3://b/i.png", "it"),
        Html("<b>hi</b>"),
    )
    (one,) = panels.as_json([PanelView("p", "P", every)])
    assert isinstance(one, dict)
    assert one["widgets"] == [
        {"text": "*hi*"},
        {"table": {"columns": ["a"], "rows": [[1]]}},
        {"progress": {"done": 1, "total": 2, "unit": "rows"}},
        {"series": {"title": "load", "unit": "cores", "points": [["2026-01-01T00:00:00+00:00", 0.5]]}},
        {"links": [{"name": "x", "uri": "https://x"}]},
        {"image": {"uri": "s3://b/i.png", "caption": "it"}},
        {"html": "<b>hi</b>"},
    ]


def test_widgets_are_lines_in_a_terminal() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert lines(Table(("fact", "value"), (("rows", 3), ("stage", "scan")))) == [
        "fact   value",
        "rows   3",
        "stage  scan",
    ]
    assert lines(Links((LogLink("console", "https://db/1"),))) == ["console: https://db/1"]
    assert lines(Progress(3, 12, "rows"))[0].endswith("25% 3/12 rows")
    assert lines(Series("load", ((at, 0.0), (at, 7.0)), "cores")) == ["load: ▁█ 7 cores"]
    assert lines(Series("load", ())) == ["load:  nothing yet"]
    assert lines(Html("<script>alert(1)</script>")) == ["25 characters of HTML, to be seen in a browser"]
