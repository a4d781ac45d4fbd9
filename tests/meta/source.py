"""The project's own Python files, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "alula"
MIRROR = PACKAGE / "compat" / "flytekit"
"""Modules that repeat the names and signatures of another SDK."""


@cache
def python_files(*tops: str) -> tuple[Path, ...]:
    """Every Python file below the named folders of the repository, sorted."""
    return tuple(sorted(path for top in tops for path in (ROOT / top).rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def name(path: Path) -> str:
    """The path as people write it: relative to the repository."""
    return path.relative_to(ROOT).as_posix()


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Everything below `node` but expressions, which hold no statement, and are nine tenths of a tree."""
    todo = [node]
    for at in todo:
        todo += (child for child in ast.iter_child_nodes(at) if not isinstance(child, ast.expr))
    return iter(todo)


def scopes(node: ast.AST, outer: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Every function and class below `node` with its dotted name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            dotted = f"{outer}.{child.name}" if outer else child.name
            yield dotted, child
            yield from scopes(child, dotted)
        else:
            yield from scopes(child, outer)
