"""What can go wrong at a call of a plugin: every kind there is, and at which calls each may happen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from alula.plugin.core import CorePlugin, Plugin, SyncPlugin
from alula.plugin.k8s import K8sPlugin
from alula.plugin.webapi import WebApiPlugin


class Kind(StrEnum):
    """What happens at one call. The value is a sentence about the call."""

    BEFORE = "fails before it took effect"
    LOST = "takes effect, and its answer is lost"
    LATE = "answers with an error, and takes effect a while later"
    HANGS = "never answers, and has no effect"
    MUTE = "takes effect, and never answers"
    TWICE = "is made twice"
    STALE = "gives the answer of before"
    SLOW = "takes its time"
    GARBAGE = "takes effect, and answers garbage"
    RAISES = "raises what no contract knows"
    THROTTLED = "is throttled"
    REJECTED = "is refused for good"
    OUTAGE = "fails, and so does every call for six minutes"
    BLACKOUT = "fails, and so does every call for an hour"
    RENEWED = "is cut off: the plugin is torn down and made anew"
    STOPPED = "finds its engine stopping in good order; another one follows"
    KILLED_BEFORE = "does not happen: the engine is killed before it"
    KILLED_AFTER = "takes effect, and the engine is killed before it hears of it"
    KILLED_LATE = "takes effect a while after the engine was killed in it"


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that goes wrong: at the nth call of a method in a run, from 1."""

    call: str
    nth: int
    kind: Kind

    def __str__(self) -> str:
        return f"{self.call} #{self.nth} {self.kind}"


_NO_IO = (Kind.RAISES, Kind.GARBAGE, Kind.TWICE, Kind.KILLED_BEFORE, Kind.KILLED_AFTER)
_ANY = (
    Kind.BEFORE,
    Kind.LOST,
    Kind.HANGS,
    Kind.MUTE,
    Kind.SLOW,
    Kind.GARBAGE,
    Kind.RAISES,
    Kind.THROTTLED,
    Kind.OUTAGE,
    Kind.BLACKOUT,
    Kind.RENEWED,
    Kind.STOPPED,
    Kind.KILLED_BEFORE,
    Kind.KILLED_AFTER,
)
_SERVER = tuple(kind for kind in _ANY if kind not in (Kind.GARBAGE, Kind.RAISES, Kind.RENEWED))
_OPEN = (Kind.BEFORE, Kind.HANGS, Kind.SLOW, Kind.RAISES, Kind.KILLED_BEFORE, Kind.KILLED_AFTER)
KINDS: dict[str, tuple[Kind, ...]] = {
    "open": _OPEN,
    # of a WebApiPlugin
    "create": (*_ANY, Kind.LATE, Kind.KILLED_LATE, Kind.REJECTED),
    "find": (*_ANY, Kind.TWICE),
    "get": (*_ANY, Kind.TWICE, Kind.STALE),
    "delete": (*_ANY, Kind.TWICE, Kind.LATE),
    "outputs": (*_ANY, Kind.TWICE),
    # of a CorePlugin
    "handle": (*_ANY, Kind.TWICE, Kind.REJECTED),
    "abort": (*_ANY, Kind.TWICE),
    "finalize": (*_ANY, Kind.TWICE),
    # of a SyncPlugin
    "do": (*_ANY, Kind.TWICE, Kind.REJECTED),
    # without any I/O
    "phase": _NO_IO,
    "build": (Kind.TWICE, Kind.KILLED_BEFORE, Kind.KILLED_AFTER, Kind.REJECTED),
    # the requests that a K8sPlugin has made for it
    "apply": (*_SERVER, Kind.LATE, Kind.KILLED_LATE),
    "remove": (*_SERVER, Kind.LATE),
    "patch": _SERVER,
    "look": _SERVER,
    "list": _SERVER,
    "watch": _SERVER,
}
"""What can happen at each call. `create` is made twice only where the plugin says that this is harmless."""

EFFECTS = ("create", "delete", "handle", "abort", "finalize", "do", "apply", "remove")
"""Calls that change something at the remote: what goes wrong there is tried together with a second fault."""
DEADLY = (Kind.STOPPED, Kind.KILLED_BEFORE, Kind.KILLED_AFTER, Kind.KILLED_LATE)
"""After these another engine goes on."""


def calls_of(plugin: Plugin) -> tuple[str, ...]:
    """The calls of the contract that a plugin fulfils."""
    match plugin:
        case WebApiPlugin():
            return "open", "create", "find", "get", "phase", "outputs", "delete"
        case CorePlugin():
            return "open", "handle", "abort", "finalize"
        case SyncPlugin():
            return "open", "do"
        case K8sPlugin():
            return "open", "build", "phase"
    return ("open",)


def kinds_of(plugin: Plugin, call: str) -> tuple[Kind, ...]:
    """What can happen at a call of this plugin."""
    kinds = KINDS[call]
    if call == "create" and isinstance(plugin, WebApiPlugin):
        if plugin.idempotent_create:
            kinds = (*kinds, Kind.TWICE)
        if not plugin.limits.settle:
            kinds = tuple(kind for kind in kinds if kind not in (Kind.LATE, Kind.KILLED_LATE))
    return kinds
