"""The committed specs are the ones that flytekit compiles today."""

from __future__ import annotations

import json
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def test_flytekit_compiles_the_reference_workflows_to_the_committed_specs(fresh_specs: Path) -> None:
    """Write them again with `python flytekit_side.py specs golden`, by an interpreter that has flytekit."""
    fresh, committed = contents(fresh_specs), contents(GOLDEN)
    assert fresh.keys() == committed.keys()
    assert [name for name, content in fresh.items() if content != committed[name]] == []


def test_flytekit_refuses_none_of_the_reference_workflows() -> None:
    assert [name for name, content in contents(GOLDEN).items() if "refused" in content] == []


def contents(directory: Path) -> dict[str, object]:
    files = sorted(directory.rglob("*.json"))
    return {str(path.relative_to(directory)): json.loads(path.read_text()) for path in files}
