"""README, CONTRIBUTING and docs/ say what is true: their code runs as printed, and their commands print what they show.

Python blocks of one document share a namespace and run in order, in a process and a folder of their own. A block that
begins with `# name.py` is also a file of that name in the folder, for commands. A block whose first line is
`# not run: reason` is read only.

Of a `console` block, every `$ alula ...` runs in that folder. The lines below it must be among those that the command
prints; `...` stands for anything.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(python|console)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"# not run: \S")
FILE = re.compile(r"# (\w+\.py)\n")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#([^)\s]+))?\)")
DOCUMENTS = sorted(one for one in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def name_of(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def blocks(document: Path, kind: str) -> list[str]:
    found = BLOCK.findall(document.read_text())
    return [block for language, block in found if language == kind and not NOT_RUN.match(block)]


def commands(document: Path) -> list[tuple[str, list[str]]]:
    """Each command of a document that is run, and the lines that it must print."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks(document, "console"):
        shown: list[str] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                shown = []
                if line.startswith("$ alula "):
                    found.append((line.removeprefix("$ "), shown))
            elif line.strip(" ."):
                shown.append(line)
    return found


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "NO_COLOR": "1", "ALULA_HOME": str(folder / "home"), "COLUMNS": "120"}


WITH_CODE = [one for one in DOCUMENTS if blocks(one, "python")]
WITH_COMMANDS = [one for one in DOCUMENTS if commands(one)]


@pytest.mark.parametrize("document", WITH_CODE, ids=name_of)
def test_the_code_of_a_document_runs(document: Path, tmp_path: Path) -> None:
    program = tmp_path / "document.py"  # a file, because tasks say where they were written
    program.write_text("\n\n".join(blocks(document, "python")))
    env = environment(tmp_path)
    done = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=name_of)
def test_the_commands_of_a_document_print_what_it_shows(document: Path, tmp_path: Path) -> None:
    for block in blocks(document, "python"):
        if match := FILE.match(block):
            (tmp_path / match[1]).write_text(block)
    alula = Path(sys.executable).with_name("alula")
    for command, shown in commands(document):
        folder = ROOT if "examples/" in command else tmp_path
        words = [str(alula), *shlex.split(command)[1:]]
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, check=False, env=environment(tmp_path), input=""
        )
        assert_printed(shown, done.stderr + done.stdout, command)


def assert_printed(shown: list[str], printed: str, command: str) -> None:
    """Every line that a document shows is among the printed ones; standard error and output may be interleaved."""
    lines = [line.strip() for line in printed.splitlines()]
    for line in shown:
        pattern = re.compile(".*".join(re.escape(part) for part in line.strip().split("...")))
        assert any(pattern.fullmatch(one) for one in lines), f"{command} does not print {line!r}:\n{printed}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_the_links_of_a_document_lead_somewhere(document: Path) -> None:
    for target, anchor in LINK.findall(document.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        there = (document.parent / target).resolve()
        assert there.exists(), f"{target} does not exist"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}, anchor


def test_the_readme_shows_code_that_runs() -> None:
    assert ROOT / "README.md" in WITH_CODE


def test_a_line_that_is_not_printed_is_found() -> None:
    with pytest.raises(AssertionError, match="does not print 'b'"):
        assert_printed(["a ... c", "b"], "a 1.5 s c\n", "alula")
