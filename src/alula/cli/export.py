"""`alula export FILE`: a package of protobuf files, as flytectl and other clients of Flyte register it."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import click
from google.protobuf.message import Message

from alula.cli.compile import Specs, registrable
from alula.cli.loading import loaded
from alula.cli.register import checked, messages, settings_of
from alula.cli.reports import reported
from alula.client.ordering import in_order
from alula.client.shipping import Copy
from alula.config import load
from alula.errors import ConfigError
from alula.idl import ResourceType
from alula.idl.admin import WorkflowSpec
from alula.serve.code import Code

_TIME = 315_532_800
"""Of all files: so the same program gives the same package."""
PROJECT, DOMAIN, VERSION = "{{ registration.project }}", "{{ registration.domain }}", "{{ registration.version }}"
"""What stands in ids for what the registration says. Source: flytectl, `register files`."""


@click.command()
@click.argument("target", metavar="FILE|MODULE")
@click.argument("entity", required=False)
@click.option("-o", "--output", default="flyte-package.tgz", metavar="FILE", help="The package.", show_default=True)
@click.option("-p", "--project", default=PROJECT, help="In the ids.  [default: the registration says it]")
@click.option("-d", "--domain", default=DOMAIN, help="In the ids.  [default: the registration says it]")
@click.option("--version", default=VERSION, help="In the ids.  [default: the registration says it]")
@click.option("-i", "--image", multiple=True, metavar="[NAME=]IMAGE", help="Of tasks that name none; or by name.")
@click.option("--bundle", default="", metavar="URI", help="Where the code lies that containers unpack.")
@click.pass_context
def export(ctx: click.Context, /, target: str, entity: str | None, output: str, bundle: str, **given: Any) -> None:
    """Write a package that registers the program at a stock Flyte: flytectl register files --archive FILE.

    Tasks run in their images there, which must have Alula and, unless --bundle says where it lies, the code.
    """
    program = loaded(target, ctx)
    with reported(f"exporting {program.shown}"):
        config = load()
        if not given["image"] and not config.images:
            raise ConfigError(
                "at a stock Flyte tasks run in containers, and no image is given",
                fix="say --image registry/name:tag, or write `default` below [images] in alula.toml",
            )

        def lies(code: Code, copy: Copy) -> str:
            return bundle

        copy = Copy.ALL if bundle else Copy.NONE
        settings = settings_of(program, config, lies, copy=copy, **given)
        specs = checked([program.find(entity)] if entity else registrable(program), settings)
        written = package(specs)
        try:
            Path(output).write_bytes(written)
        except OSError as exc:
            fix = "say where it may lie: --output FILE"
            raise ConfigError(f"the package cannot be written: {exc.strerror}", where=output, fix=fix) from exc
        counts = (f"{len(found)} {kind.replace('_', ' ')}" for kind, found in specs.kinds().items())
        click.echo(f"{output}: {', '.join(counts)}", err=True)


def package(specs: Specs) -> bytes:
    """The archive: a file for each entity, in the order in which they are registered; the same for the same specs.

    A name ends in the number of the kind: `_1.pb` is a task, `_2.pb` a workflow, `_3.pb` a launch plan.
    """
    tasks, workflows, plans = messages(specs)
    entries: list[tuple[str, int, Message]] = [(one.template.id.name, ResourceType.TASK, one) for one in tasks]
    for one in in_order(workflows, plans):
        if isinstance(one, WorkflowSpec):
            entries.append((one.template.id.name, ResourceType.WORKFLOW, one))
        else:
            entries.append((one.id.name, ResourceType.LAUNCH_PLAN, one))
    width = len(str(len(entries)))
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for nth, (name, kind, message) in enumerate(entries):
            _add(archive, f"{nth:0{width}}_{name.replace('/', '_')}_{int(kind)}.pb", message)
    return out.getvalue()


def _add(archive: tarfile.TarFile, name: str, message: Message) -> None:
    data = message.SerializeToString(deterministic=True)
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime = len(data), _TIME
    archive.addfile(entry, io.BytesIO(data))
