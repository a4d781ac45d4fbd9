"""The Python in README, CONTRIBUTING and docs/ runs as printed.

The blocks of one document share a namespace and run in order, in a process and a folder of their own. A block whose
first line is `# not run` followed by a reason is read only.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"# not run: \S")


def blocks(document: Path) -> list[str]:
    return [block for block in BLOCK.findall(document.read_text()) if not NOT_RUN.match(block)]


DOCUMENTS = sorted(document for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")] if blocks(document))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_code_of_a_document_runs(document: Path, tmp_path: Path) -> None:
    program = tmp_path / "document.py"  # a file, because tasks say where they were written
    program.write_text("\n\n".join(blocks(document)))
    done = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_readme_shows_code_that_runs() -> None:
    assert ROOT / "README.md" in DOCUMENTS
