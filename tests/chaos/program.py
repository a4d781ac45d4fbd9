"""What runs while processes are killed: every kind of node, and tasks that leave a trace of each attempt.

An attempt holds a lock on a file of its own while it runs, which the kernel takes away when it dies: a second run of
the same attempt at the same time finds it taken.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alula import Cache, LaunchPlan, current_context, dynamic, map_task, task, workflow
from alula.errors import Recoverable

LIMIT = 1_000_003
BIG = 100_000


@contextmanager
def traced(trace: str) -> Iterator[random.Random]:
    """Leave a trace of this attempt, take some milliseconds, and sometimes die."""
    prefix = current_context().output_metadata_prefix
    name = hashlib.sha256(prefix.encode()).hexdigest()[:24]
    lock = os.open(Path(trace) / f"{name}.lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        said = "begin"
    except BlockingIOError:
        said = "OVERLAP"
    _say(trace, f"{said} {os.getpid()} {prefix}")
    dice = random.Random()
    time.sleep(dice.random() * 0.05)
    if dice.random() < 0.02:
        os.kill(os.getpid(), signal.SIGKILL)
    yield dice
    _say(trace, f"end {os.getpid()} {prefix}")
    os.close(lock)


def _say(trace: str, line: str) -> None:
    with open(Path(trace) / "attempts.txt", "a") as out:
        out.write(line + "\n")


@task(retries=8)
def step(x: int, trace: str) -> int:
    with traced(trace):
        return (3 * x + 1) % LIMIT


@task(retries=8)
def numbers(x: int, trace: str) -> list[int]:
    with traced(trace):
        return [x + nth for nth in range(6)]


@task(retries=8)
def part(x: int, trace: str) -> int:
    with traced(trace):
        return x * x % LIMIT


@task(retries=8)
def total(xs: list[int], trace: str) -> int:
    with traced(trace):
        return sum(xs) % LIMIT


@task(retries=8, cache=Cache(version="1", serialize=True))
def kept(x: int, trace: str) -> int:
    with traced(trace):
        return x * 7 % LIMIT


@task(retries=8)
def flaky(x: int, trace: str) -> int:
    """Fails at most three times, and not later: the waits before retries double."""
    attempt = int(current_context().output_metadata_prefix.rpartition("/")[2])
    with traced(trace) as dice:
        if attempt < 3 and dice.random() < 0.3:
            raise Recoverable("this time it did not work")
        return x + 5


@task(retries=8)
def large(x: int, trace: str) -> str:
    with traced(trace):
        return f"{x:07}" * (BIG // 7)


@task(retries=8)
def first(text: str, trace: str) -> int:
    with traced(trace):
        return int(text[:7])


@task(retries=8)
def lengths(texts: list[str], trace: str) -> int:
    with traced(trace):
        return sum(len(text) for text in texts)


@task(cache=Cache(version="1", serialize=True))
def broken(x: int, trace: str) -> int:
    with traced(trace):
        raise ValueError("it never works")


@task
def nap(x: int, trace: str) -> int:
    with traced(trace):
        time.sleep(60)
        return x


@workflow
def asleep(x: int, trace: str) -> int:
    return nap(x=x, trace=trace)


sleeper = LaunchPlan.get_or_create(asleep, name="chaos.sleeper")


@workflow
def waiting(x: int, trace: str) -> int:
    """Goes on for so long that somebody can abort it."""
    return step(x=sleeper(x=x, trace=trace), trace=trace)


@dynamic(retries=8)
def grow(x: int, trace: str) -> int:
    y = x
    for _ in range(x % 3 + 1):
        y = step(x=y, trace=trace)
    return y


@workflow
def inner(x: int, trace: str) -> int:
    return step(x=step(x=x, trace=trace), trace=trace)


child = LaunchPlan.get_or_create(inner, name="chaos.child")


@workflow
def main(x: int, trace: str) -> int:
    a = step(x=x, trace=trace)
    parts = map_task(functools.partial(part, trace=trace))(x=numbers(x=a, trace=trace))
    b = total(xs=parts, trace=trace)
    c = inner(x=b, trace=trace)
    d = grow(x=c, trace=trace)
    e = kept(x=d, trace=trace)
    f = flaky(x=e, trace=trace)
    g = child(x=f, trace=trace)
    h = first(text=large(x=g, trace=trace), trace=trace)
    texts = map_task(functools.partial(large, trace=trace))(x=numbers(x=h, trace=trace))
    return total(xs=[h, lengths(texts=texts, trace=trace)], trace=trace)


@workflow
def doomed(x: int, trace: str) -> int:
    return broken(x=step(x=x, trace=trace), trace=trace)


def expected(x: int) -> int:
    """What `main` gives."""

    def once(value: int) -> int:
        return (3 * value + 1) % LIMIT

    a = once(x)
    b = sum((a + nth) ** 2 % LIMIT for nth in range(6)) % LIMIT
    c = once(once(b))
    d = c
    for _ in range(c % 3 + 1):
        d = once(d)
    h = once(once(d * 7 % LIMIT + 5))
    return (h + 6 * 7 * (BIG // 7)) % LIMIT
