"""What a remote last said of each job: asked in batches, of young jobs sooner, and only changes wake anybody."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Sequence
from typing import Any

from alula.errors import Rejected, RemoteNotFound, Throttled
from alula.hosting import verdict
from alula.hosting.adapter import Means
from alula.hosting.calls import BROKEN, CallFailed, Garbage, NotYet, short
from alula.hosting.limits import Gate
from alula.plugin.context import TaskContext
from alula.plugin.phase import Phase, PhaseInfo
from alula.plugin.webapi import Limits, WebApiPlugin

_YOUNG_SECONDS = 0.5
"""The least between two looks at a job."""
_TENTH = 0.1
"""Of its age: how old the status of a young job may be."""
_TOGETHER_SECONDS = 0.25
"""Who is due so soon is asked for with those who are due now."""
_TOGETHER = 0.2
"""The same as a part of how old a status may be."""
_LONGEST_PAUSE = 30.0
_PORTION = 50
"""Jobs that are looked at before others get their turn."""


class Status:
    """What is known of one job."""

    __slots__ = ("asked", "batch", "born", "due", "error", "gone", "info", "key", "news", "remote", "task", "watched")

    def __init__(self, task: TaskContext, key: Any, born: float, batch: int) -> None:
        self.task, self.key, self.born, self.batch = task, key, born, batch
        self.info: PhaseInfo | None = None
        """None: the remote was not asked yet."""
        self.remote: Any = None
        """Of a job that has succeeded, what its outputs are fetched with."""
        self.error: BaseException | None = None
        """Why the remote could not be asked the last time."""
        self.gone: RemoteNotFound | None = None
        self.due = born
        self.asked = False
        """It is being asked for now."""
        self.news = False
        """Somebody said meanwhile that there is something new."""
        self.watched = True


class StatusCache:
    """The jobs of one plugin. Everything is called on the plugin's loop.

    Args:
        reads: Where calls of `get` wait for their turn.
        settle: Seconds in which a new job may not be known to the remote yet.
    """

    def __init__(self, plugin: WebApiPlugin[Any, Any], means: Means, reads: Gate, limits: Callable[[], Limits]) -> None:
        self._plugin, self._means, self._reads, self._limits = plugin, means, reads, limits
        self._loop = asyncio.get_running_loop()
        self._of: dict[str, Status] = {}
        self._heap: list[tuple[float, int, Status]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        """Calls of `get` in a row that failed."""
        self._pause_until = 0.0
        self._asking = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._of)

    def watch(self, task: TaskContext, key: Any, *, new: bool) -> Status:
        """What is known of a job; from now on it is asked for.

        Args:
            new: It was created just now, so that there is nothing to see yet.
        """
        status = self._of.get(task.name)
        if status is None or status.key != key:
            now = self._means.clock.monotonic()
            status = self._of[task.name] = Status(task, key, now, self._limits().batch)
            status.due = now + _YOUNG_SECONDS if new else now
            self._push(status)
        return status

    def look(self, name: str) -> bool:
        """Somebody says that there is something new about a job. Whether it is asked for at all."""
        status = self._of.get(name)
        if status is None:
            return False
        if _over(status):
            return True
        if status.asked:
            status.news = True
            return True
        status.due = self._means.clock.monotonic()
        self._push(status)
        return True

    def drop(self, name: str) -> None:
        """Ask for it no more."""
        status = self._of.pop(name, None)
        if status is not None:
            status.watched = False

    def close(self) -> None:
        self._closed = True
        self._of.clear()
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()

    # --- when ---

    def _push(self, status: Status) -> None:
        self._count += 1
        heapq.heappush(self._heap, (status.due, self._count, status))
        self._plan()

    def _plan(self) -> None:
        """Come back when the next job is due."""
        if self._closed or not self._heap:
            return
        now = self._means.clock.monotonic()
        at = max(self._heap[0][0], self._pause_until, now)
        when = self._loop.time() + (at - now)
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._means.clock.monotonic()
        while self._heap and self._heap[0][0] <= now and now >= self._pause_until:
            if self._failures and self._asking:
                return  # one at a time finds out whether the remote is back
            if not self._reads.enter("get", self._tick):
                return
            batch = self._batch(now)
            if not batch:
                self._reads.leave()
                continue
            self._asking += 1
            self._means.spawn(self._ask(batch))
        self._plan()

    def _batch(self, now: float) -> list[Status]:
        """Those that are due, the first ones first, and not more than each of them may be asked for with."""
        most = self._limits().batch
        found: list[Status] = []
        while self._heap and len(found) < most:
            due, _, status = self._heap[0]
            if due > now + max(_TOGETHER_SECONDS, _TOGETHER * self._interval(status, now)):
                break
            if due != status.due or status.asked or not status.watched or _over(status):
                heapq.heappop(self._heap)
                continue
            if len(found) + 1 > min(most, status.batch) and found:
                break
            heapq.heappop(self._heap)
            most = min(most, max(1, status.batch))
            status.asked = True
            found.append(status)
        return found

    def _interval(self, status: Status, now: float) -> float:
        longest = self._limits().refresh.total_seconds()
        return min(longest, max(_YOUNG_SECONDS, (now - status.born) * _TENTH))

    # --- what is asked, and what comes back ---

    async def _ask(self, batch: list[Status]) -> None:
        seconds = self._limits().timeout.total_seconds()
        try:
            keys = [status.key for status in batch]
            answers: Any = await self._means.calls.make("get", lambda: self._plugin.get(keys), timeout=seconds)
            if isinstance(answers, str | bytes) or not isinstance(answers, Sequence) or len(answers) != len(batch):
                raise Garbage(f"{self._plugin.info.name}.get gave {short(answers)} for {len(batch)} keys")
        except Throttled as exc:
            self._reads.slower(exc.retry_after)
        except (CallFailed, Garbage, Rejected, NotYet) as exc:
            self._failed(batch, exc)
        else:
            self._failures, self._pause_until = 0, 0.0
            self._means.settled(None)
            await self._take(batch, answers)
        finally:
            self._asking -= 1
            self._reads.leave()
            for status in batch:
                status.asked = False
            self._again([status for status in batch if status.watched and not _over(status)])

    async def _take(self, batch: list[Status], answers: Sequence[Any]) -> None:
        now, most = self._means.clock.monotonic(), self._limits().batch
        for at, (status, answer) in enumerate(zip(batch, answers, strict=True)):
            if at % _PORTION == _PORTION - 1:
                await asyncio.sleep(0)
            status.batch = most
            if not status.watched:
                continue
            self._learn(status, answer)
            status.due = now + self._interval(status, now)

    def _learn(self, status: Status, answer: Any) -> None:
        """Take in what the remote says of one job, and wake its attempt if that is news."""
        before = (status.info, status.error, status.gone)
        name, plugin = self._plugin.info.name, self._plugin
        status.error = status.gone = None
        if isinstance(answer, RemoteNotFound):
            status.gone = answer
        elif isinstance(answer, BaseException):
            status.error = CallFailed(f"{name}.get", answer)
        else:
            try:
                info = self._means.calls.plainly("phase", lambda: plugin.phase(status.task, answer))
                status.info = verdict.checked(name, "phase", info)
                if status.info.phase is Phase.SUCCEEDED:
                    status.remote = answer
            except BROKEN as exc:
                status.error = exc
        if _differ((status.info, status.error, status.gone), before):
            self._means.again(status.task)

    def _failed(self, batch: list[Status], exc: BaseException) -> None:
        """Nobody's status is known. It only gets older: nothing is concluded from that but after a long time."""
        self._failures += 1
        self._means.settled(exc)
        now = self._means.clock.monotonic()
        pause = min(_YOUNG_SECONDS * 2 ** min(self._failures, 16), _LONGEST_PAUSE) * (0.5 + self._means.rng.random())
        self._pause_until = now + (pause if self._failures > 1 else 0)
        for status in batch:
            status.batch = max(1, len(batch) // 2)  # it may be one of them that the remote cannot answer for
            status.due = now + min(pause, self._limits().refresh.total_seconds())
            first = status.error is None
            status.error = exc
            if first and status.watched:
                self._means.again(status.task)

    def _again(self, batch: list[Status]) -> None:
        now = self._means.clock.monotonic()
        for status in batch:
            if status.news:
                status.due, status.news = now, False
            elif status.due <= now:
                status.due = now + _YOUNG_SECONDS
            self._push(status)
        self._plan()  # others may have waited for this call


def _differ(one: object, other: object) -> bool:
    try:
        return bool(one != other)
    except BROKEN:  # there are a guest's objects in them, as arrays
        return True


def _over(status: Status) -> bool:
    return status.info is not None and status.info.phase.terminal
