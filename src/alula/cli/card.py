"""An error for people: what failed, where, their own frames, and how to fix it."""

from __future__ import annotations

import linecache
import os
import traceback
from pathlib import Path

import click

from alula.errors import AlulaError, TaskFailure, TaskTimeout
from alula.runtime.frames import folded, is_users

OK, FAILED, USAGE, ABORTED, TIMEOUT, SERVER = range(6)
"""The exit codes of `alula`."""


def exit_code(exc: BaseException) -> int:
    """The exit code for what ended a run."""
    if isinstance(exc, KeyboardInterrupt):
        return ABORTED
    return TIMEOUT if isinstance(exc, TaskTimeout) else FAILED


def card(exc: BaseException, title: str, *, verbose: bool = False) -> str:
    """What is printed for an error.

    Args:
        exc: What was raised.
        title: What did not succeed: `task train`.
        verbose: The traceback as it is, in place of the frames that matter.
    """
    lines = [f"{click.style('✗', fg='red')} {click.style(f'{title} failed', bold=True)}", ""]
    if verbose:
        lines += ["".join(traceback.format_exception(exc)).rstrip()]
        return "\n".join(lines)
    shown, left_out = folded(exc)
    mine = [frame for frame in shown.stack if is_users(frame)]
    lines += [f"  {line}".rstrip() for line in [*(_frames(shown) if mine else _syntax(shown)), *_message(exc)]]
    if left_out and mine:
        lines += ["", click.style(f"  {left_out} frames of Alula are left out; -v shows them", dim=True)]
    return "\n".join(lines)


def _message(exc: BaseException) -> list[str]:
    name = type(exc).__name__
    if isinstance(exc, AlulaError):
        what, *rest = str(exc).splitlines()
        if exc.fix:
            rest = rest[: -len(exc.fix.splitlines())]
    else:
        what, *rest = str(exc).splitlines() or [""]
    lines = [click.style(f"{name}: {what}" if what else name, fg="red"), *rest]
    lines += [f"  {note}" for note in getattr(exc, "__notes__", ()) if not _said(note, exc)]
    cause = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    if cause is not None and not isinstance(exc, AlulaError):
        lines.append(f"  from {type(cause).__name__}: {str(cause).partition(chr(10))[0]}")
    fix = _fix(exc)
    here = f"{Path.cwd()}/"
    lines = [line.replace(here, "") for line in lines]
    return [*lines, f"  {click.style('fix:', fg='green')}   {fix}"] if fix else lines


def _said(note: str, exc: BaseException) -> bool:
    """Whether the error's own place says what a note says."""
    return isinstance(exc, AlulaError) and bool(exc.where) and exc.where in note


def _fix(exc: BaseException) -> str:
    if isinstance(exc, TaskFailure) and exc.code == "GateWithoutAnswer":
        return "answer on the command line: --answer GATE=VALUE"
    if isinstance(exc, AlulaError):
        return exc.fix
    if isinstance(exc, ModuleNotFoundError) and exc.name:
        return f"install what provides the module {exc.name.partition('.')[0]!r}, or correct its name"
    return ""


def _frames(shown: traceback.TracebackException) -> list[str]:
    """The frames of the user, each with its line."""
    lines = []
    for frame in shown.stack:
        lines.append(click.style(f"{short_path(frame.filename)}:{frame.lineno}, in {frame.name}", dim=True))
        source = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
        if source:
            lines.append(f"    {source}")
    return [*lines, *_syntax(shown), ""]


def _syntax(shown: traceback.TracebackException) -> list[str]:
    """Where a SyntaxError is; nothing for others."""
    if not issubclass(shown.exc_type or object, SyntaxError):
        return []
    text = "".join(shown.format_exception_only()).splitlines()
    return [*(line for line in text[:-1]), ""]


def short_path(filename: str) -> str:
    """A path relative to the working directory if it is below it."""
    path = Path(filename)
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else filename
