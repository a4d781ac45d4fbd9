"""The commands of the machine, performed for one execution. Each may be given again, and is then done once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from alula.data.layout import Execution as Files
from alula.engine.attempts import Attempts
from alula.engine.cleanup import Stuck
from alula.engine.crash import crash_point
from alula.engine.events import (
    CancelTimer,
    CloseAttempt,
    Command,
    Event,
    Fetch,
    Fetched,
    FetchFailed,
    Finished,
    Gather,
    Gathered,
    GatherFailed,
    LookUp,
    RefuseSignal,
    Release,
    Reserve,
    SetTimer,
    StartAttempt,
    StoreInCache,
)
from alula.engine.execution import Execution
from alula.engine.inbox import Inbox
from alula.engine.launch import Children
from alula.engine.means import Means
from alula.engine.memo import Asker
from alula.engine.observe import Said
from alula.engine.plan import Kind
from alula.errors import DataError
from alula.plugin.runner import AttemptId
from alula.store.records import Claim, Loaded

log = logging.getLogger(__name__)

_MANY = 16
"""Short tasks that end within the moment that outcomes wait for each other: workers must not run dry."""

Reported = Callable[[AttemptId, Said], None]


class Effects:
    """Performs commands, and puts the answers into the inbox of its session."""

    def __init__(
        self,
        means: Means,
        claim: Claim,
        loaded: Loaded,
        x: Execution,
        inbox: Inbox,
        *,
        reported: Reported,
        quarantined: Callable[[Stuck], None],
    ) -> None:
        record = loaded.record
        push = inbox.push
        self._means, self._record, self._push = means, record, push
        self.x = x
        key = record.key
        self._files = Files.under(means.data_prefix, project=key.project, domain=key.domain, name=key.name)
        self.attempts = Attempts(
            means, key, claim, inbox, plan_of=self._plan_of, reported=reported, quarantined=quarantined
        )
        self.attempts.load(loaded)
        self.children = Children(means, record, x.settings, push)
        self._asker = Asker(record.id, key)
        self._under_way: set[tuple[Any, ...]] = set()
        """Questions without an answer yet, so that none is asked twice."""
        self.refused: dict[str, str] = {}
        """Signals that did not fit, and why."""

    def _plan_of(self, path: str) -> Any:
        return self.x.plan_of(path)

    def renew(self, x: Execution, loaded: Loaded) -> None:
        """Go on with the execution as it was loaded again. What is under way stays so."""
        self.x = x
        self.attempts.load(loaded)

    @property
    def many(self) -> bool:
        """Whether so many attempts are under way that the outcome of one may wait for those of others."""
        return len(self.attempts.flights) >= _MANY

    def perform(self, command: Command) -> None:
        """Begin what a command asks for. Returns at once."""
        match command:
            case StartAttempt():
                if command.child:
                    self.children.start(command)
                else:
                    self.attempts.start(command)
            case SetTimer(kind, path, generation, at):
                self._means.timers.set((self._record.id, kind, path), generation, at)
            case CancelTimer(kind, path):
                self._means.timers.cancel((self._record.id, kind, path))
            case CloseAttempt():
                if self.x.plan_of(command.path).kind is Kind.LAUNCH_PLAN:
                    self.children.close(command)
                else:
                    self.attempts.close(command)
            case Fetch(uri):
                self._ask(("fetch", uri), self._fetch(uri))
            case Gather():
                self._ask(("gather", command.path, command.generation), self._gather(command))
            case LookUp() | Reserve() | StoreInCache() | Release():
                self._cache(command)
            case RefuseSignal(signal_id, reason):
                self.refused[signal_id] = reason
                self._means.observers.refused(self._record, signal_id, reason)
            case Finished():
                pass  # the session sees it from the rows

    def storing(self, commands: Iterable[Command]) -> bool:
        """Whether outputs are on their way into the cache, or will be with these commands."""
        return any(key[0] == "store" for key in self._under_way) or any(
            isinstance(command, StoreInCache) for command in commands
        )

    # --- the cache ---

    def _cache(self, command: LookUp | Reserve | StoreInCache | Release) -> None:
        match command:
            case LookUp(path, generation):
                self._ask(("look up", path, generation), self._look_up(command))
            case Reserve(path, generation):
                self._ask(("reserve", path, generation), self._reserve(command))
            case StoreInCache(path):
                self._ask(("store", path), self._store(command))
            case Release():
                crash_point("cache.release.before")
                self._means.spawn(self._means.memo.free(self._asker, command))

    async def _look_up(self, command: LookUp) -> Event:
        crash_point("cache.lookup.before")
        answer = await self._means.memo.look_up(self._asker, command)
        crash_point("cache.lookup.after")
        return answer

    async def _reserve(self, command: Reserve) -> Event:
        crash_point("cache.reserve.before")
        answer = await self._means.memo.reserve(self._asker, command, self._push)
        crash_point("cache.reserve.after")
        return answer

    async def _store(self, command: StoreInCache) -> Event:
        crash_point("cache.store.before")
        answer = await self._means.memo.keep(self._asker, command)
        crash_point("cache.store.after")
        return answer

    # --- bytes ---

    async def _fetch(self, uri: str) -> Event:
        try:
            return Fetched(uri, await self._means.depot.read(uri))
        except (DataError, OSError) as exc:
            return FetchFailed(uri, str(exc))
        except Exception as exc:
            log.exception("effect.failed")
            return FetchFailed(uri, f"the engine failed: {exc}")

    async def _gather(self, command: Gather) -> Event:
        uri = self._files.attempt(command.path, 0).outputs
        try:
            outputs = await self._means.depot.gathered(command.names, command.elements, uri)
        except (DataError, OSError) as exc:
            return GatherFailed(command.path, command.generation, str(exc))
        except Exception as exc:
            log.exception("effect.failed")
            return GatherFailed(command.path, command.generation, f"the engine failed: {exc}")
        return Gathered(command.path, command.generation, outputs)

    def _ask(self, key: tuple[Any, ...], question: Coroutine[Any, Any, Event]) -> None:
        if key in self._under_way:
            question.close()
            return
        self._under_way.add(key)
        self._means.spawn(self._answered(key, question))

    async def _answered(self, key: tuple[Any, ...], question: Coroutine[Any, Any, Event]) -> None:
        try:
            answer = await question
        finally:
            self._under_way.discard(key)
        self._push(answer)
