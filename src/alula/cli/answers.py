"""Answers to gates, as they are written on a command line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from alula.cli import texts
from alula.cli.reach import reachable
from alula.errors import ConfigError, ConversionError
from alula.sdk.dynamic import DynamicTask
from alula.sdk.gate import ApproveGate, Gate, InputGate
from alula.sdk.graph import Entity
from alula.sdk.texts import parse, yes
from alula.types.transformer import Place


def typed(entity: Entity, answers: Mapping[str, str], place: Place) -> dict[str, Any]:
    """The answers as values of what their gates wait for.

    Gates that a dynamic task will make are not known yet: their answers are read as YAML.

    Raises:
        ConfigError: there is no such gate, or it does not take such an answer.
    """
    if not answers:
        return {}
    gates: dict[str, Gate] = {}
    open_ended = False
    for one in reachable(entity):
        if isinstance(one, Gate):
            gates[one.name] = one
        open_ended = open_ended or isinstance(one, DynamicTask)
    unknown = [name for name in answers if name not in gates]
    if unknown and not open_ended:
        close = difflib.get_close_matches(unknown[0], gates, n=1, cutoff=0.4)
        raise ConfigError(
            f"--answer {unknown[0]}: there is no such gate",
            where=f"the gates of {entity.short_name} are {', '.join(gates) or 'none'}",
            fix=f"did you mean {close[0]}?" if close else "",
        )
    return {name: _value(gates.get(name), name, text, place) for name, text in answers.items()}


def _value(gate: Gate | None, name: str, text: str, place: Place) -> Any:
    try:
        match gate:
            case ApproveGate():
                return yes(text)
            case InputGate():
                return parse(text, gate.output.type, place)
            case _:
                return texts.document(text, "")
    except (ConversionError, ValueError) as exc:
        raise ConfigError(f"--answer {name}: {exc}") from None
