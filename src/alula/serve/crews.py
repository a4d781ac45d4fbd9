"""Workers for programs, from settings: forked from this process where it has the code, else fresh interpreters."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from alula._kits.clock import SystemClock
from alula.backends.pool.crew import Start
from alula.backends.pool.logs import Tail
from alula.backends.pool.pool import Pool, room_of
from alula.config import Config
from alula.idl import worker as wire
from alula.runtime import zygote
from alula.serve.code import Code
from alula.serve.flytekit import Flytekit, python_of
from alula.serve.programs import Programs


@dataclass(frozen=True, slots=True)
class Forked:
    """A process that was forked from this one, and has its modules."""

    code: Code
    root: wire.Root


def fork(code: Code) -> Forked | None:
    """A fork of this process, for the program that it has loaded; None: it cannot be forked any more.

    Call it before anything starts a thread or an event loop.
    """
    if threading.active_count() > 1 or ("asyncio" in sys.modules and _loop_runs()):
        return None
    return Forked(code, zygote.fork())


def programs(
    config: Config,
    *,
    forked: Forked | None = None,
    tail: Tail | None = None,
    platform: Callable[[], Mapping[str, str]] = dict,
    ready: bool = False,
) -> Programs:
    """Runs the tasks of every program whose code lies on this machine, and those that flytekit registered.

    Args:
        forked: Workers of this program come from there.
        tail: Is told what running tasks print.
        platform: Variables that say to flytekit's tasks where the control plane is, once it is known.
        ready: Have workers for these at once, if the settings name their Python.
    """
    clock, room = SystemClock(), room_of(config.workers)

    def make(code: Code | None) -> Pool:
        root = forked.root if forked is not None and code is not None and code.key == forked.code.key else None
        start = None
        if code is not None:  # also where workers are forked: if that process dies, fresh ones take over
            start = Start(code.interpreter if root is None else "", (code.root,), (code.module,))
        return Pool(config.workers, clock=clock, root=root, start=start, tail=tail, room=room)

    def with_flytekit() -> Flytekit:
        def pool(start: Start) -> Pool:
            return Pool(config.workers, clock=clock, start=start, tail=tail, room=room)

        return Flytekit(config.workers, pool, platform)

    accepts = Pool(config.workers, clock=clock, room=room).accepts
    theirs = with_flytekit if python_of(config.workers) else None
    return Programs(make, accepts, theirs, ready=ready and bool(config.workers.python))


def _loop_runs() -> bool:
    events = sys.modules["asyncio"].events
    return events._get_running_loop() is not None
