"""The program that the acceptance tests run in worker processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from alula import Secret, current, dynamic, map_task, task, workflow
from alula.errors import Recoverable, TaskFailure

PATIENCE = 60.0
"""Seconds that a task waits for a file of the test before it gives up."""


@task
def one_more(x: int) -> int:
    return x + 1


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@dynamic
def fan(n: int) -> int:
    return total(xs=[one_more(x=i) for i in range(n)])


@workflow
def fanning(n: int) -> int:
    return fan(n=n)


@workflow
def mapping(xs: list[int]) -> int:
    return total(xs=map_task(one_more)(x=xs))


@task(retries=1, enable_deck=True)
def twice(marks: str) -> str:
    """Fails once, with files left behind; then tells where it is."""
    where = Path(marks)
    print("attempt", len(list(where.iterdir())))
    (where / str(time.time_ns())).write_text("")
    if len(list(where.iterdir())) == 1:
        raise ValueError("not yet")
    return str(current().execution_id.name)


@workflow
def again(marks: str) -> str:
    return twice(marks=marks)


@task
def wait_for(path: str, x: int) -> int:
    """Ends when a file is there."""
    until = time.monotonic() + PATIENCE
    Path(path + f".{x}").write_text(str(os.getpid()))
    while not Path(path).exists():
        if time.monotonic() > until:
            raise TimeoutError(f"{path} did not come")
        time.sleep(0.005)
    return x


@workflow
def waiting(path: str, x: int) -> int:
    return one_more(x=wait_for(path=path, x=x))


@task(secret_requests=[Secret(group="canary", key="token")])
def use_secret(fail: bool, marks: str) -> int:
    token = current().secrets.get("canary", "token")
    Path(marks, f"used-{os.getpid()}").write_text(str(len(token)))
    if fail:
        raise ValueError("it failed, and does not say with what")
    return len(token)


@workflow
def with_secret(fail: bool, marks: str) -> int:
    return use_secret(fail=fail, marks=marks)


@task(retries=1)
def breaks(how: str) -> int:
    """Fails in one of many ways, each time that it is tried."""
    match how:
        case "raises":
            raise ValueError("an ordinary error")
        case "recoverable":
            raise Recoverable("it may work next time")
        case "final":
            raise TaskFailure("it never will", code="USER:Never")
        case "system":
            raise TaskFailure("the machine did it", code="SYSTEM:Disk", recoverable=True, origin="system")
        case "exits":
            os._exit(3)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "wrong type":
            return "seven"  # type: ignore[return-value]
    return 7


@task
def breaks_at_once() -> int:
    raise ValueError("an ordinary error")


@workflow
def breaking(how: str) -> int:
    return breaks(how=how)


@workflow
def breaking_at_once() -> int:
    return breaks_at_once()
