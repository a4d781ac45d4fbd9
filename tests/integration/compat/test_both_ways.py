"""One program, two ways: a plain call and the durable engine give the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"

DIFFERENT = {"decks.wf": "it shows its project and domain, which are `local` in a plain call"}
"""Workflows that may tell the two apart, and by what."""


@pytest.mark.timeout(300)
def test_programs_of_flytekit_users_give_the_same_by_a_plain_call_and_by_the_engine(tmp_path: Path) -> None:
    script = Path(__file__).with_name("both_ways.py")
    done = subprocess.run(
        [sys.executable, str(script), *map(str, sorted(PROGRAMS.glob("*.py")))],
        env={**os.environ, "ALULA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    assert len(found) > 25
    assert {name: told for name, told in found.items() if told[0] != told[1]}.keys() == DIFFERENT.keys(), found
    assert not [told for told in found.values() if told[1].startswith("raised")]
