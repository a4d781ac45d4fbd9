"""What the code imports is declared, what is declared is used, and each dependency has its line of reasons."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.meta.source import PACKAGE, ROOT, name, python_files, statements, tree

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CORE = {re.split(r"[\[<>=~! ]", line)[0] for line in PROJECT["dependencies"]}
EXTRAS = {
    re.split(r"[\[<>=~! ]", line)[0]
    for extra, lines in PROJECT["optional-dependencies"].items()
    if extra != "dev"
    for line in lines
}
ADR = (ROOT / "docs" / "adr" / "0001-dependencies.md").read_text()
DISTRIBUTIONS = packages_distributions()


@cache
def imported(path: Path) -> set[str]:
    """Top-level names of the third-party modules that a file imports."""
    tops: set[str] = set()
    for node in statements(tree(path)):
        if isinstance(node, ast.Import):
            tops.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            tops.add((node.module or "").partition(".")[0])
    return tops - sys.stdlib_module_names - {"alula", "__future__"}


def distributions(top: str) -> set[str]:
    return {found.lower().replace("_", "-") for found in DISTRIBUTIONS.get(top, [top])}


def test_what_the_package_imports_is_declared() -> None:
    undeclared = sorted(
        f"{name(path)} imports {top}"
        for path in python_files("src")
        for top in imported(path)
        if not distributions(top) & (CORE | EXTRAS)
    )
    assert not undeclared, f"declare these in pyproject.toml, or do without: {undeclared}"


def test_what_every_install_brings_is_used() -> None:
    used = {dist for path in python_files("src") for top in imported(path) for dist in distributions(top)}
    assert not CORE - used, f"no file of {name(PACKAGE)} imports {sorted(CORE - used)}: drop it from the dependencies"


def test_every_dependency_has_its_line_in_the_decision_record() -> None:
    silent = sorted(dist for dist in (CORE | EXTRAS) - {"alula"} if f"| {dist} |" not in ADR)
    assert not silent, f"docs/adr/0001-dependencies.md has no line for {silent}"
