"""The words on a container's command line: those that Alula writes, and those that flytekit writes.

    alula-execute --inputs U --output-prefix U --raw-output-data-prefix U --resolver PATH -- WORDS...
    alula-map-execute ...                       the same, for one item of a mapped task
    alula-fast-execute --additional-distribution U --dest-dir D -- alula-execute ...

The programs of flytekit are called `pyflyte-execute`, `pyflyte-map-execute` and `pyflyte-fast-execute`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from alula.data import uris
from alula.errors import ConfigError
from alula.idl.containers import is_program

_OPTIONS = (
    "inputs",
    "output-prefix",
    "raw-output-data-prefix",
    "checkpoint-path",
    "prev-checkpoint",
    "resolver",
    "dynamic-addl-distro",
    "dynamic-dest-dir",
    "additional-distribution",
    "dest-dir",
    "max-concurrency",
)
_PLACES = frozenset(_OPTIONS[:5]) | {"dynamic-addl-distro", "additional-distribution"}
"""Options whose values are URIs; a local path may be relative to the working directory."""
_REQUIRED = ("inputs", "output-prefix", "resolver")


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a platform tells a container."""

    inputs: str
    output_prefix: str
    raw_output_data_prefix: str
    resolver: str
    loader_args: tuple[str, ...]
    checkpoint_path: str = ""
    prev_checkpoint: str = ""
    bundle: str = ""
    """A code bundle to unpack before the task is loaded."""
    destination: str = ""
    """Where it is unpacked; the working directory by default."""
    mapped: bool = False
    """Run one item of a mapped task; its index is in the environment."""
    rehearsal: bool = False
    """Read the command line, and do nothing (`--test`)."""


def parse(argv: Sequence[str]) -> Arguments:
    """A whole command line, the program first. Templates that nobody filled in (`{{.x}}`) count as absent.

    Raises:
        ConfigError: an argument is missing or unknown.
    """
    given: dict[str, str] = {}
    rest, mapped = list(argv), False
    while rest and is_program(rest[0]):
        mapped = mapped or "-map-" in rest[0]
        rest = _options(rest[1:], given, argv)
    given = {name: value for name, value in given.items() if value and not value.startswith("{{")}
    missing = [f"--{name}" for name in _REQUIRED if name not in given]
    if missing:
        raise ConfigError(
            f"{', '.join(missing)} is missing",
            where=" ".join(argv),
            fix="start tasks with the command in their template, every {{.template}} filled in",
        )
    for name in _PLACES & given.keys():
        given[name] = given[name].rstrip("/") if "://" in given[name] else os.path.abspath(given[name])
    return Arguments(
        inputs=given["inputs"],
        output_prefix=given["output-prefix"],
        raw_output_data_prefix=given.get("raw-output-data-prefix") or uris.join(given["output-prefix"], "raw"),
        resolver=given["resolver"],
        loader_args=tuple(rest),
        checkpoint_path=given.get("checkpoint-path", ""),
        prev_checkpoint=given.get("prev-checkpoint", ""),
        bundle=given.get("additional-distribution") or given.get("dynamic-addl-distro", ""),
        destination=given.get("dest-dir") or given.get("dynamic-dest-dir", ""),
        mapped=mapped,
        rehearsal="test" in given,
    )


def _options(words: list[str], given: dict[str, str], argv: Sequence[str]) -> list[str]:
    """Take the options off the front; what is left begins with another program, or is for the resolver."""
    while words:
        word, *words = words
        if word == "--":
            return words
        if not word.startswith("--"):
            return [word, *words]
        name, equals, value = word[2:].partition("=")
        if name == "test":
            given[name] = "yes"
        elif name in _OPTIONS and (equals or words):
            if not equals:
                value, *words = words
            given[name] = value
        else:
            what = "has no value" if name in _OPTIONS else "is unknown"
            raise ConfigError(
                f"--{name} {what}", where=" ".join(argv), fix=f"known are {', '.join(f'--{o}' for o in _OPTIONS)}"
            )
    return []
