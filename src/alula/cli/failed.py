"""An execution that did not end well, for people: the node, their own frames, the error, and what to do next. Pure."""

from __future__ import annotations

from pathlib import Path

import click

from alula._kits.records import replace
from alula.cli.card import ABORTED, FAILED, OK, TIMEOUT, short_path
from alula.cli.traces import read
from alula.cli.width import clean
from alula.client.ending import late, logs_of
from alula.engine.state import Failure, NodePhase

_LONGEST = 40
"""Lines of an error's own text that are shown."""


def card(name: str, title: str, phase: str, failure: Failure, *, verbose: bool = False) -> str:
    """What is printed for an execution that failed, timed out or was aborted.

    Args:
        name: Of the execution.
        title: What ran: `workflow train`.
        phase: How it ended.
        verbose: The message as it is.
    """
    failure = replace(failure, message="\n".join(map(clean, failure.message.splitlines())))
    node = f" in node {failure.path}" if failure.path else ""
    if phase == NodePhase.ABORTED:
        return f"{click.style('⊘', fg='yellow')} {title} aborted{_named(name)}: {failure.message}"
    said = "took too long" if phase == NodePhase.TIMED_OUT else "failed"
    lines = [f"{click.style('✗', fg='red')} {click.style(f'{title} {said}', bold=True)}{node}{_named(name)}", ""]
    if verbose:
        lines += [f"  {line}" for line in failure.message.splitlines()]
    else:
        lines += [f"  {line}".rstrip() for line in _body(failure)]
    if failure.secondary is not None:
        lines += ["", f"  its failure node failed too: {_last(failure.secondary)}"]
    return "\n".join([*lines, "", *_hints(name, failure)])


def exit_code(phase: str, failure: Failure | None) -> int:
    """The exit code for how an execution ended."""
    if phase == NodePhase.SUCCEEDED:
        return OK
    if phase == NodePhase.ABORTED:
        return ABORTED
    return TIMEOUT if late(phase, failure) else FAILED


def _named(name: str) -> str:
    return click.style(f"  {name}", fg="cyan")


def _body(failure: Failure) -> list[str]:
    found = read(failure.message)
    lines = []
    for frame, source in found.frames:
        lines.append(click.style(f"{short_path(frame.filename)}:{frame.lineno}, in {frame.name}", dim=True))
        if source:
            lines.append(f"    {source}")
    here = f"{Path.cwd()}/"
    error = [line.replace(here, "") for line in found.error]
    shown = error[:_LONGEST] + ([f"... {len(error) - _LONGEST} more lines"] if len(error) > _LONGEST else [])
    if lines:
        lines.append("")
    lines += [click.style(shown[0], fg="red"), *shown[1:]] if shown else [click.style(failure.code, fg="red")]
    if found.before:
        lines.append(click.style(found.before.removesuffix(":").removesuffix(", the last one with"), dim=True))
    return lines


def _hints(name: str, failure: Failure) -> list[str]:
    rows = [(logs_of(name, failure), "what it printed"), (f"alula recover {name}", "goes on from what succeeded")]
    width = max(len(command) for command, _ in rows)
    return [f"  {command:<{width}}  {click.style(what, dim=True)}" for command, what in rows]


def _last(failure: Failure) -> str:
    error = read(failure.message).error
    return clean(error[0]) if error else failure.code
