"""Plugins whose client blocks, in threads: what was given up there may take effect later, and nothing is left of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from alula.errors import RemoteNotFound
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo
from alula.plugin.phase import Phase, PhaseInfo
from alula.plugin.webapi import Limits, WebApiPlugin
from tests.acceptance.plugins.plant import Works, template, works


@dataclass(frozen=True)
class Key:
    name: str


@dataclass
class Service:
    """Takes its time to make a job."""

    asked: threading.Event = field(default_factory=threading.Event)
    answers: threading.Event = field(default_factory=threading.Event)
    jobs: set[str] = field(default_factory=set)
    made: int = 0

    def start(self, name: str) -> None:
        self.asked.set()
        self.answers.wait(30)
        self.made += 1
        self.jobs.add(name)


class Blocking(WebApiPlugin[Key, str]):
    info = PluginInfo("blocking", frozenset({"blocking"}))
    key_type = Key
    limits = Limits(timeout=timedelta(seconds=0.5), settle=timedelta(seconds=0.1))

    def __init__(self, service: Service) -> None:
        self.service = service

    async def create(self, task: TaskContext) -> Key:
        await asyncio.to_thread(self.service.start, task.name)
        return Key(task.name)

    async def find(self, task: TaskContext) -> Key | None:
        return Key(task.name) if task.name in self.service.jobs else None

    async def get(self, keys: Sequence[Key]) -> Sequence[str | RemoteNotFound]:
        return [key.name if key.name in self.service.jobs else RemoteNotFound(key.name) for key in keys]

    async def delete(self, key: Key) -> None:
        self.service.jobs.discard(key.name)

    def phase(self, task: TaskContext, remote: str) -> PhaseInfo:
        return PhaseInfo(Phase.RUNNING)


class Patient(Blocking):
    limits = Limits(timeout=timedelta(seconds=60), settle=timedelta(seconds=0.1))


async def until(what: Callable[[], bool], within: float = 20.0) -> None:
    ends = time.monotonic() + within
    while not what():
        assert time.monotonic() < ends
        await asyncio.sleep(0.02)


async def said(here: Works, id: int) -> str:
    return " ".join(one.message for one in await here.store.progress(id))


async def waits_for(here: Works, id: int, text: str) -> None:
    ends = time.monotonic() + 20
    while text not in await said(here, id):
        assert time.monotonic() < ends, await said(here, id)
        await asyncio.sleep(0.02)


async def closed(here: Works, id: int) -> bool:
    return all(not row.open for row in await here.store.attempts(id))


async def test_an_abort_while_a_create_blocks_leaves_no_job() -> None:
    service = Service()
    async with works([lambda: Patient(service)]) as here:
        record = await here.run(template("blocking"))
        await until(service.asked.is_set)
        await here.store.ask(record.id, "abort", body=b"enough")
        await waits_for(here, record.id, "a call of blocking goes on in a thread, though it was given up")
        assert (await here.ended(record.id)).phase == "aborted"
        assert not await closed(here, record.id)
        service.answers.set()
        ends = time.monotonic() + 20
        while not await closed(here, record.id):
            assert time.monotonic() < ends, await said(here, record.id)
            await asyncio.sleep(0.02)
    assert (service.made, service.jobs) == (1, set())


async def test_a_create_that_blocks_beyond_its_deadline_is_not_made_twice() -> None:
    service = Service()
    async with works([lambda: Blocking(service)]) as here:
        record = await here.run(template("blocking"))
        await waits_for(here, record.id, "a call of blocking goes on in a thread, though it was given up")
        service.answers.set()
        await until(lambda: bool(service.jobs))
        await here.store.ask(record.id, "abort", body=b"enough")
        assert (await here.ended(record.id)).phase == "aborted"
        ends = time.monotonic() + 20
        while not await closed(here, record.id):
            assert time.monotonic() < ends, await said(here, record.id)
            await asyncio.sleep(0.02)
    assert (service.made, service.jobs) == (1, set())
