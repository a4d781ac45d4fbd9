"""All plugins of an engine as one runner: nobody waits for a plugin that takes its time."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from alula.hosting import registry
from alula.hosting.host import Surroundings
from alula.hosting.hosts import Hosts
from alula.hosting.registry import Backends, Offer
from alula.idl import TaskTemplate
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo, SyncPlugin
from alula.plugin.phase import PhaseInfo
from alula.plugin.runner import AttemptId, Failed, Job, Report, Succeeded, Waits


class Quick(SyncPlugin):
    info = PluginInfo("quick", frozenset({"quick"}))

    async def do(self, task: TaskContext) -> PhaseInfo:
        return PhaseInfo.succeeded()


class Stage:
    """Two plugins, the import of one of which goes on until the test lets it end."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.reports: list[Report] = []
        self.over, self.ended = asyncio.Event(), asyncio.Event()
        slow = Offer("a-slow", "acme:Slow", "acme 1.0", self._slowly)
        quick = Offer("quick", "acme:Quick", "acme 1.0", lambda: Quick)
        self.hosts = Hosts(Backends.of({}, [slow, quick]), Surroundings())
        self.id = AttemptId("p", "d", "e", "n0", 0, "01234567")

    def _slowly(self) -> Any:
        self.let_go.wait(20)
        raise ImportError("no module named acme")

    def start(self, type: str) -> None:
        job = Job(self.id, TaskTemplate(type=type), b"", "memory://data/e/n0/0")
        began = time.monotonic()
        self.hosts.start(job, self._tell)
        assert time.monotonic() - began < 1.0

    def _tell(self, report: Report) -> None:
        self.reports.append(report)
        if isinstance(report, Succeeded | Failed):
            self.ended.set()
        if isinstance(report, Waits) and report.reason:
            self.over.set()


async def test_the_engine_goes_on_while_plugins_are_imported() -> None:
    stage = Stage()
    stage.start("quick")
    await asyncio.wait_for(stage.over.wait(), 10)
    [waits] = stage.reports
    assert isinstance(waits, Waits)
    assert "plugins are being imported" in waits.reason
    stage.let_go.set()
    await asyncio.wait_for(stage.ended.wait(), 10)
    assert isinstance(stage.reports[-1], Succeeded)
    await stage.hosts.aclose()


async def test_what_may_run_a_task_and_cannot_be_imported_is_named() -> None:
    stage = Stage()
    stage.let_go.set()
    stage.start("slow")
    await asyncio.wait_for(stage.over.wait(), 10)
    [waits] = stage.reports
    assert isinstance(waits, Waits)
    assert "plugin a-slow is disabled: ImportError: no module named acme" in waits.reason
    await stage.hosts.aclose()


async def test_the_clean_up_of_an_attempt_of_old_waits_for_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_IMPORT_SECONDS", 10.0)
    stage = Stage()
    answers: list[str] = []
    job = Job(stage.id, TaskTemplate(type="quick"), b"", "memory://data/e/n0/0", fresh=False)

    def done(problem: str) -> None:
        answers.append(problem)
        stage.over.set()

    stage.hosts.close(stage.id, abort=True, reason="the test says so", done=done, job=job)
    assert not answers
    stage.let_go.set()
    await asyncio.wait_for(stage.over.wait(), 10)
    assert answers == [""]
    await stage.hosts.aclose()
