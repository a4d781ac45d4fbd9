"""Case 4: a plugin of the backend, for jobs of a service elsewhere. One small class, proved against every fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from alula._kits.records import replace
from alula.errors import RemoteNotFound, Throttled
from alula.idl import literals
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo
from alula.plugin.phase import Phase, PhaseInfo
from alula.plugin.webapi import WebApiPlugin
from alula.testing.kit import Case, Harness, Remote, verify


@dataclass(frozen=True, slots=True)
class Print:
    """A job of the printing service."""

    name: str
    pages: int
    state: str = "printing"


@dataclass
class Printer(Remote):
    """The service: takes jobs by any name, as often as it is asked to."""

    jobs: dict[int, Print] = field(default_factory=dict)
    taken: int = 0

    def take(self, name: str, pages: int) -> int:
        self.taken += 1
        if self.taken == 1:
            raise Throttled("out of paper", retry_after=1.0)
        self.jobs[self.taken] = Print(name, pages)
        return self.taken

    def live(self) -> Sequence[str]:
        return [job.name for job in self.jobs.values() if job.state == "printing"]

    def finish(self, name: str) -> None:
        self._end(name, "printed")

    def fail(self, name: str) -> None:
        self._end(name, "jammed")

    def _end(self, name: str, state: str) -> None:
        self.jobs |= {id: replace(job, state=state) for id, job in self.jobs.items() if job.name == name}


@dataclass(frozen=True, slots=True)
class Ticket:
    number: int


class Printing(WebApiPlugin[Ticket, Print]):
    """`print` tasks: the input `pages` is printed, and counted."""

    info = PluginInfo("printing", frozenset({"print"}))
    key_type = Ticket

    def __init__(self, printer: Printer) -> None:
        self.printer = printer

    async def create(self, task: TaskContext) -> Ticket:
        pages = (await task.inputs()).literals["pages"].scalar.primitive.integer
        return Ticket(self.printer.take(task.name, pages))

    async def find(self, task: TaskContext) -> Ticket | None:
        return next((Ticket(number) for number, job in self.printer.jobs.items() if job.name == task.name), None)

    async def get(self, keys: Sequence[Ticket]) -> Sequence[Print | RemoteNotFound]:
        return [self.printer.jobs.get(key.number) or RemoteNotFound(f"no ticket {key.number}") for key in keys]

    async def delete(self, key: Ticket) -> None:
        self.printer.jobs.pop(key.number, None)

    def phase(self, task: TaskContext, remote: Print) -> PhaseInfo:
        match remote.state:
            case "printed":
                return PhaseInfo.succeeded(literals.literal_map({"printed": literals.integer(remote.pages)}))
            case "jammed":
                return PhaseInfo.failed("PaperJam", "the printer is jammed", recoverable=True)
        return PhaseInfo(Phase.RUNNING, "it prints")


class Conformance(Harness):
    def remote(self) -> Printer:
        return Printer()

    def plugin(self, remote: Printer) -> Printing:  # type: ignore[override]
        return Printing(remote)

    def cases(self) -> Sequence[Case]:
        return [Case("print", {"pages": 3}, {"printed": 3})]


def test_every_fault_at_each_call_leaves_one_job_at_most_and_none_in_the_end() -> None:
    report = verify(Conformance(), pairs=0, seconds=8)  # `alula plugin verify` takes its time, and tries all
    assert report.grade == "A", report.text()
