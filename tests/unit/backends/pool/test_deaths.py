"""What is said of a worker that died."""

from __future__ import annotations

import signal

import pytest

from alula.backends.pool import deaths
from alula.plugin.failure import FailureKind


def test_a_kill_is_the_kernels_if_it_says_so() -> None:
    failure = deaths.of(signal.SIGKILL, out_of_memory=True)
    assert (failure.code, failure.kind, failure.recoverable) == ("OutOfMemory", FailureKind.USER, True)
    assert "memory request" in failure.message


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_another_kill_is_nobodys_fault_who_wrote_the_task(signum: signal.Signals) -> None:
    failure = deaths.of(signum, out_of_memory=False)
    assert (failure.code, failure.kind, failure.recoverable) == ("Killed", FailureKind.SYSTEM, True)
    assert signum.name in failure.message


def test_a_crash_while_memory_was_short_is_a_crash() -> None:
    assert deaths.of(signal.SIGSEGV, out_of_memory=True).code == "USER:SIGSEGV"


def test_what_was_held_and_what_may_be_held_are_both_said() -> None:
    failure = deaths.over_limit(300 << 20, 200 << 20)
    assert "held 300 MiB of memory, and their limit is 200 MiB" in failure.message


def test_kills_of_the_kernel_only_add_up() -> None:
    before = deaths.kernel_kills()
    assert deaths.kernel_kills() >= before >= 0
