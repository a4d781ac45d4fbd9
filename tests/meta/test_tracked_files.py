"""Files of the repository name no machine, no registry and no unfinished business."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.meta.source import ROOT, name

HERE = Path(__file__)
# `/opt/venv` is where the images of Flyte have their Python, whatever the machine.
MACHINE = re.compile(r"(?<![\w.$}/-])/(?:work|opt(?!/venv)|tmp|home|Users)/[\w.-]+|\.pyenv")
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|download\.pytorch\.org")
OPEN_END = re.compile(r"\b(?:TODO|FIXME|XXX)\b(?!\(#\d+\))")


def tracked() -> list[Path]:
    """Every file under version control; every file at all where there is none (an unpacked archive)."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.split("\0") if listed.returncode == 0 else [name(path) for path in ROOT.rglob("*")]
    return [path for path in (ROOT / each for each in names if each) if path.is_file() and path != HERE]


def findings(pattern: re.Pattern[str], *, suffixes: frozenset[str] = frozenset()) -> list[str]:
    found = []
    for path in tracked():
        if suffixes and path.suffix not in suffixes:
            continue
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue  # not text
        found += [
            f"{name(path)}:{number}: {line.strip()[:120]}"
            for number, line in enumerate(lines, 1)
            if pattern.search(line)
        ]
    return found


def test_no_file_names_a_path_of_one_machine() -> None:
    assert not findings(MACHINE)


def test_no_file_names_a_package_registry() -> None:
    assert not findings(REGISTRY)


def test_unfinished_business_has_an_issue() -> None:
    assert not findings(OPEN_END, suffixes=frozenset({".py", ".toml", ".md"}))
