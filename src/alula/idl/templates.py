"""Command lines of containers, with what Flyte's templates stand for filled in: `{{.Input}}`, `{{.Inputs.x}}`, ...

Each argument stays one argument, whatever is put into it, and what was put in is not looked at again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgpack

from alula.errors import ConversionError
from alula.idl import Literal, LiteralMap, TaskTemplate, literals
from alula.idl.containers import of

_TEMPLATE = re.compile(r"\{\{\s*[.$]\s*([^\s{}]+)\s*\}\}")
_INPUTS = "inputs."
NAMES = (
    "Input",
    "InputPrefix",
    "OutputPrefix",
    "RawOutputDataPrefix",
    "PerRetryUniqueKey",
    "TaskTemplatePath",
    "PrevCheckpointPrefix",
    "CheckpointOutputPrefix",
    "Namespace",
)
"""What there is besides the inputs. Case does not matter."""


def fill(words: Sequence[str], known: Mapping[str, str], inputs: bytes | LiteralMap, *, task: str) -> list[str]:
    """Words of a command line, ready to be run, or values of variables. Templates of other names stay as they are.

    Args:
        known: What `NAMES` stand for, by name in lower case.
        inputs: A LiteralMap, or a serialized one, which is looked into only if it is asked for.
        task: Its name, for messages.

    Raises:
        ConversionError: Inputs that are not there, or are no text; all of them at once.
    """
    values = _Values(known, inputs)
    filled = [_TEMPLATE.sub(values.of, item) for item in words]
    if values.faults:
        faults = list(dict.fromkeys(values.faults))
        raise ConversionError(
            f"the command line of task '{task}' cannot be filled in: {'; '.join(faults)}",
            where=" ".join(words)[:200],
            fix="name inputs of the task whose values are numbers, text, times, files, or lists of these",
        )
    return filled


def uses(words: Iterable[str], name: str) -> bool:
    """Whether words have a template of that name, so that what it stands for must be there."""
    wanted = name.lower()
    return any(found.lower() == wanted for item in words for found in _TEMPLATE.findall(item))


def inputs_in(words: Iterable[str]) -> set[str]:
    """The inputs that words ask for."""
    found = (name for item in words for name in _TEMPLATE.findall(item))
    return {name[len(_INPUTS) :] for name in found if name.lower().startswith(_INPUTS)}


def words_of(template: TaskTemplate) -> list[str]:
    """Everything in a task's container that may hold templates: its command, arguments and values of variables."""
    container = of(template)
    return [*container.command, *container.args, *(pair.value for pair in container.env)]


def as_text(lit: Literal) -> str:
    """A value as it stands in a command line. Raises ConversionError for what has no such form."""
    lit = literals.unpacked(lit)
    kind = literals.kind(lit)
    if kind == "collection":
        return f"[{','.join(map(as_text, lit.collection.literals))}]"
    form = _FORMS.get(kind)
    if form is None:
        raise ConversionError(f"a value of kind {kind or 'nothing'} has no form in a command line")
    return form(lit)


class _Values:
    """What templates stand for, and what is wrong with them."""

    def __init__(self, known: Mapping[str, str], inputs: bytes | LiteralMap) -> None:
        self.faults: list[str] = []
        self._known = known
        self._given = inputs
        self._inputs: Mapping[str, Literal] | None = None

    def of(self, match: re.Match[str]) -> str:
        name = match[1]
        if name.lower().startswith(_INPUTS):
            return self._input(name[len(_INPUTS) :], match[0])
        return self._known.get(name.lower(), match[0])

    def _input(self, name: str, whole: str) -> str:
        if self._inputs is None:
            given = self._given
            self._inputs = (LiteralMap.FromString(given) if isinstance(given, bytes) else given).literals
        if name not in self._inputs:
            there = ", ".join(sorted(self._inputs)) or "none"
            self.faults.append(f"{whole} names no input; there is {there}")
            return whole
        try:
            return as_text(self._inputs[name])
        except ConversionError as exc:
            self.faults.append(f"{whole}: {exc.what}")
            return whole


def unique_key(name: str) -> str:
    """A name as an identifier that any system takes: letters, digits and underscores, a letter first."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", re.sub(r"^[^A-Za-z]+", "a", name))


def _float(lit: Literal) -> str:
    return repr(lit.scalar.primitive.float_value).removesuffix(".0")


def _datetime(lit: Literal) -> str:
    text = str(lit.scalar.primitive.datetime.ToJsonString())
    return re.sub(r"\.?0+Z$", "Z", text) if "." in text else text


def _duration(lit: Literal) -> str:
    span = lit.scalar.primitive.duration
    parts = [f"{name}:{value}" for name, value in (("seconds", span.seconds), ("nanos", span.nanos)) if value]
    return " ".join(parts)


def _packed(lit: Literal) -> str:
    if lit.scalar.binary.tag != "msgpack":
        raise ConversionError(f"bytes tagged {lit.scalar.binary.tag!r} have no form in a command line")
    value = msgpack.unpackb(lit.scalar.binary.value, strict_map_key=False)
    return json.dumps(value, default=str, ensure_ascii=False)


_FORMS: Mapping[str, Callable[[Literal], str]] = {
    "integer": lambda lit: str(lit.scalar.primitive.integer),
    "float_value": _float,
    "boolean": lambda lit: str(lit.scalar.primitive.boolean).lower(),
    "string_value": lambda lit: lit.scalar.primitive.string_value,
    "datetime": _datetime,
    "duration": _duration,
    "blob": lambda lit: lit.scalar.blob.uri,
    "schema": lambda lit: lit.scalar.schema.uri,
    "structured_dataset": lambda lit: lit.scalar.structured_dataset.uri,
    "binary": _packed,
}
