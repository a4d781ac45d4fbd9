"""What is shown while images are built."""

from __future__ import annotations

import click

from alula.cli.aside import aside
from alula.sdk.image_builder import DockerBuilder
from alula.sdk.image_spec import DOCKER, ImageBuildEngine

_WIDTH = 110


def say_builds(*, quiet: bool = False, verbose: bool = False) -> list[str]:
    """Have the builder of this process show its steps; the lines that it has said so far, to look at.

    A builder that somebody registered for Docker stays.
    """
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if not quiet and (verbose or line.startswith("Step ")):
            shown = line if verbose or len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"
            aside(click.style(shown, dim=True))

    if DOCKER not in ImageBuildEngine.builders:
        ImageBuildEngine.register(DOCKER, DockerBuilder(say), priority=1)
    return said
