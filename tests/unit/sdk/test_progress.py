"""What a task says about how far it is, and who hears it."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import alula
from alula.data.stores import Objects
from alula.errors import CallError
from alula.idl import Struct
from alula.sdk import current
from alula.sdk.local import LocalRun, place_at, running
from alula.sdk.progress import Throttled, as_struct, progress


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((1, 4), (0.25, None)),
        ((1, 4, "reading"), (0.25, "reading")),
        ((5, 4), (1.0, None)),
        ((0, 0), (1.0, None)),
        ((0.5,), (0.5, None)),
        ((37,), (None, "37")),
        ((37.5, None, "rows"), (None, "37.5 rows")),
        ((1, 2, "of \udcff.csv"), (0.5, r"of \udcff.csv")),
        ((1, 2, "of ü.csv"), (0.5, "of ü.csv")),
        ((1, 2, "x" * 5_000), (0.5, "x" * 1_000)),
    ],
)
def test_progress_is_a_share_where_that_is_known(given: Any, told: Any) -> None:
    heard: list[Any] = []
    execution = current.Execution(progress=lambda _, done, message: heard.append((done, message)))
    with current.entered(current.Context(execution)):
        progress(*given)
    assert heard == [told]


@pytest.mark.parametrize("given", [("1",), (-1,), (1, -4), (1, "4"), (float("nan"),), (True,), (None,)])
def test_what_is_no_number_is_refused(given: Any) -> None:
    with pytest.raises(CallError, match="progress takes numbers"):
        progress(*given)


def test_outside_of_a_run_nobody_hears_it() -> None:
    progress(1, 2)


@alula.task
def works() -> None:
    alula.progress(1, 2, "half")
    alula.progress(1.9, 2)
    alula.progress(2, 2, "done")


def test_who_observes_a_local_run_hears_it(tmp_path: Path) -> None:
    heard: list[Any] = []
    run = LocalRun(place_at(str(tmp_path), Objects()), observe=lambda *event: heard.append(event))
    with running(run):
        works()
    said = [details for event, _, details in heard if event == "progress"]
    assert said == ["50% half", "100% done"]


def test_much_that_is_said_at_once_is_told_twice_first_and_last() -> None:
    heard: list[Any] = []
    last = threading.Event()

    def send(done: float | None, message: str | None) -> None:
        heard.append((done, message, time.monotonic()))
        if done == 1.0:
            last.set()

    throttled = Throttled(send, 0.05)
    for n in range(101):
        throttled(n / 100, None)
    assert last.wait(30)
    assert heard[0][0] == 0.0
    assert heard[-1][0] == 1.0
    assert all(later[2] - earlier[2] >= 0.045 for earlier, later in pairwise(heard))


def test_nothing_is_told_after_the_end() -> None:
    heard: list[Any] = []
    throttled = Throttled(lambda *what: heard.append(what), 3600)
    throttled(0.1, None)
    throttled(0.2, None)
    throttled.close()
    assert heard == [(0.1, None)]


def test_in_a_file_it_is_a_struct() -> None:
    assert Struct.FromString(as_struct(0.5, "half").SerializeToString()) == {"done": 0.5, "message": "half"}
    assert dict(as_struct(None, None)) == {}
