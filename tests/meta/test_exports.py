"""The public names are pinned: a change of `alula.__all__` is a change of exports.txt, seen in review."""

from __future__ import annotations

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
