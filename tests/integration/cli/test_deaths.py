"""What `alula run` does when one of the processes below it is killed."""

from __future__ import annotations

from tests.integration.cli.programs import Shell

KILLS_ITS_KEEPER = """
import os, signal, threading
from pathlib import Path
from alula import task, workflow

@task
def kills(a: int) -> int:
    mark = Path("killed")
    if not mark.exists():
        mark.touch()
        keeper = int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(keeper, signal.SIGKILL)
        threading.Event().wait(60)
    return a + 1

@workflow
def flow() -> int:
    return kills(a=kills(a=1))
"""


def test_workers_are_started_anew_with_the_program_when_what_keeps_them_is_killed(shell: Shell) -> None:
    shell.add("other.py", KILLS_ITS_KEEPER)
    done = shell.process("run", "other.py", "flow")
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
