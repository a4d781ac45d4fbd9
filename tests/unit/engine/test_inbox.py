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


@virtual
async def test_an_outcome_waits_for_others_only_while_they_come_in_crowds() -> None:
    time, inbox = clock(), Inbox()
    inbox.push(LAZY, outcome=True)
    assert inbox.awake.is_set()
    inbox.awake.clear()
    inbox.crowded = True
    inbox.push(LAZY, lazy=True)
    inbox.push(LAZY, outcome=True)
    assert not inbox.awake.is_set()
    await inbox.awake.wait()
    assert time.monotonic() <= 0.01
    inbox.awake.clear()
    for _ in range(100):
        inbox.push(LAZY, outcome=True)
    assert inbox.awake.is_set()
