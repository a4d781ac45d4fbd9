"""The command lines that flytekit writes into its tasks' containers, as they are run on this machine.

`pyflyte-fast-execute` fetches a code bundle and starts `pyflyte-execute`, a second interpreter. Here the bundle is
there already, so only the second command is run; it is told where the bundle came from, as the first one would tell
it, for the tasks that a dynamic task makes. Source: flytekit `bin/entrypoint.py`.

It also runs where only flytekit's packages are installed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from alula.errors import ConfigError
from alula.idl import LiteralMap

EXECUTE, EXECUTE_MAPPED, FAST = "pyflyte-execute", "pyflyte-map-execute", "pyflyte-fast-execute"

_TEMPLATE = re.compile(r"\{\{\s*[.$]\s*([^\s{}]+)\s*\}\}")
_INPUTS = "inputs."
_DIALECT = "_F_SS_C"
"""A variable that flytekit gives to the containers of tasks that compile others when they run."""


@dataclass(frozen=True, slots=True)
class Command:
    """What starts one task of flytekit's."""

    program: str
    """Its name, without a directory."""
    words: tuple[str, ...]
    """What follows it, with templates to be filled in."""

    @property
    def mapped(self) -> bool:
        """It runs one element of a map."""
        return self.program == EXECUTE_MAPPED


def read(words: Sequence[str]) -> Command:
    """The command behind a container's command and arguments.

    Raises:
        ConfigError: It is none of flytekit's.
    """
    rest, given = list(words), dict[str, str]()
    if rest and PurePath(rest[0]).name == FAST:
        rest = _options(rest[1:], given)
    if not rest or PurePath(rest[0]).name not in (EXECUTE, EXECUTE_MAPPED):
        raise ConfigError(
            f"{' '.join(words)[:80]!r} is no command of flytekit's that runs a task",
            fix=f"register the task again; its container begins with {FAST}, {EXECUTE} or {EXECUTE_MAPPED}",
        )
    program, rest = PurePath(rest[0]).name, rest[1:]
    bundle = given.get("additional-distribution", "")
    if bundle and "--resolver" in rest:
        at = rest.index("--resolver")
        told = ["--dynamic-addl-distro", bundle, "--dynamic-dest-dir", given.get("dest-dir") or "."]
        rest[at:at] = told
    return Command(program, tuple(rest))


def compiles(variables: Mapping[str, str]) -> bool:
    """Whether a task with these variables makes others when it runs: flytekit can do that once in a process."""
    return _DIALECT in variables


def fill(words: Sequence[str], places: Mapping[str, str], inputs: bytes) -> list[str]:
    """A command line, ready to be run. Templates of other names stay as they are.

    Args:
        places: What templates stand for, by name in small letters.
        inputs: The LiteralMap for `{{.inputs.x}}`, of which numbers, texts and URIs can be had.
    """
    literals = LiteralMap.FromString(inputs).literals if any("nputs." in word for word in words) else {}

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name.lower().startswith(_INPUTS) and name[len(_INPUTS) :] in literals:
            return _text(literals[name[len(_INPUTS) :]]) or match[0]
        return places.get(name.lower(), match[0])

    return [_TEMPLATE.sub(value, word) for word in words]


def _options(words: list[str], given: dict[str, str]) -> list[str]:
    """Take the options of `pyflyte-fast-execute` off the front."""
    while words:
        word, *words = words
        if word == "--":
            break
        if not word.startswith("--"):
            return [word, *words]
        name, equals, value = word[2:].partition("=")
        if not equals and words:
            value, *words = words
        given[name] = value
    return words


def _text(lit: object) -> str:
    scalar = getattr(lit, "scalar", None)
    match scalar.WhichOneof("value") if scalar is not None else None:
        case "primitive":
            primitive = scalar.primitive  # type: ignore[union-attr]
            found = getattr(primitive, primitive.WhichOneof("value"))
            return found.ToJsonString() if hasattr(found, "ToJsonString") else str(found)
        case "blob" | "structured_dataset" | "schema" as kind:
            return str(getattr(scalar, kind).uri)
    return ""
