"""How the tests ask the real flytekit: one process per question, answers as files of JSON."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIDE = Path(__file__).parent / "flytekit_side.py"


@dataclass(frozen=True)
class Flytekit:
    """The commands of `flytekit_side.py`. The last argument of each is the directory for its answers; keywords go
    to the environment of its process."""

    python: Path

    def answer(self, command: str, *directories: Path, **environment: str) -> Path:
        """Run one command; the directory of its answers."""
        words = [str(self.python), str(SIDE), command, *map(str, directories)]
        plain = {**os.environ, "FLYTE_SDK_RICH_TRACEBACKS": "0", "PYTHONPATH": "", **environment}
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=plain)
        assert done.returncode == 0, done.stderr[-4000:]
        return directories[-1]

    def answers(self, command: str, *directories: Path, **environment: str) -> dict[str, Any]:
        """Run one command; what it wrote, by name of the file."""
        made = self.answer(command, *directories, **environment)
        return {path.stem: json.loads(path.read_text()) for path in sorted(made.glob("*.json"))}
