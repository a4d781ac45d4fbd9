"""The keeper: a process that runs none of the user's code, and sees to it that what must end ends.

It is the parent of the zygotes, and adopts every process whose parents are dead. So whatever a task started, however
well it hid, is a descendant of its worker while that lives, and of the keeper afterwards. When the engine's end of the
socket closes, which it also does when the engine is killed, everything below the keeper is killed.

Its own parent, the guard, waits for nothing but its end: then it kills what the keeper, if it was killed itself, has
left. So the engine adopts nothing, and no process of the program that it is in is ever taken for one of a task.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from alula._kits.frames import Frames, framed
from alula.idl import worker as wire
from alula.runtime.processes import Process, Table, adopt_orphans, has_children, shared_out_bytes, signal_all

_TICK_SECONDS = 0.01
"""Between two looks at what is to end."""
_SAMPLE_SECONDS = 0.1
"""Between two looks at memory."""
_PATIENCE_SECONDS = 60.0
"""After so long, what could not be killed is left: it hangs in the kernel, or belongs to another user."""
_PASSES = 50
"""Rounds of stopping a tree that grows while it is stopped."""

ZygoteMain = Callable[[socket.socket, int], NoReturn]
"""Takes the socket to the engine, and the pid of the keeper."""


@dataclass(slots=True)
class _Ending:
    """A process that is to end, with all that descends from it."""

    order: wire.End
    deadline: float
    members: dict[int, int] = field(default_factory=dict)
    """Pid and start of each process that was asked to end, until the deadline."""
    clean: int = 0
    """Looks in a row at which nothing was left; a process can slip through one of them."""


class Keeper:
    """Serves one engine until its socket closes.

    Args:
        channel: To the engine.
        zygote: Runs a zygote in a fork of this process; None: zygotes are fresh processes only.
    """

    def __init__(self, channel: socket.socket, zygote: ZygoteMain | None = None) -> None:
        self._channel, self._zygote_main = channel, zygote
        self._frames, self._fds = Frames(), list[int]()
        self._spool = ""
        self._zygotes: dict[int, int] = {}
        self._endings: list[_Ending] = []
        self._limits: dict[int, int] = {}
        self._sampled = 0.0
        self._leased_until = 0.0
        """When the engine must have spoken again; 0: it need not."""

    def serve(self) -> NoReturn:
        """Do as the engine says, until it is gone."""
        adopt_orphans()
        waker, woken = os.pipe()
        os.set_blocking(waker, False)
        os.set_blocking(woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.SIG_IGN)  # it ends when the engine does
        poller = select.poll()
        poller.register(self._channel, select.POLLIN)
        poller.register(waker, select.POLLIN)
        self._say(wire.Ready(wire.VERSION, os.getpid()))
        while True:
            for fd, _ in poller.poll(self._patience()):
                if fd == waker:
                    with suppress(BlockingIOError):
                        os.read(waker, 4096)
                elif not self._listen():
                    self._kill_everything()
            self._reap()
            self._expire()
            self._end()
            self._measure()

    def _patience(self) -> float | None:
        """Milliseconds until there is something to look at."""
        if self._endings:
            return _TICK_SECONDS * 1000
        if self._limits:
            return _SAMPLE_SECONDS * 1000
        return max(0.0, self._leased_until - time.monotonic()) * 1000 if self._leased_until else None

    def _listen(self) -> bool:
        """Take what the engine says; False: it is gone."""
        try:
            data, fds, _, _ = socket.recv_fds(self._channel, 65536, 16)
        except ConnectionError:
            return False
        self._fds += fds
        for payload in self._frames.feed(data):
            self._obey(wire.decode(payload))
        return bool(data)

    def _obey(self, message: wire.Message) -> None:
        match message:
            case wire.Keep(spool):
                self._spool = spool
            case wire.Begin():
                self._begin(message)
            case wire.End():
                self._endings.append(_Ending(message, time.monotonic() + message.grace_seconds))
                self._limits.pop(message.pid, None)
            case wire.Watch(pid, limit):
                if limit:
                    self._limits[pid] = limit
                else:
                    self._limits.pop(pid, None)
            case wire.Lease(seconds):
                self._leased_until = time.monotonic() + seconds

    def _say(self, message: wire.Message) -> None:
        with suppress(ConnectionError):
            self._channel.sendall(framed(wire.encode(message)))

    # zygotes

    def _begin(self, order: wire.Begin) -> None:
        channel = socket.socket(fileno=self._fds.pop(0))
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._zygotes[pid] = order.zygote
            channel.close()
            return
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.SIG_DFL)
        self._channel.close()
        output = os.open(order.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if self._zygote_main is not None and not order.interpreter:
            self._zygote_main(channel, parent)
        os.set_inheritable(channel.fileno(), True)
        interpreter = order.interpreter or sys.executable
        words = [interpreter, "-P", "-m", "alula.runtime.zygote", str(channel.fileno()), str(parent)]
        try:
            os.execv(words[0], words)
        except OSError as exc:
            problem = f"{words[0]} cannot be started: {exc.strerror}"
            channel.sendall(framed(wire.encode(wire.Ready(wire.VERSION, os.getpid(), problem))))
        os._exit(1)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in self._zygotes:
                    self._say(wire.Lost(self._zygotes.pop(pid), status))

    # what is to end

    def _end(self) -> None:
        """One look at all that is to end."""
        if not self._endings:
            return
        table, now = Table(), time.monotonic()
        for ending in self._endings:
            self._press(ending, table, now)
        orphans = [row for row in table.children(os.getpid()) if row.pid not in self._zygotes and not row.dead]
        for orphan in orphans:
            self._press_orphan(orphan, now)
        for ending in self._endings:
            ending.clean = 0 if orphans or table.alive(ending.order.pid) else ending.clean + 1
        for ending in [one for one in self._endings if one.clean >= 2 or now > one.deadline + _PATIENCE_SECONDS]:
            self._endings.remove(ending)
            self._say(wire.Gone(ending.order.ticket))

    def _press(self, ending: _Ending, table: Table, now: float) -> None:
        pid = ending.order.pid
        if not table.alive(pid):
            return
        if now >= ending.deadline:
            _kill_tree(pid)
        elif not ending.members:
            tree = table.tree(pid)
            ending.members = {row.pid: row.started for row in tree}
            signal_all(tree, signal.SIGTERM)
            signal_all(tree, signal.SIGCONT)

    def _press_orphan(self, orphan: Process, now: float) -> None:
        """Its parents are dead, so it may live as long as one of those that end has time to; else not at all."""
        in_time = [one for one in self._endings if now < one.deadline]
        if any(one.members.get(orphan.pid) == orphan.started for one in in_time):
            return
        if in_time:
            in_time[0].members[orphan.pid] = orphan.started
            signal_all([orphan], signal.SIGTERM)
        else:
            _kill_tree(orphan.pid)

    def _expire(self) -> None:
        """The engine is silent, maybe stopped: another one may begin what runs here anew, so it must not go on."""
        if self._leased_until and time.monotonic() >= self._leased_until:
            self._leased_until = 0.0
            self._kill_descendants()

    def _kill_everything(self) -> NoReturn:
        """Kill all descendants, remove the spool, end."""
        self._kill_descendants()
        if self._spool:
            shutil.rmtree(self._spool, ignore_errors=True)
        os._exit(0)

    def _kill_descendants(self) -> None:
        _kill_below(self._reap)

    # memory

    def _measure(self) -> None:
        now = time.monotonic()
        if not self._limits or now < self._sampled + _SAMPLE_SECONDS:
            return
        self._sampled = now
        table = Table()
        for pid, limit in list(self._limits.items()):
            tree = table.tree(pid)
            if sum(row.resident_bytes for row in tree) <= limit:
                continue
            used = shared_out_bytes(row.pid for row in tree)
            if used > limit:
                del self._limits[pid]
                self._say(wire.Over(pid, used))


def guarded(channel: socket.socket, zygote: ZygoteMain | None = None) -> NoReturn:
    """Be the guard of a keeper, which is a fork of this process. Ends when nothing of both is left."""
    adopt_orphans()
    keeper = os.fork()
    if not keeper:
        Keeper(channel, zygote).serve()
    channel.close()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    os.waitpid(keeper, 0)
    _kill_below(has_children)
    os._exit(0)


def _kill_below(reap: Callable[[], object]) -> None:
    """Kill all descendants of this process; `reap` forgets those that are dead."""
    clean, patience = 0, time.monotonic() + _PATIENCE_SECONDS
    while clean < 2 and time.monotonic() < patience:
        left = [row for row in Table().tree(os.getpid())[1:] if not row.dead]
        clean = 0 if left else clean + 1
        signal_all(left, signal.SIGSTOP)
        signal_all(left, signal.SIGKILL)
        reap()
        if left:
            time.sleep(_TICK_SECONDS / 5)


def _kill_tree(pid: int) -> None:
    """Kill a process and its descendants; they are stopped first, so that none can start another meanwhile."""
    stopped: dict[int, Process] = {}
    for _ in range(_PASSES):
        new = [row for row in Table().tree(pid) if row.pid not in stopped]
        if not new:
            break
        signal_all(new, signal.SIGSTOP)
        stopped.update((row.pid, row) for row in new)
    signal_all(stopped.values(), signal.SIGKILL)


def main() -> NoReturn:
    """`python -m alula.runtime.keeper FD`: a keeper whose zygotes are fresh processes."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    os.setsid()
    guarded(channel)


if __name__ == "__main__":
    main()
