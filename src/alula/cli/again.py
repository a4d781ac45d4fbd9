"""`alula abort`, `alula recover` and `alula rerun`: what is done with an execution that is there."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from alula.admin import entities, executions
from alula.admin.executions import Created, Renewed
from alula.admin.options import Options
from alula.cli.card import card, exit_code
from alula.cli.desk import at_desk, store_option
from alula.cli.durable import Show, Stage, go
from alula.cli.options import named
from alula.cli.program import kind_of, load
from alula.cli.reports import reported
from alula.client.asynchronous import AsyncClient
from alula.client.run import AsyncRun
from alula.client.shipping import Shipping
from alula.client.submission import solo, submission
from alula.config import Config
from alula.errors import ConfigError, RequestError
from alula.sdk.graph import Entity
from alula.serve.code import Code, environment_of
from alula.serve.crews import fork, programs
from alula.serve.programs import Programs
from alula.store.records import ExecutionRecord

_PATIENCE = 30.0
"""Seconds for an engine to stop an execution, before a hint is given."""


@click.command()
@click.argument("execution")
@click.option("--reason", default="", metavar="TEXT", help="Kept with the execution.")
@click.option("--wait/--no-wait", default=True, help="Whether to wait until it has stopped.")
@store_option
def abort(execution: str, reason: str, wait: bool, store: str) -> None:
    """Stop an execution: its tasks are ended, and what they started with them."""

    async def work(client: AsyncClient) -> None:
        run = await client.get(execution)
        if run.phase == "aborted":
            click.echo(f"{execution} is aborted already", err=True)
            return
        await run.abort(reason, wait=False)
        if not wait:
            click.echo(f"{execution} will stop", err=True)
            return
        try:
            await run.wait(_PATIENCE)
        except TimeoutError:
            click.echo(f"{execution} is still being stopped: alula why {execution} says by whom", err=True)
            return
        said = "aborted" if run.phase == "aborted" else f"not aborted: it has {run.phase.replace('_', ' ')} by itself"
        click.echo(f"{click.style('⊘', fg='yellow')} {execution} {said}", err=True)

    at_desk(f"aborting {execution}", work, store=store)


def _ways(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of what goes on from another execution."""
    for option in (
        store_option,
        click.option("-q", "--quiet", is_flag=True, help="Print the result only."),
        click.option("--wait/--no-wait", default=True, help="Whether to drive it here; else alula serve does."),
        click.option("-d", "--detach", is_flag=True, help="Run it in the background, and print its name."),
        click.option("--max-parallelism", type=click.IntRange(min=0), default=None, help="Tasks at a time."),
        click.option("--name", metavar="NAME", callback=named, help="Name of the new execution."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("execution")
@_ways
def recover(execution: str, name: str | None, max_parallelism: int | None, **how: Any) -> None:
    """Go on from an execution that failed or was aborted: a new one takes over what succeeded, and runs the rest.

    The code is taken as it is now, so mend it first; the nodes of the workflow must be the same.
    """
    options = Options(max_parallelism=max_parallelism)

    async def again(client: AsyncClient, renewed: Renewed | None) -> Created:
        key = client.key(execution)
        return await executions.recover(client.desk, key, name=name or "", options=options, renewed=renewed)

    _again(execution, again, f"alula recover {execution}", **how)


@click.command()
@click.argument("execution")
@click.option("--node", "nodes", multiple=True, metavar="PATH", help="A node to run again. Repeatable; none: all.")
@_ways
def rerun(execution: str, nodes: tuple[str, ...], name: str | None, max_parallelism: int | None, **how: Any) -> None:
    """Run nodes of an execution that has ended once more, with all that comes after them, as a new execution."""
    options = Options(max_parallelism=max_parallelism)

    async def again(client: AsyncClient, renewed: Renewed | None) -> Created:
        key = client.key(execution)
        return await executions.rerun(
            client.desk, key, nodes=nodes, name=name or "", options=options, renewed=renewed if nodes else None
        )

    command = shlex.join(["alula", "rerun", execution, *(word for path in nodes for word in ("--node", path))])
    _again(execution, again, command, **how)


Again = Callable[[AsyncClient, Renewed | None], Any]


@dataclass(frozen=True, slots=True)
class _Found:
    """The program of an execution, loaded here."""

    entity: Entity
    code: Code


def _again(execution: str, again: Again, command: str, *, quiet: bool, wait: bool, detach: bool, store: str) -> None:
    what = f"going on with {execution}"
    found: list[ExecutionRecord] = []

    async def look(client: AsyncClient) -> None:
        record = (await client.get(execution)).record
        if not executions.ended(record):
            raise RequestError(
                f"execution {execution} has not ended: it is {record.phase.replace('_', ' ')}",
                fix=f"wait for it, or stop it: alula abort {execution}",
            )
        found.append(record)

    at_desk(what, look, store=store)
    [record] = found
    with reported(what):
        loaded = _load(record)
    forked = fork(loaded.code) if loaded is not None and wait and not detach else None
    stage = Stage()

    async def work(client: AsyncClient) -> int:
        renewed = await _renewed(client, record, loaded) if loaded is not None else None
        made = await again(client, renewed)
        entity = loaded.entity if loaded is not None else None
        run = AsyncRun(client, made.record, entity, new=made.new)
        title = f"{kind_of(entity)} {entity.short_name}" if entity is not None else record.entity.split(":")[3]
        show = Show(title, entity, quiet=quiet, solo=entity is not None and solo(entity), command=command)
        return await go(client, run, show, stage, wait=wait, detach=detach)

    def workers(config: Config) -> Programs:
        return programs(config, forked=forked, tail=None if quiet else stage.printed)

    at_desk(what, work, store=store, workers=workers)


def _load(record: ExecutionRecord) -> _Found | None:
    """The program of an execution, imported here as it is now; None if it says of none, or is for another Python.

    Raises:
        ConfigError: It is gone, or has no such entity any more.
    """
    code = Code.of_facts(record.facts)
    if code is None or code.interpreter != sys.executable:
        return None
    os.environ.update(environment_of(record.facts))
    path = Path(code.root, *code.module.split("."))
    file = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
    if not file.is_file():
        raise ConfigError(
            f"the code of execution {record.key.name} is gone: there is no module {code.module}",
            where=code.root,
            fix="put it back where it was",
        )
    try:
        found = load(str(file))
    except ConfigError:
        raise
    except BaseException as exc:  # noqa: BLE001 - the boundary to the user's code, which may raise anything
        click.echo(card(exc, f"loading {code.target or file}"), err=True)
        raise click.exceptions.Exit(exit_code(exc)) from None
    entity = found.find(record.entity.split(":")[3].removeprefix(".flytegen."))
    return _Found(entity, Code.loaded(code.module, target=code.target))


async def _renewed(client: AsyncClient, record: ExecutionRecord, found: _Found) -> Renewed | None:
    """What the execution runs as its code says it now; None if that is what it said."""
    before = Code.of_facts(record.facts)
    if before is not None and before.digest == found.code.digest:
        return None
    config = client.config
    made = submission(
        found.entity,
        project=config.project,
        domain=config.domain,
        place=client.constants,
        target=found.code.target,
        module=found.code.module,
        shipping=Shipping.of(config),
    )
    house = client.house
    await entities.register(house.store, made.specs, now=house.clock.now(), check=house.check)
    click.echo("the code has changed since: going on with it as it is now", err=True)
    return Renewed(await entities.prepare(made.specs, made.id, client.house.store), made.facts)
