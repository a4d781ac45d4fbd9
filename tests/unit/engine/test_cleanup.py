"""Clean-up after attempts, until nothing is left."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta

from alula.engine.cleanup import Closing
from alula.plugin.runner import AttemptId, Job
from tests.unit.engine.drive import FakeRunner, clock, virtual

ID = AttemptId("p", "d", "ex", "n0", 0)


def closing(runner: FakeRunner, longest: float = 60) -> Closing:
    return Closing(
        runner,
        ID,
        abort=True,
        reason="enough",
        rng=random.Random(1),
        longest=timedelta(seconds=longest),
        now=clock().now,
    )


@virtual
async def test_a_clean_up_is_repeated_ever_more_rarely_until_it_succeeds() -> None:
    time, runner, closed = clock(), FakeRunner(broken=10), list[float]()
    one = closing(runner)
    one.closed = lambda: closed.append(time.monotonic())
    one.start()
    await asyncio.sleep(6)
    assert one.stuck is not None
    assert one.stuck.error == "the machine says no"
    await one.over.wait()
    assert len(closed) == 1
    assert len(runner.closed) == 11
    assert 100 <= closed[0] <= 11 * 90


@virtual
async def test_a_runner_that_does_not_answer_is_asked_again_and_a_late_answer_to_the_first_does_not_count() -> None:
    answers: list[Callable[[str], None]] = []

    class Mute(FakeRunner):
        def close(
            self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
        ) -> None:
            answers.append(done)

    one, closed = closing(Mute()), list[int]()
    one.closed = lambda: closed.append(1)
    one.start()
    await asyncio.sleep(120)
    assert len(answers) == 2
    answers[0]("")
    assert not closed
    answers[1]("")
    answers[1]("")
    assert closed == [1]


@virtual
async def test_a_runner_that_raises_is_asked_again() -> None:
    class Raising(FakeRunner):
        tries = 0

        def close(
            self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
        ) -> None:
            self.tries += 1
            if self.tries < 3:
                raise RuntimeError("oops")
            done("")

    one = closing(Raising())
    one.start()
    await one.over.wait()
    assert one.error == "RuntimeError: oops"


@virtual
async def test_nothing_is_asked_after_it_was_called_off() -> None:
    runner = FakeRunner(broken=99)
    one = closing(runner)
    one.start()
    one.cancel()
    await asyncio.sleep(1000)
    assert len(runner.closed) == 1
