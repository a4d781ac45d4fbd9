"""`alula run` with the engine: an execution that is written down step by step, and goes on after any crash."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import click

from alula.admin import executions, values
from alula.admin.options import Options as Wanted
from alula.cli import background, failed, results
from alula.cli.aside import aside
from alula.cli.board import Board
from alula.cli.card import ABORTED, OK
from alula.cli.noted import keep_log
from alula.cli.options import Options
from alula.cli.program import kind_of
from alula.cli.watch import View, Watch
from alula.client.asynchronous import Ask, AsyncClient
from alula.client.ending import failure_of
from alula.client.follow import Follower
from alula.client.run import AsyncRun
from alula.client.submission import Submission, solo
from alula.config import Config, Durability
from alula.engine.codec import read_closure
from alula.engine.driver import Engine
from alula.engine.state import NodePhase
from alula.errors import RequestError, StoreUnavailable
from alula.idl import Literal
from alula.plugin.runner import AttemptId
from alula.sdk.graph import Entity
from alula.serve.crews import Forked, programs
from alula.store.store import Store

log = logging.getLogger(__name__)

_PATIENCE = 2.0
"""Seconds to show the end of an execution that has ended."""
_CLEAN_UP = 15.0
"""Seconds to wait for the clean-up after one that has ended: jobs elsewhere are deleted."""
_NOTICED = 0.3
"""Seconds after which an execution that is not ours by now is taken to be another engine's."""


@dataclass(frozen=True, slots=True)
class Show:
    """How an execution is shown, and what it gives."""

    title: str
    """`workflow train`."""
    entity: Entity | None = None
    """What runs, if it is known here: its types say how outputs are printed."""
    form: results.Format = results.Format.TABLE
    quiet: bool = False
    verbose: bool = False
    solo: bool = False
    """It is made of one node."""
    told: bool = False
    """A tree that stays tells how it ended, and what it is called."""
    command: str = ""
    """What goes on with it, but for `--name`; empty: `alula run`, with what it was given."""

    def again(self, name: str) -> str:
        """The command that goes on with an execution."""
        return f"{self.command} --name {name}" if self.command else f"alula run --name {name} ..."


@dataclass(frozen=True, slots=True)
class Job:
    """What one command runs."""

    entity: Entity
    made: Submission
    inputs: Mapping[str, Literal]
    ask: Ask
    options: Options
    forked: Forked | None

    @property
    def show(self) -> Show:
        title = f"{kind_of(self.entity)} {self.entity.short_name}"
        o = self.options
        return Show(title, self.entity, o.output, quiet=o.quiet, verbose=o.verbose, solo=solo(self.entity))


def settings(config: Config, options: Options) -> Config:
    """The settings, with what the command line says of them."""
    if not options.durability:
        return config
    return replace(config, store=replace(config.store, durability=Durability(options.durability)))


def wanted(options: Options) -> Wanted:
    """How the execution is run."""
    return Wanted(
        max_parallelism=options.max_parallelism,
        cache=None if options.cache else False,
        overwrite_cache=options.overwrite_cache or None,
    )


async def run(config: Config, job: Job) -> int:
    """Create the execution, or find the one that has the name; drive or follow it to its end, and print that.

    Raises:
        AlulaError: It could not be created, or its store was lost.
    """
    stage = Stage()
    workers = programs(config, forked=job.forked, tail=None if job.options.quiet else stage.printed)
    async with AsyncClient(config=config, workers=workers) as client:
        made = await client.submit(job.made, job.inputs, job.ask)
        return await go(client, made, job.show, stage, wait=job.options.wait, detach=job.options.detach)


class Stage:
    """Takes what tasks print, before it is known who shows it."""

    def __init__(self) -> None:
        self.watch: Watch | None = None

    def printed(self, id: AttemptId, data: bytes) -> None:
        if self.watch is not None:
            self.watch.printed(id, data)


async def go(client: AsyncClient, run: AsyncRun, show: Show, stage: Stage, *, wait: bool, detach: bool) -> int:
    """Have an execution driven, as the command line asks for it; the exit code."""
    if run.ended:
        if not show.quiet:
            aside(f"execution {run.name} is over: this is how it ended")
        if run.record.open and wait and not detach:  # whoever ran it was killed before all was cleaned up
            engine = await client.engine()
            engine.drive(run.id)
            await _cleaned_up(run, engine)
    elif detach:
        background.told(run.name, await background.start(client, run))
        return OK
    elif not wait:
        click.echo(run.name)
        return OK
    else:
        stage.watch = watch = await watch_of(client.house.store, run, show)
        if not await drive(client, run, watch, show.again(run.name)):
            return ABORTED
        if watch.view is View.TREE and not show.solo:
            show = replace(show, told=True)
    return await tell_end(client, run, show)


async def watch_of(store: Store, run: AsyncRun, show: Show) -> Watch:
    """What shows an execution, as it is by now."""
    closure = read_closure(await store.closure(run.record.closure))
    view = View.fitting(quiet=show.quiet)
    watch = Watch(Board(run.name, show.title, closure), run.id, view, solo=show.solo)
    if not run.new:
        async for news in Follower(store, run.id).news():
            watch.feed(news.rows, silently=True)
            watch.told(news.progress)
            break
    return watch


async def drive(client: AsyncClient, run: AsyncRun, watch: Watch, again: str) -> bool:
    """Drive an execution to its end, or follow it where another engine has it; whether it came to its end.

    Args:
        again: The command that goes on with it, for people.
    """
    me = asyncio.current_task()
    assert me is not None
    try:
        with _interrupts(client, run, watch, me):  # from the moment that its name is said
            _announce(run, watch)
            await _driven(client, run, watch)
    except asyncio.CancelledError:
        watch.end()
        if watch.note:
            aside(f"execution {run.name} is stopped by whoever takes it next: alula abort {run.name}")
        else:
            aside(f"execution {run.name} goes on with: {again}")
        return False
    watch.end()
    return True


def _announce(run: AsyncRun, watch: Watch) -> None:
    if watch.view is View.LINES:
        so_far = f" goes on: {watch.board.counts.good:,} done already" if not run.new else ""
        watch.say(f"{click.style('·', dim=True)} execution {click.style(run.name, fg='cyan')}{so_far}")


async def _driven(client: AsyncClient, run: AsyncRun, watch: Watch) -> None:
    """Have the engine drive an execution, or another one, and show it until it has ended."""
    engine = await client.engine()
    engine.observers.add(watch)
    engine.drive(run.id)
    restore = keep_log(client.config.home / "logs" / "engine.log", watch.say)
    beside = [asyncio.create_task(watch.show()), asyncio.create_task(_follow(client, run, watch, engine.owner))]
    try:
        await run.wait()
        with suppress(TimeoutError):  # the store may tell of the end before it was shown
            async with asyncio.timeout(_PATIENCE):
                await watch.over.wait()
        await _cleaned_up(run, engine)
    finally:
        for task in beside:
            task.cancel()
        for problem in await asyncio.gather(*beside, return_exceptions=True):
            if isinstance(problem, Exception):  # the execution is what counts, not how it is shown
                log.warning("watch.failed: %s", problem, exc_info=problem)
        engine.observers.remove(watch)
        restore()


async def _cleaned_up(run: AsyncRun, engine: Engine) -> None:
    """Wait until nothing is left of what ran outside; not for ever."""
    try:
        async with asyncio.timeout(_CLEAN_UP):
            await engine.until_idle()
    except TimeoutError:
        what = f"execution {run.name} has ended, but something of it is not cleaned up yet"
        aside(f"{what}: `alula leaks` shows it, and the next engine goes on")


async def tell_end(client: AsyncClient, run: AsyncRun, show: Show) -> int:
    """Print what an execution gave, or why it did not; the exit code."""
    record = run.record
    if record.phase == NodePhase.SUCCEEDED:
        text = await _outputs(client, run, show)
        if text:
            click.echo(text)
        if not show.quiet:
            took = (record.ended_at - record.created_at).total_seconds() if record.ended_at else 0
            shown = click.style(f"  {took:.1f} s" if took >= 0.1 else "", dim=True)
            name = click.style(f"  {run.name}", fg="cyan")
            if not show.told:
                aside(f"{click.style('✓', fg='green')} {show.title} succeeded{shown}{name}")
            await _say_reports(client, run)
        return OK
    failure = await failure_of(client.house.store, record)
    aside(failed.card(run.name, show.title, record.phase, failure, verbose=show.verbose))
    await _say_reports(client, run)
    return failed.exit_code(record.phase, failure)


async def _outputs(client: AsyncClient, run: AsyncRun, show: Show) -> str:
    outputs = await values.outputs(client.desk, run.record.key)
    if show.entity is None:
        return results.untyped(outputs, show.form)
    interface, place = show.entity.interface, client.place(run.name)
    return await asyncio.to_thread(results.shown, outputs, interface, place, show.form)


async def _say_reports(client: AsyncClient, run: AsyncRun) -> None:
    """Where the reports of tasks are, if their authors asked for any."""
    closure = read_closure(await client.house.store.closure(run.record.closure))
    if not any(task.template.metadata.generates_deck.value for task in closure.tasks):
        return
    for attempt in await run.attempts():
        path = client.house.objects.local_path(attempt.deck)
        if path is not None and path.exists():
            aside(f"  report: {path}")


async def _follow(client: AsyncClient, run: AsyncRun, watch: Watch, owner: str) -> None:
    """Show what another engine does than ours, whose name is `owner`, until ours has the execution."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_NOTICED):
            await watch.here.wait()
    record = await client.house.store.execution_by_id(run.id)
    if watch.here.is_set():  # by now
        return
    watch.owned(record.owner, ours=owner)
    if watch.elsewhere:
        watch.say(f"{click.style('·', dim=True)} another process drives {run.name}: watching")
    logs = asyncio.create_task(_follow_logs(run, watch))
    try:
        async for news in Follower(client.house.store, record.id).news():
            if watch.here.is_set():
                return
            watch.feed(news.rows)
            watch.told(news.progress)
    finally:
        logs.cancel()


async def _follow_logs(run: AsyncRun, watch: Watch) -> None:
    async for line in run.logs(follow=True):
        watch.output(line.path, [line.text])


@contextmanager
def _interrupts(client: AsyncClient, run: AsyncRun, watch: Watch, me: asyncio.Task[Any]) -> Iterator[None]:
    """The first Ctrl-C aborts what is driven here, the second leaves; what another process drives is left at once."""
    loop = asyncio.get_running_loop()
    count = 0

    def leave() -> None:
        if handled:  # else it has come to its end meanwhile
            loop.remove_signal_handler(signal.SIGINT)  # the next one ends the process at once
            me.cancel()

    async def stop() -> None:
        if not watch.here.is_set() and await _elsewhere(client, run):  # it may not have been shown yet
            leave()
            return
        try:
            if not await _abort(client, run):
                return
        except StoreUnavailable:  # nobody hears of it
            leave()
            return
        # Said once it is written down: who leaves now, leaves that.
        watch.note = "stopping; press Ctrl-C again to leave"
        if watch.view is View.LINES:
            watch.say(f"{click.style('⊘', fg='yellow')} {watch.note}")

    def pressed() -> None:
        nonlocal count
        count += 1
        if count > 1 or watch.elsewhere:
            leave()
        else:
            stopping.append(loop.create_task(stop()))

    stopping: list[asyncio.Task[None]] = []
    handled: list[signal.Signals] = []
    for signum, handler in ((signal.SIGINT, pressed), (signal.SIGTERM, me.cancel)):
        with suppress(ValueError, RuntimeError, NotImplementedError):  # not in the main thread
            loop.add_signal_handler(signum, handler)
            handled.append(signum)
    try:
        yield
    finally:
        for signum in handled:
            loop.remove_signal_handler(signum)
        handled.clear()


async def _elsewhere(client: AsyncClient, run: AsyncRun) -> bool:
    """Whether the store says that another engine, which lives, has the execution."""
    store, ours = client.house.store, (await client.engine()).owner
    owner = (await store.execution_by_id(run.id)).owner
    return owner not in ("", ours) and owner in {name for name, _, lives in await store.owners() if lives}


async def _abort(client: AsyncClient, run: AsyncRun) -> bool:
    """Write down that it is to be stopped; False: it has just ended by itself."""
    try:
        await executions.abort(client.desk, run.record.key, reason="interrupted with Ctrl-C")
    except RequestError:
        return False
    return True
