"""The inputs of an entity as flags of a command, and flags and documents as its input literals."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alula._kits import bridge, lazy
from alula.cli import texts
from alula.cli.listing import shown_type
from alula.errors import ConversionError
from alula.idl import Literal, LiteralMap, LiteralType, SimpleType, packing
from alula.sdk.graph import Entity
from alula.sdk.signature import Input
from alula.types import maps
from alula.types.transformer import Place

if TYPE_CHECKING:
    from click import shell_completion
else:
    shell_completion = lazy.module("click.shell_completion")  # only a shell that completes comes there

PREFIX = "input_"
"""Before the name of an input among the parameters of its command, where options of `alula run` are too."""


def options(entity: Entity) -> list[InputFlag]:
    """One flag for each input, in order of declaration. Whether one is missing is not click's business."""
    return [InputFlag(one, entity) for one in entity.interface.inputs.values()]


def flags(name: str) -> list[str]:
    """The spellings of an input's flag, the one with dashes first."""
    return list(dict.fromkeys([f"--{name.strip('_').replace('_', '-') or name}", f"--{name}"]))


def read_document(path: str) -> dict[str, Any]:
    """The inputs in a JSON or YAML file, or on standard input (`-`), by name.

    Raises:
        ConversionError: it cannot be read, or is no object.
    """
    where = "standard input" if path == "-" else path
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else ""
        raise ConversionError(f"the inputs cannot be read: {why or exc}", where=where) from None
    data = texts.document(text, path)
    if not isinstance(data, dict):
        raise ConversionError(
            f"the inputs are {type(data).__name__}, and must be an object",
            where=where,
            fix='write {"name": value, ...}',
        )
    return data


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one input."""

    flag: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.flag} {self.what}" + (f"; {self.fix}" if self.fix else "")


class InputFaults(click.UsageError):
    """Everything that is wrong with the inputs of one command line."""

    def __init__(self, entity: Entity, faults: list[Fault]) -> None:
        shown = [str(fault) for fault in faults]
        message = shown[0] if len(shown) == 1 else f"{len(shown)} inputs are wrong:\n  " + "\n  ".join(shown)
        super().__init__(message)
        self.entity, self.faults = entity, faults


def literals(
    entity: Entity, given: Mapping[str, str | bool], document: Mapping[str, Any], place: Place, now: datetime
) -> LiteralMap:
    """The inputs of a run. What is left out and has a default is left out.

    Args:
        entity: What will run.
        given: Texts of flags by input name; a boolean's flag is a boolean. They count before the document.
        document: Values by input name, as JSON or YAML has them.
        place: Where blobs go.
        now: What `now` means in a time.

    Raises:
        InputFaults: with everything that is missing, unknown or does not fit.
    """
    inputs = entity.interface.inputs
    named = {key if key in inputs else key.replace("-", "_"): value for key, value in document.items()}
    faults = [Fault(repr(key), "is no input", _known(entity)) for key in named if key not in inputs]
    made = LiteralMap()
    for name, one in inputs.items():
        lt = one.converter.literal_type
        try:
            if name in given:
                text = given[name]
                data = texts.from_text(text, lt, now) if isinstance(text, str) else text
            elif name in named:
                data = texts.from_data(named[name], lt, now)
            elif one.required:
                faults.append(Fault(flags(name)[0], f"is missing ({described_type(one)})"))
                continue
            else:
                continue
            made.literals[name].CopyFrom(_literal(data, one, place))
        except ConversionError as exc:
            path = f"{exc.path}: " if exc.path else ""
            faults.append(Fault(flags(name)[0], f"is wrong: {path}{exc.what}", exc.fix))
    if faults:
        raise InputFaults(entity, faults)
    return made


def described_type(one: Input) -> str:
    """The type of an input in words: what a shell takes, and what Python declares where that says more."""
    word, declared = texts.shape(one.converter.literal_type), shown_type(one.type)
    return declared if "JSON" in word else word


def _literal(data: Any, one: Input, place: Place) -> Literal:
    """Plain data as a literal that the input's type accepts. Raises ConversionError."""
    converter = one.converter
    if _is_direct(converter.literal_type):
        lit = packing.literal_of(data, converter.literal_type)
    else:
        kind = place.types.packing(one.type)
        value = kind.unpack(data, place)
        lit = maps.literal(bridge.run(value) if kind.awaits else value, converter, place)
    if not converter.awaits:
        converter.to_python(lit, place)
    return lit


def _is_direct(lt: LiteralType) -> bool:
    """Whether plain data says all, so that no Python value has to be made: a big table is not read here."""
    kind = lt.WhichOneof("type")
    return kind in ("enum_type", "blob", "structured_dataset_type") or (
        kind == "simple" and lt.simple != SimpleType.STRUCT
    )


class _Text(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """A text that is read later, when all of them are; its name shows what it should look like."""

    def __init__(self, one: Input) -> None:
        self._one = one
        self.name = texts.shape(one.converter.literal_type)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return self.name

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[shell_completion.CompletionItem]:
        known = list(_choices(self._one.converter.literal_type))
        if known:
            return [shell_completion.CompletionItem(word) for word in known if word.startswith(incomplete)]
        kind = {"FILE": "file", "TABLE": "file", "DIRECTORY": "dir"}.get(self.name, "")
        return [shell_completion.CompletionItem(incomplete, type=kind)] if kind else []


def _choices(lt: LiteralType) -> Iterator[str]:
    yield from texts.choices(lt)
    for variant in lt.union_type.variants:
        yield from texts.choices(variant)


class InputFlag(click.Option):
    """The flag of one input. It may be spelled with dashes or underscores; help shows dashes."""

    def __init__(self, one: Input, entity: Entity) -> None:
        names = flags(one.name)
        pair = f"no_{one.name}" not in entity.interface.inputs  # else --no-x would mean two things
        boolean = pair and texts.shape(one.converter.literal_type) == "BOOLEAN"
        if boolean:
            names = [f"{flag}/--no-{flag[2:]}" for flag in names]
        super().__init__(
            [*names, f"{PREFIX}{one.name}"],
            type=None if boolean else _Text(one),
            default=None,
        )
        self._one, self._entity = one, entity
        self._spelled = (
            names[0].replace("/", " / ") if boolean else f"{names[0]} {texts.shape(one.converter.literal_type)}"
        )

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        described = self._entity.interface.doc.inputs.get(self._one.name, "")  # reading docstrings takes its time
        return self._spelled, _help(self._one, described)


def _help(one: Input, described: str) -> str:
    shape = texts.shape(one.converter.literal_type)
    notes = [shown_type(one.type)] if "JSON" in shape else []
    notes.append("required" if one.required else f"default: {_shown(one.default)}")
    text = " ".join(described.split())
    return f"{text}  [{'; '.join(notes)}]" if text else f"[{'; '.join(notes)}]"


def _shown(default: Any) -> str:
    if isinstance(default, Enum):
        return str(default.value)
    text = str(default) if isinstance(default, str) and default else repr(default)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _known(entity: Entity) -> str:
    names = ", ".join(entity.interface.inputs)
    return f"the inputs are {names}" if names else "there are no inputs"
