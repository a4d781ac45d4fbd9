"""Runs the tasks of many programs: workers for each set of code, found by what is kept with the execution."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from alula.engine.facts import Added
from alula.engine.observe import PlanOf, Silent
from alula.errors import AlulaError
from alula.idl import TaskTemplate
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.runner import AttemptId, Failed, Job, Report, Runner, Succeeded, Tell
from alula.serve.code import Code
from alula.serve.flytekit import is_flytekits
from alula.store.records import ExecutionKey, ExecutionRecord

log = logging.getLogger(__name__)

_FLYTEKIT = "flytekit"
"""The key of the workers that have flytekit itself."""
_IDLE_SECONDS = 300.0
"""Workers of a program that nothing was asked of for so long end."""


_Names = tuple[str, str, str]
"""Of an execution: its project, its domain and its own."""


class Workers(Runner, Protocol):
    """A runner that can be counted."""

    def numbers(self) -> Mapping[str, float]:
        """How much there is to do, and who does it."""
        ...


@dataclass(slots=True)
class _Crew:
    """The workers of one program."""

    runner: Workers
    opening: asyncio.Task[None]
    busy: set[AttemptId] = field(default_factory=set)
    """Attempts that were started and not yet closed, or ended closed."""
    used_at: float = 0.0

    @property
    def failed(self) -> bool:
        """They could not begin; others may, once somebody has mended what was wrong."""
        opening = self.opening
        return opening.done() and (opening.cancelled() or opening.exception() is not None)


class Programs(Silent):
    """A runner, and the observer that tells it where the code of each execution is.

    Args:
        make: Workers for one program; None: for tasks of executions that say nothing about code.
        accepts: Why no worker can run a task; empty if one can.
        flytekit: Workers that have flytekit itself, for tasks that it registered; None: Alula's own SDK runs them.
        ready: Those begin at once, and stay: nobody is to wait for flytekit's import.
    """

    def __init__(
        self,
        make: Callable[[Code | None], Workers],
        accepts: Callable[[TaskTemplate], str],
        flytekit: Callable[[], Workers] | None = None,
        *,
        ready: bool = False,
    ) -> None:
        self._make, self._accepts, self._flytekit, self._ready = make, accepts, flytekit, ready
        self._code: dict[_Names, tuple[Code | None, object]] = {}
        """The code of each execution, and its key: a digest that is not to be had for every attempt anew."""
        self._added: dict[_Names, Added] = {}
        self._crews: dict[object, _Crew] = {}
        self._past = Counter(pool=0, workers_busy=0, workers_idle=0, workers_started=0, workers_died=0)
        """Of crews that have ended: workers that were started, and that died."""
        self._sweeping: asyncio.Task[None] | None = None

    # --- observer ---

    def taken(self, execution: ExecutionRecord, plan_of: PlanOf) -> None:
        code = Code.of_facts(execution.facts)
        names = _names(execution.key)
        self._code[names] = code, code.key if code is not None else None
        if added := Added.of_facts(execution.facts):
            self._added[names] = added

    def left(self, execution: ExecutionRecord, why: str) -> None:
        names = _names(execution.key)
        self._code.pop(names, None)
        self._added.pop(names, None)

    # --- runner ---

    @property
    def local(self) -> bool:
        return True

    async def open(self) -> None:
        self._sweeping = asyncio.create_task(self._sweep())
        if self._ready and self._flytekit is not None:
            self._crew(_FLYTEKIT, self._flytekit).opening.add_done_callback(_opened)

    async def aclose(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        crews = list(self._crews.values())
        self._crews.clear()
        for crew in crews:
            await self._end(crew)

    def keep(self, seconds: float) -> None:
        for crew in self._crews.values():
            crew.runner.keep(seconds)

    def accepts(self, template: TaskTemplate) -> str:
        return self._accepts(template)

    def start(self, job: Job, tell: Tell) -> None:
        names = job.id.project, job.id.domain, job.id.execution
        code, program = self._code.get(names, (None, None))
        try:
            if self._flytekit is not None and code is None and is_flytekits(job.template):
                crew = self._crew(_FLYTEKIT, self._flytekit)
            else:
                crew = self._crew(program, lambda: self._of_code(code))
        except AlulaError as exc:
            tell(Failed(AttemptFailure("CodeUnavailable", str(exc))))
            return
        crew.busy.add(job.id)
        if (added := self._added.get(names)) is not None:
            job = added.to(job)

        def told(report: Report) -> None:
            if isinstance(report, Succeeded | Failed) and report.closed:
                crew.busy.discard(job.id)
            tell(report)

        def begin(opening: asyncio.Task[None]) -> None:
            problem = None if opening.cancelled() else opening.exception()
            if job.id not in crew.busy:
                return  # closed before it began
            if problem is not None:
                told(Failed(AttemptFailure("WorkersUnavailable", str(problem))))
                return
            try:
                crew.runner.start(job, told)
            except Exception as exc:  # nobody above hears of it
                log.exception("workers.start_raised", extra={"execution": job.id.execution, "path": job.id.path})
                what = f"the workers failed: {type(exc).__name__}: {exc}"
                told(Failed(AttemptFailure("WorkersBroken", what, FailureKind.SYSTEM, recoverable=True), closed=False))

        if crew.opening.done():
            begin(crew.opening)
        else:
            crew.opening.add_done_callback(begin)

    def wake(self, id: AttemptId) -> None: ...

    def forget(self, id: AttemptId) -> None: ...

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        crew = next((crew for crew in self._crews.values() if id in crew.busy), None)
        if crew is None or not crew.opening.done() or crew.opening.exception() is not None:
            if crew is not None:
                crew.busy.discard(id)
            done("")
            return
        here = crew

        def closed(problem: str) -> None:
            if not problem:
                here.busy.discard(id)
            done(problem)

        crew.runner.close(id, abort=abort, reason=reason, done=closed)

    def numbers(self) -> Mapping[str, float]:
        """Of all programs together; for metrics."""
        found = self._past.copy()
        for crew in self._crews.values():
            found.update(crew.runner.numbers())
        return found

    # --- crews ---

    def _of_code(self, code: Code | None) -> Workers:
        """Workers for a program. Raises ConfigError: its code is not there as it was."""
        if code is not None:
            code.check()
        return self._make(code)

    def _crew(self, key: object, make: Callable[[], Workers]) -> _Crew:
        """Workers by their key, which are made and begin to open if they are not there. Raises what `make` does."""
        crew = self._crews.get(key)
        if crew is None or crew.failed:
            runner = make()
            crew = self._crews[key] = _Crew(runner, asyncio.create_task(runner.open()))
        crew.used_at = asyncio.get_running_loop().time()
        return crew

    async def _sweep(self) -> None:
        """End the workers of programs that are not used any more."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_IDLE_SECONDS / 5)
            for key, crew in list(self._crews.items()):
                stays = self._ready and key == _FLYTEKIT
                if not stays and not crew.busy and loop.time() - crew.used_at > _IDLE_SECONDS:
                    del self._crews[key]
                    await self._end(crew)

    async def _end(self, crew: _Crew) -> None:
        await asyncio.wait([crew.opening])
        if crew.opening.exception() is None:
            await crew.runner.aclose()
            past = crew.runner.numbers()
            self._past.update({name: past.get(name, 0) for name in ("workers_started", "workers_died")})


def _names(key: ExecutionKey) -> _Names:
    return key.project, key.domain, key.name


def _opened(opening: asyncio.Task[None]) -> None:
    """Say early what tasks would be told later."""
    problem = None if opening.cancelled() else opening.exception()
    if problem is not None:
        log.error("workers.flytekit_unavailable", extra={"problem": str(problem)})
