"""`alula register FILE`: the workflows of a program and all that they reach, under a version, with their code."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click

from alula._kits import scratch
from alula.admin import entities
from alula.cli.compile import Specs, compiled, registrable, say
from alula.cli.loading import loaded
from alula.cli.program import Program
from alula.cli.reports import reported
from alula.client.profiles import profile as profile_of
from alula.client.remote import Remote
from alula.client.shipping import BUNDLES, Copy, image_config, named_image, ship
from alula.config import Config, load
from alula.data import uris
from alula.data.bundle import pack
from alula.data.stores import Objects
from alula.errors import ConfigError
from alula.idl.admin import LaunchPlan, TaskSpec, WorkflowSpec
from alula.sdk.graph import Entity
from alula.sdk.launch_plan import LaunchPlan as Plan
from alula.sdk.serialize import SerializationSettings
from alula.serve.code import Code
from alula.serve.house import furnish


@click.command()
@click.argument("target", metavar="FILE|MODULE")
@click.argument("entity", required=False)
@click.option("--remote", is_flag=True, help="At a control plane; else in the store of this machine.")
@click.option("--profile", default="", metavar="NAME", help="With --remote: which one, by its name in profiles.toml.")
@click.option("--endpoint", default="", metavar="HOST:PORT", help="With --remote: which one, by its address.")
@click.option("-p", "--project", default="", help="Where it belongs.")
@click.option("-d", "--domain", default="", help="Where it belongs.")
@click.option("--version", default="", help="Its version.  [default: changes with the code]")
@click.option("-i", "--image", multiple=True, metavar="[NAME=]IMAGE", help="Of tasks that name none; or by name.")
@click.option("--copy", type=click.Choice([one.value for one in Copy]), default="auto", help="Code that goes with it.")
@click.option("--activate", is_flag=True, help="Make its launch plans active: schedules start.")
@click.pass_context
def register(ctx: click.Context, /, target: str, entity: str | None, **given: Any) -> None:
    """Register the workflows, tasks and launch plans of a file or module.

    Registering the same again changes nothing. The code goes along as one bundle, addressed by its content, unless
    --copy none says that images have it.
    """
    program = loaded(target, ctx)
    if given["activate"] and not given["remote"]:
        raise click.UsageError("--activate goes with --remote: a server starts launch plans by their schedules", ctx)
    if (given["profile"] or given["endpoint"]) and not given["remote"]:
        raise click.UsageError("--profile and --endpoint say where --remote goes: give that, too", ctx)
    with reported(f"registering {program.shown}"):
        chosen = [program.find(entity)] if entity else registrable(program)
        config = load()
        if given["remote"]:
            where = profile_of(config.home, name=given["profile"], endpoint=given["endpoint"])
            with Remote(where) as remote:
                project = given["project"] = given["project"] or where.project or config.project
                domain = given["domain"] = given["domain"] or where.domain or config.domain
                settings = settings_of(program, config, sender(remote, project, domain), **given)
                specs = checked(chosen, settings)
                active = _active(chosen, specs, everything=given["activate"])
                remote.register(*messages(specs), activate=active, tell=_tell)
                if active:
                    click.echo(f"active: {', '.join(active)}", err=True)
        else:
            project = given["project"] = given["project"] or config.project
            domain = given["domain"] = given["domain"] or config.domain
            settings = settings_of(program, config, _keeper(config), **given)
            asyncio.run(_keep(config, checked(chosen, settings)))
        click.echo(f"registered in {project}/{domain} under version {settings.version}", err=True)


Send = Callable[[Code, Copy], str]
"""Brings the code of a program to where tasks find it; the URI."""


def settings_of(
    program: Program,
    config: Config,
    send: Send,
    *,
    project: str,
    domain: str,
    version: str = "",
    image: Sequence[str] = (),
    copy: str = "",
    **_: Any,
) -> SerializationSettings:
    """Under which ids a program is registered, and what its containers get: its code is sent with that.

    Raises:
        ConfigError: Its version is not known, or an image has no tag.
        DataError: Its code cannot be sent.
    """
    code = Code.loaded(program.module, target=program.shown)
    which = Copy(copy or Copy.AUTO)
    images = {**config.images, **dict(map(named_image, image))}
    if not version and not code.files:
        raise ConfigError(f"{program.shown} is no file, so its version is not known", fix="say --version")
    uri = send(code, which) if which is not Copy.NONE else ""
    return SerializationSettings(
        project=project,
        domain=domain,
        version=version or _version(code, uri, images),
        image_config=image_config(images),
        bundle=(lambda: uri) if uri else None,
    )


def _version(code: Code, uri: str, images: Mapping[str, str]) -> str:
    """A version where nobody says one: it changes with the program, and with what else it is registered with.

    `alula run` has another one for the same code, of which it says other things: its tasks need no container.
    """
    bundle = uri.rpartition("/")[2]  # of what is in it; empty: images have the code
    parts = ["registered", code.digest, bundle, *(f"{name}={full}" for name, full in sorted(images.items()))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[: len(code.digest)]


def sender(remote: Remote, project: str, domain: str) -> Send:
    """Brings code to a control plane."""

    def send(code: Code, copy: Copy) -> str:
        with scratch.Lent("bundle") as directory:
            files = None if copy is Copy.ALL else list(code.files)
            made = pack(Path(code.root), directory, files=files)
            return remote.upload(made.path, project=project, domain=domain)

    return send


def _active(chosen: Sequence[Entity], specs: Specs, *, everything: bool) -> list[str]:
    """Names of the launch plans that become active: all of them, or those that say `auto_activate`."""
    if everything:
        return list(specs.launch_plans)
    return [one.name for one in chosen if isinstance(one, Plan) and one.settings.auto_activate]


def checked(chosen: Sequence[Entity], settings: SerializationSettings) -> Specs:
    """The specs of entities; with any fault all of them are shown, and the command ends."""
    specs, verdicts = compiled(chosen, settings)
    failed = [one for one in verdicts if one.faults]
    for verdict in failed:
        say(verdict)
    if failed:
        click.echo(f"{len(failed)} of {len(verdicts)} do not compile; nothing was registered", err=True)
        raise click.exceptions.Exit(1)
    return specs


def messages(specs: Specs) -> tuple[list[TaskSpec], list[WorkflowSpec], list[LaunchPlan]]:
    """What registers a program, in order."""
    tasks = cast("list[TaskSpec]", list(specs.tasks.values()))
    workflows = cast("list[WorkflowSpec]", list(specs.workflows.values()))
    return tasks, workflows, cast("list[LaunchPlan]", list(specs.launch_plans.values()))


def _keeper(config: Config) -> Send:
    def send(code: Code, copy: Copy) -> str:
        return ship(code, copy, Objects(), uris.join(config.data_prefix, BUNDLES))

    return send


async def _keep(config: Config, specs: Specs) -> None:
    """Register in the store of this machine."""
    house = furnish(config)
    try:
        made = entities.Specs.of(*messages(specs))
        for record in await entities.register(house.store, made, now=datetime.now(UTC), check=house.check):
            _tell(record.kind.replace("_", " "), record.name, True)
    finally:
        await house.aclose()


def _tell(kind: str, name: str, new: bool) -> None:
    click.echo(f"{click.style('✓', fg='green')} {kind} {name}{'' if new else '  (was there)'}", err=True)
