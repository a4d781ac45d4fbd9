"""What a program holds, as lines."""

from __future__ import annotations

import re

import click

from alula.cli.program import Program, kind_of
from alula.sdk.graph import Entity
from alula.types.transformer import split, type_name

_MODULES = re.compile(r"(?P<text>'[^']*')|\b(?:[A-Za-z_]\w*\.)+")


def listing(program: Program) -> str:
    """The entities of a program: kind, name, signature, and the first line of its docstring."""
    if not program.own:
        return f"{program.shown} has no task, workflow or launch plan"
    rows = [(kind_of(entity), name, signature(entity), entity.interface.doc.short) for name, entity in _own(program)]
    kinds, names = (max(len(row[i]) for row in rows) for i in (0, 1))
    lines = []
    for kind, name, sig, doc in rows:
        lines.append(
            f"{click.style(f'{kind:<{kinds}}', dim=True)}  {click.style(f'{name:<{names}}', bold=True)}  {sig}"
        )
        if doc:
            lines.append(click.style(f"{'':<{kinds + 2}}{doc}", dim=True))
    return "\n".join(lines)


def signature(entity: Entity) -> str:
    """Inputs with their types and defaults, and outputs: `(a: int, b: str = 'x') -> float`."""
    interface = entity.interface
    inputs = [
        f"{name}: {shown_type(one.type)}" + ("" if one.required else f" = {one.default!r:.40}")
        for name, one in interface.inputs.items()
    ]
    outputs = [
        shown_type(one.type) if name == f"o{i}" else f"{name}: {shown_type(one.type)}"
        for i, (name, one) in enumerate(interface.outputs.items())
    ]
    result = f"({', '.join(outputs)})" if interface.as_tuple or len(outputs) > 1 else "".join(outputs)
    return f"({', '.join(inputs)})" + (f" -> {result}" if result else "")


def shown_type(t: object) -> str:
    """A declared type as its author wrote it: without metadata, and without the modules of its classes."""
    return _MODULES.sub(lambda found: found["text"] or "", type_name(split(t)[0]))


def _own(program: Program) -> list[tuple[str, Entity]]:
    return [(name, program.entities[name]) for name in program.own]
