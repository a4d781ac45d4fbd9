"""A store in a file does what the store in memory does, call by call, whatever is called, and after it is reopened."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alula._kits.records import replace
from alula.config import Durability
from alula.errors import AlulaError
from alula.store.memory import MemoryStore
from alula.store.opening import open_store
from alula.store.records import (
    AttemptRecord,
    Changes,
    Claim,
    Ending,
    ExecutionKey,
    ExpansionRecord,
    NewExecution,
    NodeRecord,
    Parent,
    ProgressRecord,
    SignalRecord,
)
from alula.store.store import Store

START = datetime(2030, 1, 1, tzinfo=UTC)
NAMES, OWNERS, PATHS = st.sampled_from("xyz"), st.sampled_from("ab"), st.sampled_from(["", "n0", "n0/n1", "n0[3]"])
BODIES = st.binary(max_size=3)
MOMENTS = st.integers(0, 99).map(lambda seconds: START + timedelta(seconds=seconds))
PHASES = st.sampled_from(["running", "succeeded", "failed"])
NODES = st.builds(NodeRecord, PATHS, PHASES, MOMENTS, st.none() | MOMENTS, BODIES)
ATTEMPTS = st.builds(
    AttemptRecord, PATHS, st.integers(0, 1), PHASES, st.booleans(), MOMENTS, st.none() | MOMENTS, st.none(), BODIES
)
CHANGES = st.builds(
    Changes,
    nodes=st.lists(NODES, max_size=3).map(tuple),
    attempts=st.lists(ATTEMPTS, max_size=3).map(tuple),
    expansions=st.lists(st.builds(ExpansionRecord, PATHS, BODIES), max_size=1).map(tuple),
    signals=st.lists(st.builds(SignalRecord, NAMES, BODIES), max_size=2).map(tuple),
    execution=st.none() | st.builds(Ending, PHASES, st.none() | MOMENTS, st.none() | MOMENTS, BODIES, NAMES),
    closed=st.sampled_from([False, False, False, True]),
    commands_done=st.lists(st.integers(1, 9), max_size=2).map(tuple),
    tell_parent=st.booleans(),
)


class HandClock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.seconds = 0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Lockstep(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        self.home = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.model: Store = MemoryStore(self.clock)
        self.file = self._opened()
        self.claims: list[Claim] = []
        self.created = 0

    def _opened(self) -> Store:
        return open_store(str(self.home / "store.db"), durability=Durability.RELAXED, clock=self.clock)

    def _outcome(self, call: Coroutine[Any, Any, Any]) -> Any:
        try:
            return self.loop.run_until_complete(call)
        except AlulaError as exc:
            return type(exc)

    def both(self, method: str, *args: Any, **kwargs: Any) -> Any:
        expected = self._outcome(getattr(self.model, method)(*args, **kwargs))
        found = self._outcome(getattr(self.file, method)(*args, **kwargs))
        assert found == expected
        return found

    @rule(name=NAMES, fingerprint=st.sampled_from("fffg"), parent=st.integers(0, 3))
    def create(self, name: str, fingerprint: str, parent: int) -> None:
        of = Parent(parent, "n0", 1) if parent else None
        new = NewExecution(ExecutionKey("p", "d", name), "workflow", b"closure", b"in", fingerprint, parent=of)
        made = self.both("create", replace(new, signals={"go": b"yes"}))
        if isinstance(made, tuple) and made[1]:
            self.created = made[0].id

    @rule(owner=OWNERS, seconds=st.sampled_from([0, 5, 50]))
    def beat(self, owner: str, seconds: int) -> None:
        self.both("beat", owner, lease=timedelta(seconds=seconds))

    @rule(owner=OWNERS, limit=st.integers(1, 3), only=st.none() | st.sets(st.integers(1, 4)))
    def claim(self, owner: str, limit: int, only: set[int] | None) -> None:
        self.claims += self.both("claim", owner, limit=limit, only=only)

    @rule(owner=OWNERS)
    def retire(self, owner: str) -> None:
        self.both("retire", owner)

    @rule(seconds=st.sampled_from([1, 10, 100]))
    def wait(self, seconds: int) -> None:
        self.clock.seconds += seconds

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), changes=CHANGES)
    def commit(self, data: st.DataObject, changes: Changes) -> None:
        self.both("commit", data.draw(st.sampled_from(self.claims[::-1])), changes)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.both("release", data.draw(st.sampled_from(self.claims)))

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def load(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims[::-1]))
        expected, found = (self._outcome(store.load(claim)) for store in (self.model, self.file))
        assert _sorted(found) == _sorted(expected)

    @rule(execution=st.integers(1, 4), kind=st.sampled_from(["abort", "signal"]), path=PATHS, body=BODIES)
    def ask(self, execution: int, kind: str, path: str, body: bytes) -> None:
        self.both("ask", execution, kind, path=path, body=body)

    @rule(execution=st.integers(1, 4), path=PATHS, done=st.none() | st.just(0.5))
    def progress(self, execution: int, path: str, done: float | None) -> None:
        for claim in self.claims[-1:]:
            self.both("commit", claim, Changes(progress=(ProgressRecord(path, 0, done, "message"),)))

    @rule(execution=st.integers(1, 4))
    def delete(self, execution: int) -> None:
        self.both("delete", execution)

    @rule()
    def reopen(self) -> None:
        self.loop.run_until_complete(self.file.aclose())
        self.file = self._opened()

    @invariant()
    def the_same_is_there(self) -> None:
        self.both("executions")
        self.both("commands", [1, 2, 3, 4])
        for id in {self.created, 1} - {0}:
            for read in ("nodes", "attempts"):
                self.both(read, id)
            for read in ("signals", "expansions", "progress"):
                expected, found = (self._outcome(getattr(store, read)(id)) for store in (self.model, self.file))
                assert _sorted(found) == _sorted(expected)

    def teardown(self) -> None:
        self.loop.run_until_complete(self.file.aclose())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.home)


def _sorted(found: Any) -> Any:
    """What was found, without an order that nobody asked for."""
    if isinstance(found, list):
        return sorted(found, key=repr)
    if isinstance(found, type):
        return found
    rows = {
        name: tuple(sorted(getattr(found, name), key=repr)) for name in ("nodes", "attempts", "expansions", "signals")
    }
    return replace(found, **rows)


class TestLockstep(Lockstep.TestCase):  # type: ignore[misc, valid-type] # hypothesis makes the class
    settings = settings(max_examples=25, stateful_step_count=25)
