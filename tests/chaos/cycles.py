"""Kill, start again, look: engines at random moments, engines at each labelled point, and runs from a command line."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import time

from alula.client.asynchronous import AsyncClient
from alula.engine.crash import POINTS, VARIABLE
from tests.chaos import program
from tests.chaos.arena import Arena, kill, stop

_AT_ONCE = 3
_TRIES = 10
"""So often a run of a command line is killed, unless it is through before."""
_REACHED_SECONDS = 60.0
_ABORTED = (program.waiting, "aborted")
_LEADS = {
    "cache.release.before": (program.doomed, "failed"),
    "close.before": _ABORTED,
    "close.after": _ABORTED,
    "child.abort.before": _ABORTED,
    "child.abort.after": _ABORTED,
}
"""What leads to a label, where the workflow with everything in it does not, and how it ends."""


async def storm(arena: Arena, cycles: int, replicas: int, rng: random.Random) -> list[str]:
    """Kill one of some engines, again and again, while they work; gives what is wrong in the end."""
    executions: dict[int, int] = {}
    faults: list[str] = []
    async with AsyncClient(config=arena.config) as client:
        engines = [arena.engine() for _ in range(replicas)]
        try:
            for _ in range(cycles):
                await _fill(arena, client, executions)
                await asyncio.sleep(rng.uniform(0.02, 2.0) / replicas)
                nth = rng.randrange(replicas)
                faults += kill(engines[nth])
                for id in list(executions)[-_AT_ONCE:]:
                    await arena.remember(client, id)
                engines[nth] = arena.engine()
            await arena.ended(client, executions, engines)
            faults += [fault for engine in engines for fault in stop(engine)]
        finally:
            for engine in engines:
                kill(engine)
        return faults + await arena.check(client, executions, {}) + await arena.left()


async def _fill(arena: Arena, client: AsyncClient, executions: dict[int, int]) -> None:
    """Have some executions under way."""
    store = client.house.store
    latest = [await store.execution_by_id(id) for id in list(executions)[-_AT_ONCE:]]
    for _ in range(_AT_ONCE - sum(record.open for record in latest)):
        x = len(executions) + 1
        executions[(await arena.submit(client, program.main, f"storm{x}", x)).id] = x


WORKERS = tuple(point for point in POINTS if not point.startswith(("acquire", "saved")))
"""Labels that an execution comes by whose tasks all run in workers; the others are for plugins (`jobs`)."""


async def labels(arena: Arena, wanted: tuple[str, ...] = WORKERS) -> list[str]:
    """Have one engine after the other kill itself, each at another labelled point; gives what is wrong in the end."""
    faults: list[str] = []
    executions: dict[int, int] = {}
    phases: dict[int, str] = {}
    async with AsyncClient(config=arena.config) as client:
        for nth, label in enumerate(wanted):
            x = 1000 + nth
            entity, ends = _LEADS.get(label, (program.main, "succeeded"))
            record = await arena.submit(client, entity, f"label{nth}", x)
            executions[record.id] = x
            if ends != "succeeded":
                phases[record.id] = ends
            engine = arena.engine(**{VARIABLE: label})
            if not await _dies(arena, client, engine, label, record.id):
                faults.append(f"no engine came to {label}")
            kill(engine)
        engine = arena.engine()
        await arena.ended(client, executions, [engine])
        faults += stop(engine)
        return faults + await arena.check(client, executions, phases) + await arena.left()


async def _dies(arena: Arena, client: AsyncClient, engine: subprocess.Popen[bytes], label: str, execution: int) -> bool:
    """Whether an engine killed itself, once it was given what leads it to a label."""
    store, told = client.house.store, False
    until = time.monotonic() + _REACHED_SECONDS
    while engine.poll() is None and time.monotonic() < until:
        children = [one for one in await store.executions() if one.parent and one.parent.execution == execution]
        if label.startswith("retire") and not told and await store.nodes(execution):
            engine.send_signal(signal.SIGTERM)
            told = True
        if _LEADS.get(label) == _ABORTED and not told and any(one.phase == "running" for one in children):
            await store.ask(execution, "abort", body=b"to get to the point")
            told = True
        await asyncio.sleep(0.01)
    if _LEADS.get(label) == _ABORTED and not told:  # it died over what the engine before it had left
        await store.ask(execution, "abort", body=b"to get to the end")
    return engine.returncode == -signal.SIGKILL


async def again(arena: Arena, runs: int, rng: random.Random) -> tuple[list[str], int]:
    """`alula run --name`, killed and begun again until it is through; what is wrong, and how often it was killed."""
    faults: list[str] = []
    kills = 0
    for x in range(1, runs + 1):
        words = ["run", "--quiet", "--name", f"again{x}", "tests/chaos/program.py", "main"]
        words += ["--x", str(x), "--trace", str(arena.trace)]
        for nth in range(_TRIES + 1):
            process = arena.process(*words)
            try:
                out, _ = process.communicate(timeout=rng.uniform(0.1, 3.0) if nth < _TRIES else _REACHED_SECONDS)
            except subprocess.TimeoutExpired:
                kill(process)
                kills += 1
                continue
            if process.returncode or int(out or -1) != program.expected(x):
                faults.append(f"run {x} ended with {process.returncode} and said {out!r}")
            break
    async with AsyncClient(config=arena.config) as client:
        return faults + await arena.check(client, {}, {}) + await arena.left(), kills
