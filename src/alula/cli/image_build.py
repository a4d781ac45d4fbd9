"""`alula image build FILE`: the images of its tasks, by the container engine at hand."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from alula.cli.building import say_builds
from alula.cli.loading import loaded
from alula.cli.program import Program
from alula.cli.reach import reachable
from alula.cli.reports import reported
from alula.errors import ConfigError
from alula.sdk import image_builder
from alula.sdk.graph import Entity
from alula.sdk.image_spec import ImageBuildEngine, ImageSpec


@click.command()
@click.argument("target", metavar="FILE|MODULE")
@click.argument("entity", required=False)
@click.option("--dockerfile", is_flag=True, help="Print what would be built, and build nothing.")
@click.option("--force", is_flag=True, help="Build and push also what is there.")
@click.option("-q", "--quiet", is_flag=True, help="Print the names of the images only.")
@click.option("-v", "--verbose", is_flag=True, help="Print the whole log of each build.")
@click.pass_context
def build(ctx: click.Context, /, target: str, entity: str | None, **flags: bool) -> None:
    """Build what the tasks of a file or module say that they need: each ImageSpec that they name.

    An image that is there as its spec says is not built again. With registry= it is pushed. Images that specs have
    for their base come first.
    """
    program = loaded(target, ctx)
    try:
        found = _specs(program, entity)
    except ConfigError as exc:
        raise click.UsageError(str(exc), ctx) from None
    with reported(f"building the images of {target}"):
        if flags["dockerfile"]:
            for spec in found:
                click.echo(f"# {spec.image_name()}\n{image_builder.context(spec).dockerfile}")
            return
        said = say_builds(quiet=flags["quiet"], verbose=flags["verbose"])
        for spec in found:
            said.clear()
            ImageBuildEngine.build(spec.force_push() if flags["force"] else spec)
            if not said and not flags["quiet"]:
                click.echo(f"{click.style('·', dim=True)} {spec.image_name()} is there already", err=True)
            click.echo(spec.image_name())


def _specs(program: Program, entity: str | None) -> list[ImageSpec]:
    """The images of an entity and all that it calls, or of all in a program. Raises ConfigError: there is none."""
    found: dict[ImageSpec, None] = {}
    if entity:
        found |= dict.fromkeys(_of_entities([program.find(entity)]))
    else:
        found |= dict.fromkeys(_of_entities(program.entities[name] for name in program.own))
        values = vars(sys.modules[program.module]).values()
        found |= dict.fromkeys(value for value in values if isinstance(value, ImageSpec))
    if not found:
        raise ConfigError(
            f"{entity or program.shown} names no image to build",
            fix="say what a task needs: @task(container_image=ImageSpec(packages=[...]))",
        )
    return list(found)


def _of_entities(entities: Iterable[Entity]) -> Iterator[ImageSpec]:
    for entity in entities:
        for one in reachable(entity):
            task: Any = one
            for image in (getattr(getattr(task, "options", None), "container_image", None), getattr(task, "image", "")):
                if isinstance(image, ImageSpec):
                    yield image
