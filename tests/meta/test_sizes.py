"""Files, functions, classes and parameter lists stay small; the exceptions are named and only shrink.

Docstrings are not counted: a long explanation is no reason to split a function. In the mirror of flytekit signatures
are not counted either: their length is flytekit's.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from tests.meta.source import MIRROR, PACKAGE, name, python_files, scopes, tree

FILE, FUNCTION, CLASS, PARAMETERS = 500, 60, 300, 6

# "path::name" -> the size it has today. Lower a figure when you shrink one; the test demands it. Never raise one.
EXCEPTIONS: dict[str, int] = {}


@cache
def sizes() -> tuple[tuple[str, int, int], ...]:
    """What there is, its size, and the limit."""
    return tuple(_sizes())


def _sizes() -> Iterator[tuple[str, int, int]]:
    for path in python_files("src", "tests", "examples", "bench"):
        yield name(path), len(path.read_text().splitlines()), FILE
        for dotted, node in scopes(tree(path)):
            if isinstance(node, ast.ClassDef):
                yield f"{name(path)}::{dotted}", lines(node), CLASS
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                mirrored = path.is_relative_to(MIRROR)
                signature = node.body[0].lineno - node.lineno if mirrored else 0
                yield f"{name(path)}::{dotted}", lines(node) - signature, FUNCTION
                if path.is_relative_to(PACKAGE) and not mirrored:
                    yield f"{name(path)}::{dotted}()", positional(node), PARAMETERS


def lines(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    first = node.body[0]
    documented = ast.get_docstring(node, clean=False) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def positional(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Parameters that may be passed by position; `self` and keyword-only ones are free."""
    given = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    return len(given) - (given[:1] in (["self"], ["cls"]))


def test_nothing_grows_beyond_its_limit() -> None:
    over = {what: size for what, size, limit in sizes() if size > EXCEPTIONS.get(what, limit)}
    assert not over, f"split these (lines, or parameters where it ends in parentheses): {over}"


def test_the_list_of_exceptions_only_shrinks() -> None:
    today = {what: (size, limit) for what, size, limit in sizes()}
    stale = {what: today.get(what) for what, size in EXCEPTIONS.items() if today.get(what, (0, 0))[0] < size}
    done = {what for what, size in EXCEPTIONS.items() if what in today and today[what][0] <= today[what][1]}
    assert not stale, f"lower these figures, or drop the line: {stale}"
    assert not done, f"these keep the limit now; drop their lines: {done}"
