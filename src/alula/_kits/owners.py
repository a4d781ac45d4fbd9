"""Names of processes, engines among them: one that died on this machine is known to be dead at once."""

from __future__ import annotations

import hashlib
import os
import socket
from functools import cache
from pathlib import Path


def name(*, host: str, pid: int, start: int, token: str) -> str:
    """The name of an engine: its machine, its process, and something that no other engine has."""
    return f"{host}:{pid}:{start}:{token}"


def of_this_process(token: str) -> str:
    """The name of an engine in this process. `token` tells it from others in the same process."""
    pid = os.getpid()
    return name(host=machine(), pid=pid, start=started(pid) or 0, token=token)


def gone(owner: str) -> bool:
    """Whether it is certain that the process of an engine has ended. Never certain of another machine's."""
    parts = owner.split(":")
    if len(parts) != 4 or parts[0] != machine() or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return False
    pid, start = int(parts[1]), int(parts[2])
    now = started(pid)
    if now is None:
        return not _exists(pid)
    return now != start and start > 0


@cache
def machine() -> str:
    """A fingerprint of what process ids mean here: the machine, since when it is up, and the namespace."""
    facts = [socket.gethostname()]
    for source in (Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")):
        try:
            facts.append(str(source.readlink()) if source.is_symlink() else source.read_text())
        except OSError:
            facts.append("")
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]


def started(pid: int) -> int | None:
    """When a process started, in ticks since the machine did; 0 if it has ended and was not waited for yet.

    None: nothing can be said, since there is no such process, it is hidden, or this is no Linux.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return 0 if fields[0] in "ZX" else int(fields[19])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
