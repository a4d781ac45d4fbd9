"""Interfaces of tasks and workflows: how they read, whether two agree, and what differs."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from alula.idl import LiteralMap, TypedInterface, Variable, VariableMap
from alula.idl.casting import castable, why_not, why_unfit
from alula.idl.types import accepts_none, type_text

__all__ = ["castable", "diff", "explain", "match", "type_text", "unfit_values", "why_not", "why_unfit"]


def explain(interface: TypedInterface) -> str:
    """An interface in one line: `(n: int, names: list[str]) -> (o0: float)`."""
    return f"{_variables_text(interface.inputs)} -> {_variables_text(interface.outputs)}"


def match(a: TypedInterface, b: TypedInterface) -> bool:
    """Whether both have the same names with types that read the same; descriptions do not count."""
    return not diff(a, b)


def diff(old: TypedInterface, new: TypedInterface) -> list[str]:
    """What changed from one interface to another, one sentence each; empty when they match."""
    return [
        *_diff("input", old.inputs.variables, new.inputs.variables),
        *_diff("output", old.outputs.variables, new.outputs.variables),
    ]


def unfit_values(values: LiteralMap, declared: VariableMap) -> list[str]:
    """What is wrong with named values for declared variables, one line each with its name; empty when all is well.

    A variable that accepts None may be left out.
    """
    variables, given = declared.variables, values.literals
    faults = [f"{name}: there is no such variable" for name in given if name not in variables]
    for name, variable in variables.items():
        if name not in given:
            if not accepts_none(variable.type):
                faults.append(f"{name}: has no value (expected {type_text(variable.type)})")
        elif reason := why_unfit(given[name], variable.type):
            faults.append(f"{name}{'' if reason.startswith('[') else ': '}{reason}")
    return sorted(faults)


def _variables_text(variables: VariableMap) -> str:
    return f"({', '.join(f'{name}: {type_text(v.type)}' for name, v in sorted(variables.variables.items()))})"


def _full_text(variable: Variable) -> str:
    return type_text(variable.type, most=sys.maxsize)


def _diff(what: str, old: Mapping[str, Variable], new: Mapping[str, Variable]) -> list[str]:
    changes = []
    for name in sorted({*old, *new}):
        if name not in new:
            changes.append(f"{what} {name}: {type_text(old[name].type)} is gone")
        elif name not in old:
            changes.append(f"{what} {name}: {type_text(new[name].type)} is new")
        elif (before := _full_text(old[name])) != (after := _full_text(new[name])):
            changes.append(f"{what} {name}: {before} became {after}")
    return changes
