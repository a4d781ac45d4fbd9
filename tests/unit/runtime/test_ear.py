from __future__ import annotations

import socket
import threading
from time import perf_counter, thread_time

from alula.runtime.ear import Ear


def test_it_returns_at_once_for_what_is_there_and_for_the_end() -> None:
    ours, theirs = socket.socketpair()
    ear = Ear(ours)
    theirs.send(b"x")
    ear.wait()
    assert ours.recv(9) == b"x"
    theirs.close()
    ear.wait()
    assert ours.recv(9) == b""
    ours.close()


def test_who_lets_it_wait_costs_no_processor() -> None:
    ours, theirs = socket.socketpair()
    ear = Ear(ours)
    theirs.send(b"x")
    ear.wait()  # quick, so the next wait begins awake
    ours.recv(9)
    late = threading.Timer(0.3, theirs.send, (b"y",))
    late.start()
    began, spent = perf_counter(), thread_time()
    ear.wait()
    assert perf_counter() - began > 0.2
    assert thread_time() - spent < 0.1
    late.join()
    ours.close()
    theirs.close()
