"""Says to plugins what an execution adds to its attempts, and where its code lies, for machines that see the code."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from alula.engine.facts import Added
from alula.engine.observe import PlanOf, Silent
from alula.idl import TaskTemplate
from alula.plugin.runner import AttemptId, Job, Runner, Tell
from alula.serve.code import Code
from alula.store.records import ExecutionKey, ExecutionRecord

ROOT, INTERPRETER = "ALULA_CODE_ROOT", "ALULA_CODE_PYTHON"
"""Variables: what comes first on `sys.path`, and the directory of the interpreter that the execution was made with."""


class Placed(Silent):
    """A runner around that of the plugins, and the observer that knows of each execution what it was created with."""

    def __init__(self, hosts: Runner) -> None:
        self._hosts = hosts
        self._added: dict[ExecutionKey, Added] = {}

    # --- observer ---

    def taken(self, execution: ExecutionRecord, plan_of: PlanOf) -> None:
        code = Code.of_facts(execution.facts)
        added = replace(Added.of_facts(execution.facts) or Added({}), labels=execution.labels)
        if code is not None:
            places = {ROOT: code.root, INTERPRETER: os.path.dirname(code.interpreter)}
            added = replace(added, environment={**added.environment, **places})
        self._added[execution.key] = added

    def left(self, execution: ExecutionRecord, why: str) -> None:
        self._added.pop(execution.key, None)

    # --- runner ---

    @property
    def local(self) -> bool:
        return self._hosts.local

    async def open(self) -> None:
        await self._hosts.open()

    async def aclose(self) -> None:
        await self._hosts.aclose()

    def keep(self, seconds: float) -> None:
        self._hosts.keep(seconds)

    def accepts(self, template: TaskTemplate) -> str:
        return self._hosts.accepts(template)

    def start(self, job: Job, tell: Tell) -> None:
        added = self._added.get(ExecutionKey(job.id.project, job.id.domain, job.id.execution))
        self._hosts.start(added.to(job) if added is not None else job, tell)

    def wake(self, id: AttemptId) -> None:
        self._hosts.wake(id)

    def forget(self, id: AttemptId) -> None:
        self._hosts.forget(id)

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        self._hosts.close(id, abort=abort, reason=reason, done=done, job=job)
