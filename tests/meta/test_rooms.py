"""Every room says what it is for, and every contract says what it asks of its implementer."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.meta.source import MIRROR, PACKAGE, name, python_files, scopes, tree

ANSWERS = ("What lives here:", "What does not:", "Who may import it:", "Where to add one:")
ROOMS = sorted(path for path in PACKAGE.iterdir() if (path / "__init__.py").exists())


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_answers_the_four_questions(room: Path) -> None:
    docstring = ast.get_docstring(tree(room / "__init__.py")) or ""
    missing = [answer for answer in ANSWERS if answer not in docstring]
    assert not missing, f"the docstring of {name(room)}/__init__.py lacks {missing}"


def test_every_method_that_others_implement_is_documented() -> None:
    bare = [
        f"{name(path)}::{dotted}.{method.name}"
        for path in python_files("src")
        if not path.is_relative_to(MIRROR)  # what others implement there is documented by flytekit
        for dotted, node in scopes(tree(path))
        if isinstance(node, ast.ClassDef) and is_abstract(node)
        for method in node.body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
        and not method.name.startswith("_")
        and not ast.get_docstring(method)
    ]
    assert not bare, f"a contract says of each method: may it block, may it repeat, may it raise what? Missing: {bare}"


def is_abstract(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == "ABC" for base in node.bases)
