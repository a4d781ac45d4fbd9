"""Waiting without falling asleep, and an event loop that can."""

from __future__ import annotations

import asyncio
import socket
import threading
from time import thread_time

from alula._kits import loops
from alula._kits.awake import Awake, processors


class Watch:
    """Goes on by `step` seconds whenever it is looked at."""

    def __init__(self, step: float = 1e-5) -> None:
        self.at, self.step, self.looks = 100.0, step, 0

    def __call__(self) -> float:
        self.looks += 1
        self.at += self.step
        return self.at


def test_it_gives_what_is_there_at_once_and_nothing_after_its_time() -> None:
    watch = Watch()
    awake = Awake(watch)
    assert awake.until(lambda: [1], 0.0) == [1]
    began = watch.at
    assert awake.until(list, 0.01) == []
    assert 0.009 < watch.at - began < 0.011


def test_it_looks_until_something_is_there() -> None:
    looks = iter([[], [], ["x"]])
    assert Awake(Watch()).until(lambda: next(looks), 5.0) == ["x"]


def test_it_leaves_the_processor_to_others_and_the_longer_the_sooner_they_are_met_again() -> None:
    watch = Watch()
    awake = Awake(watch)

    def rest() -> float:
        """How long it gives up at once, after it has met others."""
        watch.step = 0.002
        awake.until(list, 1.0)
        watch.step, since = 1e-5, watch.at
        while True:
            before = watch.at
            awake.until(list, 0.001)
            if watch.at - before > 0.0009:
                return before - since
            watch.at += 0.001

    rests = [rest() for _ in range(8)]
    wanted = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert all(abs(one - other) < 0.01 for one, other in zip(rests, wanted, strict=True)), rests
    watch.at += 60
    assert rest() < 0.06


def test_there_are_processors() -> None:
    assert processors() >= 1


def test_a_loop_that_expects_something_hears_it_and_its_timers() -> None:
    async def work() -> list[str]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, loops.Loop)
        ours, theirs = socket.socketpair()
        heard: asyncio.Queue[str] = asyncio.Queue()
        loop.add_reader(ours.fileno(), lambda: heard.put_nowait(ours.recv(9).decode()))
        loop.expect(0.2)
        theirs.send(b"now")
        said = [await heard.get()]
        loop.expect(0.001)
        loop.call_later(0.02, heard.put_nowait, "timer")
        said.append(await heard.get())
        loop.remove_reader(ours.fileno())
        ours.close()
        theirs.close()
        return said

    assert loops.run(work()) == ["now", "timer"]


def test_a_loop_that_was_told_in_vain_falls_asleep() -> None:
    async def work() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, loops.Loop)
        ours, theirs = socket.socketpair()
        heard = asyncio.Event()
        loop.add_reader(ours.fileno(), heard.set)
        late = threading.Timer(0.3, theirs.send, (b"y",))
        late.start()
        spent = thread_time()
        loop.expect(0.001)
        await heard.wait()
        loop.remove_reader(ours.fileno())
        late.join()
        ours.close()
        theirs.close()
        return thread_time() - spent

    assert loops.run(work()) < 0.1
