"""The example of the shop: called as a function, and run by the engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from examples.shop.pipeline import main
from tests.conftest import ROOT


def test_it_runs_here_and_in_the_engine_and_says_the_same(tmp_path: Path) -> None:
    here = main(days=30, items=["o'olong", "assam"])
    assert here.startswith(("o'olong: ", "assam: "))
    words = ["run", "examples/shop/pipeline.py", "main", "--days", "30", "--items", '["o\'olong", "assam"]']
    environment = {**os.environ, "ALULA_HOME": str(tmp_path), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "alula.cli.main", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{here}\n", done.stderr
