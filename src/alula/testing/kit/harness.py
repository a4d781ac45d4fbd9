"""What an author gives the kit: a plugin, a remote to play with, and tasks whose results are known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from google.protobuf.json_format import ParseDict

from alula._kits.clock import Clock, SystemClock
from alula.errors import ConversionError
from alula.idl import (
    Identifier,
    Literal,
    LiteralMap,
    LiteralType,
    ResourceType,
    SimpleType,
    TaskTemplate,
    TypedInterface,
    Variable,
    VariableMap,
    literals,
)
from alula.plugin.core import Plugin
from alula.plugin.phase import Json

PROJECT, DOMAIN, VERSION = "kit", "development", "v1"


@dataclass(frozen=True, slots=True)
class Case:
    """A task, what it is given, and what it must come to.

    Values are plain ones (int, float, str, bool, datetime, timedelta, None, lists and dicts of these), or literals.
    """

    task_type: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] | Callable[[LiteralMap], bool] = field(default_factory=dict)
    """What it must come to; a function that looks at it, where that cannot be said beforehand."""
    custom: Mapping[str, Json] = field(default_factory=dict)
    """`TaskTemplate.custom`."""
    template: TaskTemplate | None = None
    """The whole template, where the fields above cannot say it: containers, types that plain values do not show."""

    def task(self, name: str) -> TaskTemplate:
        """The template, under a name."""
        made = TaskTemplate()
        if self.template is not None:
            made.CopyFrom(self.template)
        else:
            made.type = self.task_type
            made.interface.CopyFrom(_interface(self.inputs, self.outputs))
            ParseDict(dict(self.custom), made.custom)
        made.id.CopyFrom(
            Identifier(resource_type=ResourceType.TASK, project=PROJECT, domain=DOMAIN, name=name, version=VERSION)
        )
        return made

    def given(self) -> LiteralMap:
        return literals.literal_map({name: as_literal(value) for name, value in self.inputs.items()})

    def fits(self, found: LiteralMap) -> bool:
        """Whether these are the outputs that it must come to."""
        if callable(self.outputs):
            return self.outputs(found)
        wanted = {name: as_literal(value) for name, value in self.outputs.items()}
        same = set(wanted) == set(found.literals)
        return same and all(literals.equal(lit, found.literals[name]) for name, lit in wanted.items())


class Remote(ABC):
    """Where the jobs of a plugin run, as the kit sees it: one that is new and empty for every run."""

    @abstractmethod
    def live(self) -> Sequence[str]:
        """The names of the jobs that run or wait to, by `TaskContext.name`; one that two jobs have, twice."""

    def finish(self, name: str) -> None:  # noqa: B027 - may be left out
        """Have a live job succeed now. Nothing, where jobs end by themselves."""

    def fail(self, name: str) -> None:
        """Have a live job fail now, so that another attempt may succeed, at the user's cost. Leave it out where jobs
        cannot be made to fail: what needs it is then not tried."""
        raise NotImplementedError

    def close(self) -> None:  # noqa: B027 - may be left out
        """The run is over."""


class Nowhere(Remote):
    """The remote of plugins that leave nothing running: one call, and that was all."""

    def live(self) -> Sequence[str]:
        return ()


class Harness(ABC):
    """One plugin, ready to be verified. Subclass it, and name it in the entry points `alula.conformance`.

    Example:
        class Conformance(Harness):
            def remote(self):
                return FakeCloud()

            def plugin(self, remote):
                return CloudPlugin(remote)

            def cases(self):
                return [Case("cloud_job", inputs={"x": 1}, outputs={"y": 2})]
    """

    clock: Clock = SystemClock()
    """The time in which runs take place, for remotes that look at it. The kit sets it before `remote` is called."""
    pace: float = 0.0
    """0: the plugin does no real I/O, and time is virtual. Else it talks to a real server: so many seconds pass for the
    engine in one real second while no call is under way, and fewer faults are tried."""
    seconds: float = 60.0
    """How long a verification may take; a real server leaves no time for all pairs of faults."""
    ends_by_itself: bool = False
    """Jobs succeed without `Remote.finish`, so none can be had that goes on until it is stopped."""
    aborts_within: timedelta = timedelta(seconds=5)

    @property
    def name(self) -> str:
        """For reports."""
        return type(self).__name__

    def remote(self) -> Remote:
        """A new remote, with no jobs. Of a real server: a way to it, that knows only the jobs of this run."""
        return Nowhere()

    @abstractmethod
    def plugin(self, remote: Any) -> Plugin:
        """A new plugin that talks to this remote. Called again after each crash."""

    @abstractmethod
    def cases(self) -> Sequence[Case]:
        """Tasks whose outcome is known: at least one. All are run; faults are tried on the first."""

    def secrets(self) -> Mapping[str, str]:
        """Secrets that the plugin must be given as they are: by `group/key` or `key`. All others are canaries."""
        return {}


def as_literal(value: Any) -> Literal:
    """A plain value as a literal. Raises ConversionError for what is not plain."""
    match value:
        case Literal():
            return value
        case None:
            return literals.none()
        case bool():
            return literals.boolean(value)
        case int():
            return literals.integer(value)
        case float():
            return literals.floating(value)
        case str():
            return literals.string(value)
        case datetime():
            return literals.timestamp(value)
        case timedelta():
            return literals.duration(value)
        case list() | tuple():
            return literals.collection([as_literal(item) for item in value])
        case dict():
            return literals.mapping({name: as_literal(item) for name, item in value.items()})
    raise ConversionError(
        f"a case cannot have a value of type {type(value).__name__}: {value!r:.100}",
        fix="give a literal of alula.idl, and the types in `template`",
    )


_TYPES = {
    "integer": SimpleType.INTEGER,
    "float_value": SimpleType.FLOAT,
    "string_value": SimpleType.STRING,
    "boolean": SimpleType.BOOLEAN,
    "datetime": SimpleType.DATETIME,
    "duration": SimpleType.DURATION,
    "none_type": SimpleType.NONE,
}


def _type(lit: Literal) -> LiteralType:
    kind = literals.kind(lit)
    if kind == "collection":
        return LiteralType(collection_type=_type(lit.collection.literals[0]))
    if kind == "map":
        return LiteralType(map_value_type=_type(next(iter(lit.map.literals.values()))))
    if kind == "structured_dataset":
        return LiteralType(structured_dataset_type=lit.scalar.structured_dataset.metadata.structured_dataset_type)
    if kind == "blob":
        return LiteralType(blob=lit.scalar.blob.metadata.type)
    if kind not in _TYPES:
        raise ConversionError(f"the type of a literal of kind {kind!r} cannot be told", fix="give a whole `template`")
    return LiteralType(simple=_TYPES[kind])


def _interface(inputs: Mapping[str, Any], outputs: Any) -> TypedInterface:
    def variables(values: Mapping[str, Any]) -> VariableMap:
        return VariableMap(variables={name: Variable(type=_type(as_literal(value))) for name, value in values.items()})

    if callable(outputs):
        raise ConversionError("outputs that a function looks at have no type", fix="give a whole `template`")
    return TypedInterface(inputs=variables(inputs), outputs=variables(outputs))
