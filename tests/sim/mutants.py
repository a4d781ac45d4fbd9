"""Bugs planted on purpose, one at a time, in a copy of the package: does the simulation find them?

`python -m tests.sim.mutants` says after how many seeds each one was found, and fails if one was not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import alula

PACKAGE = Path(alula.__file__).parent


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    old: str
    new: str


MUTANTS = [
    Mutant(
        "units are not given back by the commit that closes",
        "engine/session.py",
        "            freed = tuple(filter(attempts.frees, parting))\n",
        "            freed = ()\n",
    ),
    Mutant(
        "a runner is told that something is kept before it is",
        "engine/kept.py",
        "        self._saved.setdefault(key, []).append(saved)\n",
        "        saved()\n",
    ),
    Mutant(
        "more units are given than there are",
        "store/granting.py",
        "        if lease.units > self.free:\n",
        "        if lease.units > self.pool.units:\n",
    ),
    Mutant(
        "the word of a grant is lost",
        "engine/requests.py",
        '            effects.attempts.granted(key, command.body.decode(errors="replace"))\n',
        "            pass\n",
    ),
    Mutant(
        "an attempt that was started before is said to be fresh",
        "engine/jobs.py",
        "        self._former = {(one.path, one.number) for one in loaded.attempts}\n",
        "        self._former = set()\n",
    ),
    Mutant(
        "a wake from the store is lost",
        "engine/driver.py",
        "        self._news.update(dict.fromkeys(executions))\n        self._commanded.set()",
        "        self._news.update(dict.fromkeys(executions))",
    ),
    Mutant(
        "commands are performed before the commit",
        "engine/session.py",
        "            await self._commit(changes)\n",
        "            await self._perform(effects, batch.commands)\n            await self._commit(changes)\n",
    ),
    Mutant(
        "an attempt that failed is never closed",
        "engine/nodes/task.py",
        '        _close(turn, attempt, "it failed")',
        "        pass",
    ),
    Mutant(
        "the clean-up is not tried again",
        "engine/cleanup.py",
        "        self._handle = asyncio.get_running_loop().call_later(pause, self.start)",
        "        pass",
    ),
    Mutant(
        "fences are ignored",
        "store/memory_pools.py",
        "or not row.record.open or (row.record.owner, row.fence) != (claim.owner, claim.fence)",
        "or not row.record.open",
    ),
    Mutant(
        "one node too many runs at a time",
        "engine/execution.py",
        "len(self.holding) < limit",
        "len(self.holding) <= limit",
    ),
    Mutant(
        "an array runs one element too many",
        "engine/nodes/array.py",
        "window + scope.succeeded",
        "window + 1 + scope.succeeded",
    ),
    Mutant(
        "an engine trusts its lease for too long",
        "engine/lease.py",
        "_HOLDERS_PART = 0.75",
        "_HOLDERS_PART = 3.0",
    ),
    Mutant(
        "a retry does not wait for the clean-up",
        "engine/nodes/task.py",
        "    turn.put(row)\n    if event.closed:\n        _after_close(turn, row)",
        "    turn.put(row)\n    if True:\n        _after_close(turn, row)",
    ),
    Mutant(
        "deadlines of attempts are forgotten in a crash",
        "engine/nodes/task.py",
        "        set_deadline(turn, attempt)\n        deliver(turn, x.nodes[path], x.plan_of(path))",
        "        deliver(turn, x.nodes[path], x.plan_of(path))",
    ),
    Mutant(
        "back-offs are forgotten in a crash",
        "engine/redrive.py",
        "    if row.wake_at is not None and row.then is not NodePhase.BACKOFF:\n        if row.phase",
        "    if row.wake_at is not None and row.then is NodePhase.BACKOFF:\n        if row.phase",
    ),
    Mutant(
        "reservations are not given back",
        "engine/turn.py",
        "self.emit(Release(row.path, row.generation, plan, node_inputs(self.x, row.path, plan)))",
        "node_inputs(self.x, row.path, plan)",
    ),
    Mutant(
        "a retry holds its reservation while it waits for a slot",
        "engine/nodes/common.py",
        "    if row.reserved and not turn.x.may_start(row.path):",
        "    if row.reserved and turn.x.may_start(row.path):",
    ),
    Mutant(
        "a child's end does not reach its parent",
        "store/memory.py",
        "        if changes.tell_parent and parent is not None and",
        "        if changes.tell_parent and parent is None and",
    ),
    Mutant(
        "an answer that comes too late counts",
        "engine/execution.py",
        "if attempt is not None and attempt.phase.live else None",
        "if attempt is not None and attempt.open else None",
    ),
    Mutant(
        "a claim whose answer was lost is never found again",
        "engine/driver.py",
        "having = list(self._sessions) if self._unsure else None",
        "having = None",
    ),
    Mutant(
        "a silent engine's workers go on",
        "engine/driver.py",
        "        if not self._alone:\n            for runner",
        "        if self._alone:\n            for runner",
    ),
    Mutant(
        "signals are lost on the way",
        "engine/driver.py",
        "                if session is not None:\n                    session.requests.take",
        "                if session is not None and command.kind != 'signal':\n"
        "                    session.requests.take",
    ),
    Mutant(
        "an output is written to its row, and not to its file",
        "engine/values.py",
        '            await self.write(uri, data)\n            crash_point("outputs.after")',
        '            crash_point("outputs.after")',
    ),
]

_HUNT = """
import sys
from alula.testing.sim.story import explore
import logging
logging.disable(logging.WARNING)
for seed in range(int(sys.argv[1])):
    found = explore(seed)
    if found.faults:
        print(seed, found.faults[0][:150])
        break
"""


def plant(mutant: Mutant, under: Path) -> None:
    """A copy of the package with one bug. Raises ValueError if the code is no longer what the mutant changes."""
    for source in PACKAGE.rglob("*"):
        if source.suffix in (".py", ".json", ".typed") and "compat" not in source.parts:
            target = under / "alula" / source.relative_to(PACKAGE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    path = under / "alula" / mutant.file
    text = path.read_text()
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: {mutant.file} does not hold its code once")
    path.write_text(text.replace(mutant.old, mutant.new))


def hunt(mutant: Mutant, seeds: int) -> str:
    """What found the mutant; empty if nothing did."""
    with tempfile.TemporaryDirectory() as scratch:
        plant(mutant, Path(scratch))
        done = subprocess.run(
            [sys.executable, "-c", _HUNT, str(seeds)],
            env={**os.environ, "PYTHONPATH": scratch},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3000, help="how many seeds each mutant may survive")
    parser.add_argument("--only", default="", help="a part of the names of those to hunt")
    given = parser.parse_args()
    survived = 0
    for mutant in MUTANTS:
        if given.only in mutant.name:
            try:
                found = hunt(mutant, given.seeds)
            except ValueError as exc:
                found = ""
                print(f"STALE {exc}")
            survived += not found
            print(f"{mutant.name}: {f'seed {found}' if found else f'SURVIVED {given.seeds} seeds'}", flush=True)
    sys.exit(bool(survived))


if __name__ == "__main__":
    main()
