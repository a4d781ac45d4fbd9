"""An execution that did not end well, for people: the node, their own frames, the error, and what to do next. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from traceback import FrameSummary

import click

from alula._kits.records import replace
from alula.cli.card import ABORTED, FAILED, OK, TIMEOUT, short_path
from alula.cli.width import clean
from alula.client.ending import late
from alula.engine.state import Failure, NodePhase
from alula.runtime.frames import is_users

_FRAME = re.compile(r'  File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<name>.+)')
_TRACEBACK = "Traceback (most recent call last):"
_LONGEST = 40
"""Lines of an error's own text that are shown."""


@dataclass(frozen=True, slots=True)
class Traceback:
    """The last traceback of a message."""

    before: str
    """What was said before any traceback: `2 attempts failed, the last one with:`."""
    frames: tuple[tuple[FrameSummary, str], ...]
    """Each with its line of code."""
    error: tuple[str, ...]
    """The error, and what was noted about it."""
    left_out: int
    """Frames that are not the user's."""


def read(message: str) -> Traceback:
    """A failure's message in parts. One without a traceback is all error."""
    before, found, rest = message.rpartition(_TRACEBACK)
    if not found:
        return Traceback("", (), tuple(message.strip().splitlines()), 0)
    frames: list[tuple[FrameSummary, str]] = []
    lines = rest.strip("\n").splitlines()
    at = 0
    while at < len(lines) and (not lines[at] or lines[at].startswith("  ")):
        if frame := _FRAME.match(lines[at]):
            source = lines[at + 1].strip() if at + 1 < len(lines) and lines[at + 1].startswith("    ") else ""
            frames.append((FrameSummary(frame["file"], int(frame["line"]), frame["name"], lookup_line=False), source))
        at += 1
    mine = tuple(one for one in frames if is_users(one[0]))
    shown = mine or tuple(frames[-1:])
    first = before.partition(_TRACEBACK)[0].strip()
    return Traceback(first, shown, tuple(lines[at:]), len(frames) - len(shown))


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
    node = f" {failure.path}" if failure.path else ""
    rows = [(f"alula logs {name}{node}", "what it printed"), (f"alula recover {name}", "goes on from what succeeded")]
    width = max(len(command) for command, _ in rows)
    return [f"  {command:<{width}}  {click.style(what, dim=True)}" for command, what in rows]


def _last(failure: Failure) -> str:
    error = read(failure.message).error
    return clean(error[0]) if error else failure.code
