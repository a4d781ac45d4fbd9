"""Attempts as their runners are given them, and which runner that is."""

from __future__ import annotations

from collections.abc import Callable

from alula.data.layout import Execution as Files
from alula.engine.events import StartAttempt
from alula.engine.flight import Key
from alula.engine.kept import Kept
from alula.engine.means import Means
from alula.engine.plan import NodePlan
from alula.plugin.runner import AttemptId, Job, Runner
from alula.store.records import ExecutionKey, Loaded


class Jobs:
    """Makes the jobs of one execution.

    Args:
        kept: What was kept of its attempts.
    """

    def __init__(self, means: Means, key: ExecutionKey, files: Files, kept: Kept) -> None:
        self._means, self._key, self._files, self._kept = means, key, files, kept
        self._routes: dict[int, Runner | str] = {}
        """By the identity of the task's template, which the plan keeps alive."""
        self._former: set[Key] = set()

    def load(self, loaded: Loaded) -> None:
        """The execution was loaded: the plans are other ones now, and what is open may have been started."""
        self._routes.clear()
        self._former = {(one.path, one.number) for one in loaded.attempts}

    def fresh(self, key: Key) -> bool:
        """Whether nothing of an attempt can be outside: its row was not there when the execution was loaded."""
        return key not in self._former

    def id(self, path: str, attempt: int) -> AttemptId:
        key = self._key
        return AttemptId(key.project, key.domain, key.name, path, attempt, self._means.tag)

    def route(self, node: NodePlan) -> Runner | str:
        """Who runs a task; or why nobody does."""
        assert node.task is not None
        known = self._routes.get(id(node.task))
        if known is None:
            known = self._means.route(node.task)
            if not isinstance(known, str):  # why nobody does may change
                self._routes[id(node.task)] = known
        return known

    def make(self, id: AttemptId, node: NodePlan, command: StartAttempt | None = None, inputs: bytes = b"") -> Job:
        """An attempt for its runner; without a command as whoever cleans up after it needs it."""
        assert node.task is not None
        target, key = node.node.task_node, (id.path, id.number)
        record = self._kept.record(key) if self._kept else None
        return Job(
            id,
            node.task,
            inputs,
            self._files.attempt(*key).prefix,
            overrides=target.overrides if target.HasField("overrides") else None,
            interruptible=command is not None and command.interruptible,
            checkpoint=command.checkpoint if command is not None else "",
            index=command.index if command is not None else -1,
            attempts=node.policy.retries + 1,
            fresh=key not in self._former,
            state=record.state if record is not None else b"",
            state_version=record.version if record is not None else 0,
        )

    def runner(self, node: NodePlan, key: Key) -> Runner | str:
        """Who runs an attempt: if somebody has kept something of it, it is theirs, whatever settings say now."""
        route = self.route(node)
        if self._kept and not isinstance(route, str) and route.local:
            record = self._kept.record(key)
            if record is not None and record.state:
                return next((one for one in self._means.runners if not one.local), route)
        return route

    def cleaner(self, node: NodePlan, key: Key) -> Runner | Absent:
        """Who cleans up after an attempt that may have been started before."""
        route = self.runner(node, key)
        return Absent(lambda: self.runner(node, key)) if isinstance(route, str) else route


class Absent:
    """Stands for a runner that is not there now, and may be later: what it has started is not forgotten until then."""

    local = False

    def __init__(self, route: Callable[[], Runner | str]) -> None:
        self._route = route

    def forget(self, id: AttemptId) -> None:
        runner = self._route()
        if not isinstance(runner, str):
            runner.forget(id)

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        runner = self._route()
        if isinstance(runner, str):
            done(f"nothing here can clean up after it: {runner}")
        else:
            runner.close(id, abort=abort, reason=reason, done=done, job=job)
