"""What type checkers say of programs that use Alula.

A line of `cases/` that a checker must refuse ends in `# refused: CODE, RULE`: mypy's error code, and pyright's rules,
any of them if there are several. Every other line must pass, and `assert_type` says what a value is declared as.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted((Path(__file__).parent / "cases").glob("*.py"))
EXAMPLES = ROOT / "examples"
MARK = re.compile(r"# refused: (?P<mypy>[\w-]+), (?P<pyright>\w+( \w+)*)$")
MYPY_LINE = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[\w-]+)\]$")

Faults = dict[int, set[str]]
"""The codes of the errors of each line."""


@pytest.fixture(scope="module")
def mypy_faults(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Faults]:
    done = run_mypy(tmp_path_factory.mktemp("mypy"), *CASES)
    found: defaultdict[str, Faults] = defaultdict(dict)
    for line in done.splitlines():
        if match := MYPY_LINE.match(line):
            found[Path(match["file"]).name].setdefault(int(match["line"]), set()).add(match["code"])
    return found


@pytest.fixture(scope="module")
def pyright_faults(pyright: list[str]) -> dict[str, Faults]:
    found: defaultdict[str, Faults] = defaultdict(dict)
    for fault in run_pyright(pyright, *CASES):
        line = fault["range"]["start"]["line"] + 1
        found[Path(fault["file"]).name].setdefault(line, set()).add(fault.get("rule", fault["message"]))
    return found


def run_mypy(cache: Path, *paths: Path) -> str:
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cache), "--config-file", "pyproject.toml"]
    quiet = ["--disable-error-code", "unused-ignore", "--follow-imports", "silent"]
    done = subprocess.run([*command, *quiet, *map(str, paths)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def run_pyright(pyright: list[str], *paths: Path) -> list[dict[str, Any]]:
    command = [*pyright, "--pythonpath", sys.executable, "--outputjson", *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [fault for fault in json.loads(done.stdout)["generalDiagnostics"] if fault["severity"] == "error"]


def expected(case: Path, checker: str) -> dict[int, list[str]]:
    """The codes that are accepted on each line that must be refused."""
    lines = enumerate(case.read_text().splitlines(), 1)
    return {number: match[checker].split() for number, line in lines if (match := MARK.search(line))}


def compare(found: Faults, wanted: dict[int, list[str]]) -> list[str]:
    """What differs, a line each."""
    extra = [f"line {n}: refused as {sorted(codes)}, and should pass" for n, codes in found.items() if n not in wanted]
    for number, codes in wanted.items():
        if not found.get(number, set()) & set(codes):
            extra.append(f"line {number}: should be refused as {codes}, got {sorted(found.get(number, ()))}")
    return extra


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_mypy_refuses_what_is_wrong_and_nothing_else(case: Path, mypy_faults: dict[str, Faults]) -> None:
    assert compare(mypy_faults[case.name], expected(case, "mypy")) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_pyright_refuses_what_is_wrong_and_nothing_else(case: Path, pyright_faults: dict[str, Faults]) -> None:
    assert compare(pyright_faults[case.name], expected(case, "pyright")) == []


def test_every_case_expects_some_refusal() -> None:
    assert all(expected(case, "mypy") for case in CASES)


def test_mypy_accepts_the_examples(tmp_path: Path) -> None:
    assert "Success" in run_mypy(tmp_path, EXAMPLES)


def test_pyright_accepts_the_examples(pyright: list[str]) -> None:
    assert run_pyright(pyright, EXAMPLES) == []


def test_every_public_name_has_a_type(pyright: list[str], tmp_path: Path) -> None:
    names = (ROOT / "tests/meta/exports.txt").read_text().split()
    program = tmp_path / "names.py"
    program.write_text("import alula\n" + "".join(f"reveal_type(alula.{name})\n" for name in names))
    shown = run_mypy(tmp_path / "cache", program)
    revealed = re.findall(r'Revealed type is "(.*)"', shown)
    assert len(revealed) == len(names), shown
    untyped = [name for name, t in zip(names, revealed, strict=True) if t == "Any"]
    assert untyped == ["Pickle"]  # a generic alias has no type of its own; cases/values.py shows that `Pickle[T]` is T
    assert run_pyright(pyright, program) == []
