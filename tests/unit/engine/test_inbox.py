"""What wakes a session, and when."""

from __future__ import annotations

import asyncio

from alula.engine.events import AttemptProgressed, Continue
from alula.engine.inbox import Inbox
from tests.unit.engine.drive import clock, virtual

LAZY = AttemptProgressed("n0", 0)


@virtual
async def test_what_is_urgent_wakes_at_once_and_takes_the_lazy_with_it() -> None:
    inbox = Inbox()
    inbox.push(LAZY, lazy=True)
    assert not inbox.awake.is_set()
    inbox.push(Continue())
    assert inbox.awake.is_set()
    assert [event for event, _ in inbox.items] == [LAZY, Continue()]


@virtual
async def test_what_is_lazy_waits_some_milliseconds_for_company() -> None:
    time, inbox = clock(), Inbox()
    for _ in range(3):
        inbox.push(LAZY, lazy=True)
    await inbox.awake.wait()
    assert 0.005 <= time.monotonic() <= 0.05
    inbox.awake.clear()
    inbox.push(LAZY, lazy=True)
    await inbox.awake.wait()
    assert len(inbox.items) == 4


@virtual
async def test_nothing_wakes_what_is_closed() -> None:
    inbox = Inbox()
    inbox.push(LAZY, lazy=True)
    inbox.close()
    await asyncio.sleep(1)
    assert not inbox.awake.is_set()
