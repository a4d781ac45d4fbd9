"""`Hosts`: all plugins of an engine as one runner, each in a host of its own that begins when it is first needed."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from alula._kits.records import replace
from alula.hosting.adapting import kind_of
from alula.hosting.host import Host, Surroundings
from alula.hosting.registry import RUNNER, WORKERS, Backends, Known, Offer
from alula.idl import TaskTemplate
from alula.plugin.core import Plugin
from alula.plugin.failure import AttemptFailure
from alula.plugin.runner import AttemptId, Failed, Job, Keeps, Report, Runner, Tell, Waits

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 1.0
"""Between two looks for somebody who takes the attempts in the lobby."""
_IMPORTING = "plugins are being imported, to find out who runs it"
_OWNERLESS = "plugin {!r} began it, and is not installed here any more; install it again: it may have left a job"
PLAIN = "python-task"
"""The type that is the workers' without a look at any plugin, as long as no settings name one."""


@dataclass(slots=True)
class _Visitor:
    """An attempt in the lobby: it is not known yet which plugin runs it."""

    job: Job
    tell: Tell
    owner: str
    """The plugin that began it; empty: none did."""
    said: str = ""


@dataclass(frozen=True, slots=True)
class _Nobody:
    """Why no plugin takes a task."""

    reason: str
    yet: bool
    """Somebody may, later."""


class Hosts:
    """Gives each attempt to the host of its plugin. A `Runner`.

    Who cannot be given to one yet waits in the lobby, while a plugin that may be meant is down. A task whose plugin is
    down waits; it never goes to another one.

    Args:
        backends: Which plugin runs what.
        around: What hosts share.
        workers: The other runner of this engine, which takes Python tasks; not this one's to open or close.
        inline: Call plugins on the engine's loop.
    """

    def __init__(
        self, backends: Backends, around: Surroundings, *, workers: Runner | None = None, inline: bool = False
    ) -> None:
        self.backends, self._around, self._workers, self._inline = backends, around, workers, inline
        self.hosts: dict[str, Host] = {}
        """Those that were needed so far, by name."""
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._of: dict[AttemptId, Runner] = {}
        self._lobby: dict[AttemptId, _Visitor] = {}
        self._leaving: dict[AttemptId, tuple[Job, str]] = {}
        """Attempts that left the lobby to be cleaned up after, and who began them, until that is done."""
        self._timer: asyncio.TimerHandle | None = None
        self._importing: asyncio.Future[None] | None = None
        """Done when all plugins are imported, in a thread: some take long, and nobody else should wait for them."""
        self._gone = False

    # --- Runner ---

    @property
    def local(self) -> bool:
        return False

    async def open(self) -> None:
        """No plugin is opened before it is needed, but for those that must learn what they run."""
        if self.backends.sections:
            self._dynamic()

    async def aclose(self) -> None:
        self._gone = True
        if self._timer is not None:
            self._timer.cancel()
        if self._opening:
            await asyncio.wait(set(self._opening.values()))
        if self.hosts:
            await asyncio.gather(*(host.aclose() for host in self.hosts.values()))

    def keep(self, seconds: float) -> None:
        for name, host in self.hosts.items():
            if self._opening[name].done():
                host.keep(seconds)

    def accepts(self, template: TaskTemplate) -> str:
        """Everything but what the workers run: what nobody does is found out when it starts."""
        backends, type = self.backends, template.type
        routed = backends.routed(template)
        if routed is not None:
            return f"tasks of type {type!r} are routed to the workers" if routed.plugin == WORKERS else ""
        if self._refusal(template):
            return ""
        if type == PLAIN and not backends.sections:
            return "the workers run it"
        if not backends.imported and not self._inline:
            self._import()
            return ""  # it may be a plugin's; if not, the workers get it from here
        claimed = [known for known in backends.claimants(type) if known.kind != RUNNER]
        return "" if claimed or backends.taker or (type != PLAIN and self._dynamic()) else "the workers run it"

    def start(self, job: Job, tell: Tell) -> None:
        job, owner = _unsigned(job)
        found = self._where(job.template, owner)
        if isinstance(found, _Nobody):
            self._lobby[job.id] = _Visitor(job, tell, owner)
            if found.reason == _IMPORTING:  # seldom for long enough to be told
                self._come_back()
            else:
                self._settle()
        else:
            self._start(found, job, tell)

    def wake(self, id: AttemptId) -> None:
        host = self._of.get(id)
        if host is not None:
            host.wake(id)

    def forget(self, id: AttemptId) -> None:
        self._lobby.pop(id, None)
        self._leaving.pop(id, None)
        runner = self._of.pop(id, None)
        if runner is not None:
            runner.forget(id)

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        visitor = self._lobby.pop(id, None)
        if visitor is not None and not visitor.job.fresh:
            self._leaving[id] = replace(visitor.job, inputs=b""), visitor.owner
        owner = ""
        if job is not None:
            job, owner = _unsigned(job)
        elif id in self._leaving:
            job, owner = self._leaving[id]
        runner = self._of.get(id)
        if runner is None and job is not None and not job.fresh:
            found = self._where(job.template, owner)
            if not owner and self._importing is not None and not self._importing.done():
                self._importing.add_done_callback(
                    lambda _: self.close(id, abort=abort, reason=reason, done=done, job=job)
                )
                return
            if isinstance(found, _Nobody):
                done(f"nobody can clean up after it: {found.reason}")
                return
            runner = found
        if runner is None:
            done("")
            return
        here = runner

        def closed(problem: str) -> None:
            if not problem:
                self._of.pop(id, None)
                self._leaving.pop(id, None)
            done(problem)

        def begin() -> None:
            here.close(id, abort=abort, reason=reason, done=closed, job=job)

        self._once_open(here, begin)

    # --- who runs what ---

    def _refusal(self, template: TaskTemplate) -> str:
        """Why the workers do not run a task; empty: they do."""
        if self._workers is None:
            return f"no plugin runs tasks of type {template.type!r}"
        return self._workers.accepts(template)

    def _where(self, template: TaskTemplate, owner: str) -> Runner | _Nobody:
        """Who runs a task: the plugin that began it, whatever settings say now, for it alone knows what it left."""
        type, backends = template.type, self.backends
        if owner in backends.offers:
            return self._host(owner)
        if owner:
            return _Nobody(_OWNERLESS.format(owner), yet=True)
        routed = backends.routed(template)
        if not backends.imported and not self._inline and routed is None:
            self._import()
            return _Nobody(_IMPORTING, yet=True)
        verdict = routed or backends.verdict(type)
        if verdict.problem:
            return _Nobody(verdict.problem, yet=False)
        if verdict.plugin and verdict.plugin != WORKERS:
            return self._host(verdict.plugin)
        return self._learned(template)

    def _import(self) -> None:
        """Begin to import all plugins. The thread is a daemon: an import that hangs keeps nobody from leaving."""
        if self._importing is not None:
            return
        loop = asyncio.get_running_loop()
        importing = self._importing = loop.create_future()

        def run() -> None:
            self.backends.everything()
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(importing.set_result, None)

        importing.add_done_callback(lambda _: None if self._gone else self._settle())
        threading.Thread(target=run, name="alula-imports", daemon=True).start()

    def _learned(self, template: TaskTemplate) -> Runner | _Nobody:
        """The host of a plugin that learned that it runs such tasks, or the workers, or who stands in for them."""
        backends, reasons, unsure = self.backends, [], []
        for host in self._dynamic():
            answer = host.asked(template)
            if answer == "":
                return host
            if answer is None:
                unsure.append(host.unsure or host.trouble or f"plugin {host.name} is being opened")
            else:
                reasons.append(answer)
        refusal = self._refusal(template)
        routed = backends.routed(template)
        taker = "" if routed is not None and routed.plugin == WORKERS else backends.taker
        if taker and not unsure and (not refusal or self._workers is None):
            return self._host(taker)
        if not unsure and not refusal and self._workers is not None:
            return self._workers
        unsure += [f"plugin {one.name} is disabled: {one.problem}" for one in self.backends.broken()]
        if unsure:
            what = f"no plugin that works runs tasks of type {template.type!r}; one of these may, once it does: "
            return _Nobody(what + "; ".join(unsure), yet=True)
        reasons += [
            f"plugin {one.name} would run it: {self.backends.how(one)}" for one in self.backends.idle(template.type)
        ]
        return _Nobody("; ".join([refusal, *reasons]), yet=False)

    def _dynamic(self) -> list[Host]:
        """The hosts of plugins that learn what they run."""
        found = self.backends
        return [self._host(known.name) for known in found.everything() if known.dynamic and found.active(known)]

    def _host(self, name: str) -> Host:
        """The host of a plugin, begun if need be."""
        host = self.hosts.get(name)
        if host is None:
            backends = self.backends
            host = self.hosts[name] = Host(name, lambda: backends.make(name), self._around, inline=self._inline)
            self._opening[name] = asyncio.get_running_loop().create_task(host.open())
        return host

    def _start(self, runner: Runner, job: Job, tell: Tell) -> None:
        self._of[job.id] = runner

        told = partial(_signed, runner.name, tell) if isinstance(runner, Host) else tell

        def begin() -> None:
            if self._of.get(job.id) is runner:
                runner.start(job, told)

        self._once_open(runner, begin)

    def _once_open(self, runner: Runner, begin: Callable[[], None]) -> None:
        opening = self._opening[runner.name] if isinstance(runner, Host) else None
        if opening is None or opening.done():
            begin()
        else:
            opening.add_done_callback(lambda _: None if self._gone else begin())

    # --- the lobby ---

    def _settle(self) -> None:
        """Give attempts in the lobby to whoever takes them; come back for the others."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for id, visitor in list(self._lobby.items()):
            found = self._where(visitor.job.template, visitor.owner)
            if isinstance(found, _Nobody) and found.yet:
                if found.reason != visitor.said:
                    visitor.said = found.reason
                    visitor.tell(Waits(found.reason))
                continue
            del self._lobby[id]
            if isinstance(found, _Nobody):
                what = f"nothing here runs task {visitor.job.template.id.name}: {found.reason}"
                visitor.tell(Failed(AttemptFailure("NoRunner", what)))
            else:
                visitor.tell(Waits(""))
                self._start(found, visitor.job, visitor.tell)
        self._come_back()

    def _come_back(self) -> None:
        if self._lobby and not self._gone and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._settle)

    # --- for people ---

    def numbers(self) -> Mapping[str, Mapping[str, float]]:
        """How much each plugin has to do; for metrics."""
        return {name: host.numbers() for name, host in sorted(self.hosts.items())}

    def calls(self) -> Mapping[str, Mapping[str, tuple[int, int, float]]]:
        """How the calls of each plugin go: how many, how many of them failed, the seconds that they took."""
        return {name: host.calls.figures() for name, host in sorted(self.hosts.items())}

    def trouble(self, name: str) -> str:
        """Why the tasks of a plugin wait; empty: they do not."""
        host = self.hosts.get(name)
        return host.trouble if host is not None else ""


_SIGN = b"@"
"""Before the name of a plugin, in front of a state: those that plugins write begin otherwise, being JSON."""


def _signed(name: str, tell: Tell, report: Report) -> None:
    """Tell a report, with the name of the plugin in what is to be kept."""
    if isinstance(report, Keeps) and report.state:
        report = replace(report, state=_SIGN + name.encode() + b"\n" + report.state)
    tell(report)


def _unsigned(job: Job) -> tuple[Job, str]:
    """An attempt with what its plugin kept, and the name of that plugin; empty: none, or it did not sign."""
    if not job.state.startswith(_SIGN):
        return job, ""
    name, _, state = job.state[len(_SIGN) :].partition(b"\n")
    return replace(job, state=state), name.decode(errors="replace")


def of_plugins(plugins: Sequence[type[Plugin] | Callable[[], Plugin]], backends: Mapping[str, Any]) -> Backends:
    """The plugins that are given, as classes or as what makes one, and none that is installed."""
    known = {}
    for given in plugins:
        made: type[Plugin] = given if isinstance(given, type) else type(given())
        offer = Offer(made.info.name, made.__qualname__, "given here", lambda made=made: made)  # type: ignore[misc]
        known[offer.name] = Known(offer, kind_of(made), made, made.info, make=given)
    found = Backends.of(backends, [one.offer for one in known.values()])
    found._known.update(known)
    return found
