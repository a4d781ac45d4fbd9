"""`alula register` beside `alula run`, in one store."""

from __future__ import annotations

from tests.integration.cli.programs import Shell

FLOW = """
from alula import task, workflow
@task
def one(a: int) -> int:
    return a + 1
@workflow
def flow(a: int) -> int:
    return one(a=a)
"""


def test_a_program_that_ran_can_be_registered_and_runs_again(shell: Shell) -> None:
    shell.add("shop_flow.py", FLOW)
    run = ["run", "-q", "shop_flow.py", "flow", "--a", "1"]
    assert shell.alula(*run).stdout == "2\n"
    first = shell.alula("register", "shop_flow.py")
    assert first.exit_code == 0, first.stderr
    again = shell.alula("register", "shop_flow.py")
    assert again.exit_code == 0, again.stderr
    assert first.stderr.splitlines()[-1] == again.stderr.splitlines()[-1]  # the same version
    other = shell.alula("register", "shop_flow.py", "--image", "registry/shop:v1")
    assert other.exit_code == 0, other.stderr
    assert shell.alula(*run).stdout == "2\n"


def test_a_program_that_was_registered_runs(shell: Shell) -> None:
    shell.add("shop_flow.py", FLOW)
    assert shell.alula("register", "shop_flow.py").exit_code == 0
    done = shell.alula("run", "-q", "shop_flow.py", "flow", "--a", "1")
    assert (done.exit_code, done.stdout) == (0, "2\n"), done.stderr
