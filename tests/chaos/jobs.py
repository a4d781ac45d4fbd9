"""`alula run` and `alula serve` killed at every labelled point while their jobs are in a cloud: none may be left."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Sequence

from alula.client.asynchronous import Ask, AsyncClient
from alula.client.submission import literals_of, submission
from alula.engine.crash import CALLS, VARIABLE
from tests.chaos import cloud
from tests.chaos.arena import Arena, kill, stop

_PATIENCE = 60.0
_REMOTE = ("open", "create", "find", "get", "outputs", "delete")
ALL = (
    *(point for point in CALLS if point.split(".")[1] in _REMOTE),
    "start.before",
    "start.after",
    "acquire.before",
    "acquire.after",
    "commit.before",
    "commit.after",
    "saved.before",
    "saved.after",
    "perform.after",
    "close.before",
    "close.after",
)
"""Labels that a job in a cloud comes by."""
ABORTED = ("call.delete.before", "call.delete.after", "call.find.before", "call.find.after", "close.before")
"""Labels tried while somebody aborts."""


def runs(arena: Arena, wanted: Sequence[str] = ALL) -> list[str]:
    """`alula run`, killed at each point and begun again; what is wrong in the end."""
    faults: list[str] = []
    with cloud.clouds(arena.home) as (remote, variables):
        for nth, label in enumerate(wanted):
            x = nth + 1
            deaths = ["call.create.after"] if label.startswith("call.find") else []
            for point in [*deaths, label]:
                code, _ = _run(arena, x, variables, **{VARIABLE: point})
                if code != -signal.SIGKILL:
                    faults.append(f"no run came to {point}: it ended with {code}")
            code, out = _run(arena, x, variables)
            if code or out != str(4 * x):
                faults.append(f"after {label}, run {x} ended with {code} and said {out!r}")
            faults += [f"after {label}, job {name} is left" for name in remote.left()]
        faults += [f"{name} was made twice" for name in remote.doubled()]
        if remote.made() < 2 * len(wanted):
            faults.append(f"only {remote.made()} jobs were made")
    return faults


def _run(arena: Arena, x: int, variables: dict[str, str], **environ: str) -> tuple[int, str]:
    words = ["run", "--quiet", "--name", f"jobs{x}", "tests/chaos/cloud.py", "main", "--x", str(x)]
    process = arena.process(*words, **variables, **environ)
    try:
        out, _ = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        kill(process)
        return 999, ""
    return process.returncode, out.decode().strip()


async def aborts(arena: Arena, wanted: Sequence[str] = ABORTED) -> list[str]:
    """Engines that die over an execution that somebody aborts; what is wrong in the end."""
    faults: list[str] = []
    with cloud.clouds(arena.home) as (remote, variables):
        async with AsyncClient(config=arena.config) as client:
            for nth, label in enumerate(wanted):
                made = submission(
                    cloud.hanging,
                    place=client.constants,
                    module="tests.chaos.cloud",
                    project="default",
                    domain="development",
                )
                name = f"aborted{nth}"
                given = await literals_of(cloud.hanging, {"x": nth}, client.place(name))
                record = (await client.submit(made, given, Ask(name))).record
                if label.startswith("call.find"):
                    first = arena.engine(**variables, **{VARIABLE: "call.create.after"})
                    await _until(lambda engine=first: engine.poll() is not None)
                    await client.house.store.ask(record.id, "abort", body=b"enough")
                engine = arena.engine(**variables, **{VARIABLE: label})
                if not label.startswith("call.find"):
                    await _until(lambda count=nth: remote.made() > count)
                    await client.house.store.ask(record.id, "abort", body=b"enough")
                await _until(lambda one=engine: one.poll() is not None)
                if engine.returncode != -signal.SIGKILL:
                    faults.append(f"no engine came to {label}")
                kill(engine)
                last = arena.engine(**variables)
                await arena.ended(client, {record.id: nth}, [last])
                faults += stop(last)
                ended = await client.house.store.execution_by_id(record.id)
                if ended.phase != "aborted":
                    faults.append(f"after {label}, {name} is {ended.phase}: {ended.error}")
                faults += [f"after {label}, job {job} is left" for job in remote.left()]
        faults += [f"{name} was made twice" for name in remote.doubled()]
    return faults


async def _until(true) -> None:  # type: ignore[no-untyped-def]
    until = time.monotonic() + _PATIENCE
    while not true() and time.monotonic() < until:
        await asyncio.sleep(0.05)
