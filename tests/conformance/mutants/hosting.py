"""Bugs planted on purpose, one at a time, in a copy of the package: the kit must find each with a plugin that is good.

`python -m tests.conformance.mutants.hosting` says what found each one, and fails if one was not found.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.sim.mutants import Mutant, plant


@dataclass(frozen=True)
class Hosted:
    """A bug of the engine's side, and the scripted cloud in which it shows."""

    mutant: Mutant
    harness: str = "CloudHarness"
    defect: str = ""
    """The defect of the field that it is: docs/explanation/proofs.md."""

    @property
    def name(self) -> str:
        return f"{self.defect}: {self.mutant.name}" if self.defect else self.mutant.name


def _hosted(name: str, file: str, old: str, new: str, *, harness: str = "CloudHarness", defect: str = "") -> Hosted:
    return Hosted(Mutant(name, f"hosting/{file}", old, new), harness, defect)


MUTANTS = [
    _hosted(
        "a job is created again, and none is looked for",
        "webapi.py",
        "        return not task.fresh or task.name in self._doubtful\n",
        "        return False\n",
        defect="D1",
    ),
    _hosted(
        "failures are counted over the whole life of a task",
        "steps.py",
        "        ward.trouble = None\n        info = self._censor.info(moved.info)",
        "        info = self._censor.info(moved.info)",
        defect="D2",
    ),
    _hosted(
        "the status of a job is not asked for after a failure",
        "status.py",
        "        self._plan()  # others may have waited for this call\n",
        "",
        defect="D2",
    ),
    _hosted(
        "what has ended by itself is not deleted",
        "webapi.py",
        "        await self._remove(task, state)\n        self.forget(task)",
        "        self.forget(task)",
        defect="D3",
    ),
    _hosted(
        "attempts are not finalized",
        "steps.py",
        '            await self._made("finalize", lambda: self._core.finalize(task, ward.state))\n',
        "",
        harness="CoreHarness",
    ),
    _hosted(
        "a clean-up that fails counts as done",
        "steps.py",
        "            return self._censor.text(verdict.message(self.name, call, exc))\n        return",
        '            return ""\n        return',
    ),
    _hosted(
        "a create that is late is not waited for",
        "webapi.py",
        "        left = since + self._limits.settle.total_seconds() - now\n",
        "        left = 0.0\n",
    ),
    _hosted(
        "a create that failed has surely made nothing",
        "webapi.py",
        "            finally:\n                self._doubtful[name] = self._means.clock.monotonic()\n",
        "            except Exception:\n                self._clear.add(name)\n                raise\n",
    ),
    _hosted(
        "an outage is the user's fault",
        "verdict.py",
        "AttemptFailure(code, what, FailureKind.SYSTEM",
        "AttemptFailure(code, what, FailureKind.USER",
    ),
    _hosted(
        "what a plugin says is not struck out",
        "secrets.py",
        "        return text if self._pattern is None else self._pattern.sub(STRUCK, text)\n",
        "        return text\n",
    ),
    _hosted(
        "the answers of a batch are mixed up",
        "status.py",
        "zip(batch, answers, strict=True)",
        "zip(batch, answers[::-1], strict=True)",
    ),
    _hosted(
        "a call may take for ever",
        "calls.py",
        "        limit = asyncio.timeout(seconds if seconds > 0 else None)\n",
        "        limit = asyncio.timeout(None)\n",
    ),
    _hosted(
        "garbage is taken for a key",
        "webapi.py",
        "        if key is None or faults:\n",
        "        if key is None:\n",
    ),
    _hosted(
        "nobody handles an attempt again once a call has failed",
        "steps.py",
        "        self._later(ward, answer.seconds)\n",
        "",
    ),
]

_VERIFY = """
import sys
from alula.testing.kit import clouds, verify
report = verify(getattr(clouds, sys.argv[1])(), pairs=0, seconds=120.0)
if report.worst is not None:
    print(report.worst.scenario.name, *report.worst.met, report.worst.breaches[0], sep="; ")
"""


def hunt(hosted: Hosted) -> str:
    """What found the bug; empty if nothing did."""
    with tempfile.TemporaryDirectory() as scratch:
        plant(hosted.mutant, Path(scratch))
        done = subprocess.run(
            [sys.executable, "-c", _VERIFY, hosted.harness],
            env={**os.environ, "PYTHONPATH": scratch},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{hosted.name}: {done.stderr[-2000:]}")
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of the names of those to hunt")
    given = parser.parse_args()
    survived = 0
    for hosted in MUTANTS:
        if given.only in hosted.name:
            found = hunt(hosted)
            survived += not found
            print(f"{hosted.name}: {found or 'SURVIVED'}", flush=True)
    sys.exit(bool(survived))


if __name__ == "__main__":
    main()
