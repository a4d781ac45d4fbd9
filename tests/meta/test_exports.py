"""The public names are pinned: a change of `alula.__all__` is a change of exports.txt, seen in review."""

from __future__ import annotations

import ast
from pathlib import Path

import alula

PINNED = Path(__file__).with_name("exports.txt").read_text().split()


def test_the_public_names_are_those_of_the_committed_list() -> None:
    assert sorted(getattr(alula, "__all__", [])) == PINNED


def test_every_public_name_resolves() -> None:
    missing = [name for name in PINNED if not hasattr(alula, name)]
    assert not missing


def test_the_committed_list_is_sorted() -> None:
    assert sorted(set(PINNED)) == PINNED


def test_type_checkers_see_the_names_that_there_are() -> None:
    [block] = [node for node in ast.parse(Path(alula.__file__).read_text()).body if isinstance(node, ast.If)]
    seen = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    seen |= {target.id for node in block.body if isinstance(node, ast.Assign) for target in node.targets}  # type: ignore[attr-defined]
    assert seen - {None} == set(alula.__all__)
