"""The metrics of a real engine process, as Prometheus reads them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

ALULA = str(Path(sys.executable).with_name("alula"))
PROGRAM = """
from alula import task


@task
def double(a: int) -> int:
    return 2 * a
"""


def test_an_engine_serves_its_metrics(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    surroundings = {**os.environ, "ALULA_HOME": str(tmp_path / "home")}
    served = subprocess.Popen(
        [ALULA, "serve", "--metrics", "0"], cwd=tmp_path, env=surroundings, stderr=subprocess.PIPE, text=True
    )
    try:
        assert served.stderr is not None
        url = re.search(r"http://127\.0\.0\.1:\d+/metrics", served.stderr.readline())
        assert url is not None
        assert "drives" in served.stderr.readline()
        run = subprocess.run(
            [ALULA, "run", "program.py", "double", "--a", "21"],
            cwd=tmp_path,
            env=surroundings,
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        assert "42" in run.stdout
        with urllib.request.urlopen(url[0], timeout=30) as answer:
            said = answer.read().decode()
    finally:
        served.terminate()
        served.wait(60)
    assert "alula_executions_taken_total" in said
    assert 'alula_queue_depth{queue="inbox"} 0.0' in said
    assert 'alula_workers{state="busy"}' in said
