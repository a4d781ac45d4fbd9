"""Tracebacks that are there as text only: the user's frames, and the error itself. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from traceback import FrameSummary

from alula.cli.card import short_path
from alula.runtime.frames import is_users

_FRAME = re.compile(r'  File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<name>.+)')
_TRACEBACK = "Traceback (most recent call last):"
_GROUP = "  + Exception Group Traceback (most recent call last):"
_NESTED = "Exception Group Traceback (most recent call last):"
"""How the traceback of a group begins that is in another one."""
_BETWEEN = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
_MEMBERS, _MEMBER = "+-+---", "  +---"
"""How the first member of a group begins, and the next ones, the end too."""


@dataclass(frozen=True, slots=True)
class Traceback:
    """The last traceback of a message."""

    before: str
    """What was said before any traceback: `2 attempts failed, the last one with:`."""
    frames: tuple[tuple[FrameSummary, str], ...]
    """Each with its line of code."""
    error: tuple[str, ...]
    """The error, what was noted about it, and the errors of a group."""
    left_out: int
    """Frames that are not the user's."""


def read(message: str) -> Traceback:
    """A failure's message in parts. One without a traceback is all error."""
    lines = message.strip("\n").splitlines()
    starts = _starts(lines)
    if not starts:
        return Traceback("", (), tuple(message.strip().splitlines()), 0)
    last = lines[starts[-1]]
    rest = lines[starts[-1] + 1 :]
    if last.endswith(_GROUP):
        rest = [line[4:] if line.startswith("  |") else line[2:] if line.startswith("  ") else line for line in rest]
    frames: list[tuple[FrameSummary, str]] = []
    at = 0
    while at < len(rest) and (not rest[at] or rest[at].startswith("  ")):
        if frame := _FRAME.match(rest[at]):
            source = rest[at + 1].strip() if at + 1 < len(rest) and rest[at + 1].startswith("    ") else ""
            frames.append((FrameSummary(frame["file"], int(frame["line"]), frame["name"], lookup_line=False), source))
        at += 1
    mine = tuple(one for one in frames if is_users(one[0]))
    error = _with_members(rest[at:]) if last.endswith(_NESTED) else rest[at:]
    says_where = any(line.startswith("  where: ") for line in error)  # as errors of Alula do
    shown = mine or (() if says_where else tuple(frames[-1:]))
    begun = next(nth for nth, line in enumerate(lines) if _leads(nth, line) or _begins(line))
    head = next(lines[begun].removesuffix(one) for one in (_GROUP, _NESTED, _TRACEBACK) if lines[begun].endswith(one))
    before = "\n".join([*lines[:begun], head]).strip()
    return Traceback(before, shown, tuple(error), len(frames) - len(shown))


def _starts(lines: list[str]) -> list[int]:
    """Where the tracebacks of a chain of errors begin.

    One that an error has in its own text (what a program printed that it called) is none of them, nor is what is
    chained to that. Only a message that begins with none, as one with the end of a log, has them wherever they are.
    """
    found: list[int] = []
    for nth, line in enumerate(lines):
        if _leads(nth, line) or (_begins(line) and _chained(lines[:nth][-2:])):
            found.append(nth)
        elif found and (_begins(line) or (_TRACEBACK in line and not line.startswith(" "))):
            return found
    return found or [nth for nth, line in enumerate(lines) if _begins(line)]


def _leads(nth: int, line: str) -> bool:
    """Whether a message begins with a traceback, after `2 attempts failed, the last one with:` or at once."""
    return nth == 0 and line.endswith((_TRACEBACK, _NESTED))


def _chained(former: list[str]) -> bool:
    """Whether the two lines before a traceback tie it to the error above."""
    return len(former) == 2 and former[0] in _BETWEEN and not former[1].strip()


def _begins(line: str) -> bool:
    return line in (_TRACEBACK, _GROUP, _NESTED)


def _with_members(lines: list[str]) -> list[str]:
    """The error of a group, then the error of each member, and where it was raised."""
    at = next((nth for nth, line in enumerate(lines) if line.startswith(_MEMBERS)), len(lines))
    members: list[list[str]] = []
    for line in lines[at:]:
        if line.startswith((_MEMBERS, _MEMBER)):
            members.append([])
        else:
            members[-1].append(line[4:] if line.startswith("  |") else line[2:])
    shown = lines[:at]
    for nth, member in enumerate(filter(None, members), 1):
        shown += [f"  {line}" for line in _member(nth, "\n".join(member))]
    return shown


def _member(nth: int, text: str) -> list[str]:
    found = read(text)
    error = _with_members(list(found.error))  # one that was never raised has no traceback
    indent = " " * len(mark := f"{nth}: ")
    said = [(indent if at else mark) + line for at, line in enumerate(error)]
    if found.frames:
        frame = found.frames[-1][0]
        said.insert(1, f"{indent}at {short_path(frame.filename)}:{frame.lineno}, in {frame.name}")
    return said
