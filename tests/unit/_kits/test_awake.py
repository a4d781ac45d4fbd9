"""Waiting without falling asleep, and an event loop that can."""

from __future__ import annotations

import asyncio
import socket
import threading
from time import perf_counter, thread_time

from alula._kits import loops
from alula._kits.awake import Awake, processors


def test_it_gives_what_is_there_at_once_and_nothing_after_its_time() -> None:
    awake = Awake()
    assert awake.until(lambda: [1], 0.0) == [1]
    began = perf_counter()
    assert awake.until(list, 0.01) == []
    assert perf_counter() - began < 5


def test_it_looks_until_something_is_there() -> None:
    looks = iter([[], [], ["x"]])
    assert Awake().until(lambda: next(looks), 5.0) == ["x"]


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
