"""Which files of a source tree stay out of a code bundle: the rules of gitignore files.

Source: https://git-scm.com/docs/gitignore, and wildmatch.c of git for what it leaves open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT = """
.git
.hg
.svn
__pycache__
*.py[cod]
.venv
venv
.envs
.env
.tox
.nox
.mypy_cache
.ruff_cache
.pytest_cache
.hypothesis
.import_linter_cache
.ipynb_checkpoints
.idea
.vscode
.DS_Store
*.egg-info
node_modules
"""
"""What no bundle needs: version control, environments (and secrets) of one machine, caches, editors."""

FILES = (".gitignore", ".flyteignore", ".alulaignore")
"""Read in every directory, in this order; later lines and deeper files win."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a gitignore file."""

    base: str
    """Directory of the file, relative to the tree: empty, or with a slash at its end."""
    pattern: re.Pattern[str]
    """Matches a whole path relative to `base`."""
    keeps: bool
    """The line begins with an exclamation mark: what it matches is not ignored."""
    directories_only: bool


def parse(text: str, base: str = "") -> list[Rule]:
    """The rules of one gitignore file that lies in the directory `base`."""
    return [rule for line in text.splitlines() if (rule := _rule(line, base))]


def ignored(path: str, *, directory: bool, rules: Iterable[Rule]) -> bool:
    """Whether the last rule that matches a path ignores it. The caller asks for its parents first."""
    verdict = False
    for rule in rules:
        if rule.directories_only and not directory:
            continue
        if path.startswith(rule.base) and rule.pattern.fullmatch(path, len(rule.base)):
            verdict = not rule.keeps
    return verdict


def _rule(line: str, base: str) -> Rule | None:
    line = re.sub(r"(?<!\\)((?:\\\\)*)[ ]+$", r"\1", line)
    if not line or line.startswith("#"):
        return None
    keeps = line.startswith("!")
    line = line.removeprefix("!")
    directories_only = line.endswith("/")
    line = line.removesuffix("/")
    anywhere = "/" not in line
    expression = _expression(line.removeprefix("/"))
    if expression is None or not line:
        return None
    return Rule(base, re.compile(("(?:.*/)?" if anywhere else "") + expression, re.DOTALL), keeps, directories_only)


def _expression(pattern: str) -> str | None:
    """A glob as a regular expression; None if it can match nothing (an open bracket, a lone backslash at its end)."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        if stars := re.compile(r"\*\*+(?=/|$)/?").match(pattern, at) if at == 0 or pattern[at - 1] == "/" else None:
            out.append("(?:.*/)?" if stars[0].endswith("/") else ".+" if at else ".*")
            at = stars.end()
        elif letter == "*":
            while pattern[at : at + 1] == "*":
                at += 1
            out.append("[^/]*")
        elif letter == "?":
            out.append("[^/]")
            at += 1
        elif letter == "[":
            end, expression = _bracket(pattern, at)
            if expression is None:
                return None
            out.append(expression)
            at = end
        elif letter == "\\":
            if at + 1 == len(pattern):
                return None
            out.append(re.escape(pattern[at + 1]))
            at += 2
        else:
            out.append(re.escape(letter))
            at += 1
    return "".join(out)


def _bracket(pattern: str, start: int) -> tuple[int, str | None]:
    """A bracket expression that begins at `start`: where it ends, and its regular expression or None."""
    at = start + 1
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    members: list[str] = []
    first = at
    while at < len(pattern) and (pattern[at] != "]" or at == first):
        low, at = _letter(pattern, at)
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("", "]"):
            high, at = _letter(pattern, at + 1)
            members.append(f"{re.escape(low)}-{re.escape(high)}" if low <= high else "")
        else:
            members.append(re.escape(low))
    if at >= len(pattern):
        return at, None
    inside = "".join(members)
    if negated:
        return at + 1, f"[^/{inside}]"
    return at + 1, f"(?!/)[{inside}]" if inside else "(?!)"


def _letter(pattern: str, at: int) -> tuple[str, int]:
    """One letter within brackets, and where the next begins."""
    if pattern[at] == "\\" and at + 1 < len(pattern):
        return pattern[at + 1], at + 2
    return pattern[at], at + 1
