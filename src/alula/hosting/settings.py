"""The operator's settings of a plugin: what is written below `[backends.<name>]`, as its dataclass."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from alula.errors import ConfigError, PluginError, Rejected
from alula.plugin import typed

T = TypeVar("T")


def settings(given: Mapping[str, Any], kind: type[T], *, what: str) -> T:
    """A section as a dataclass. Text may stand for other values, as environment variables do.

    Raises:
        ConfigError: It does not fit, with every fault.
    """
    try:
        return typed.read(_of_text(given, kind), kind, what=f"[backends.{what}]")
    except (Rejected, PluginError) as exc:
        raise ConfigError(exc.what, fix=f"[backends.{what}] takes: {_keys(kind)}") from exc


def _keys(kind: type) -> str:
    return ", ".join(one.name for one in fields(kind)) if is_dataclass(kind) else kind.__name__


def _of_text(given: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Settings with text from environment variables read as what is declared."""
    made = dict(given)
    if not is_dataclass(kind):
        return made
    hints = get_type_hints(kind)
    for name, value in given.items():
        if not isinstance(value, str) or name not in hints:
            continue
        shape, faults = typed.shape_of(hints[name]), list[str]()
        shape.read(value, name, faults)
        for other in _readings(value) if faults else ():
            wrong: list[str] = []
            shape.read(other, name, wrong)
            if not wrong:
                made[name] = other
                break
    return made


def _readings(text: str) -> list[Any]:
    """What a text may stand for."""
    found: list[Any] = []
    with suppress(ValueError):
        found.append(json.loads(text))
    low = text.strip().lower()
    if low in ("true", "yes", "1", "false", "no", "0"):
        found.append(low in ("true", "yes", "1"))
    found.append([part.strip() for part in text.split(",") if part.strip()])
    return found
