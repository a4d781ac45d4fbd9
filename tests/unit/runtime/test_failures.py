"""Exceptions as error documents: who is to blame, and whether another attempt is worth it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import alula
from alula import task
from alula.errors import (
    CallError,
    ConfigError,
    ConversionError,
    DamagedData,
    DataError,
    PluginError,
    Recoverable,
    TaskFailure,
    TaskTimeout,
)
from alula.idl import ContainerError, ErrorDocument, ExecutionError
from alula.runtime.failures import Phase, document, retries_of

AT = datetime(2024, 2, 29, 12, 30, 15, 250_000, tzinfo=UTC)
AGAIN, NEVER = ContainerError.RECOVERABLE, ContainerError.NON_RECOVERABLE
USER, SYSTEM = ExecutionError.USER, ExecutionError.SYSTEM


def error_of(exc: BaseException, *, retries: int = 0, phase: Phase = Phase.TASK) -> ContainerError:
    made: ErrorDocument = document(exc, phase=phase, retries=retries, at=AT, worker="w0")
    return made.error


CASES = [
    (ValueError("x"), 0, NEVER, USER, "USER:ValueError"),
    (ValueError("x"), 2, AGAIN, USER, "USER:ValueError"),
    (SystemExit(1), 2, NEVER, USER, "USER:SystemExit"),
    (Recoverable("x"), 0, AGAIN, USER, "USER:Recoverable"),
    (TaskTimeout("x"), 0, AGAIN, USER, "Timeout"),
    (TaskFailure("x", code="OOM", origin="system"), 0, NEVER, SYSTEM, "OOM"),
    (CallError("x"), 2, NEVER, USER, "USER:CallError"),
    (ConversionError("x"), 2, NEVER, USER, "USER:ConversionError"),
    (DataError("x"), 0, AGAIN, SYSTEM, "SYSTEM:DataError"),
    (PluginError("x"), 2, NEVER, SYSTEM, "SYSTEM:PluginError"),
]


@pytest.mark.parametrize(("exc", "retries", "kind", "origin", "code"), CASES)
def test_kind_origin_and_code_follow_from_the_exception(
    exc: BaseException, retries: int, kind: int, origin: int, code: str
) -> None:
    found = error_of(exc, retries=retries)
    assert (found.kind, found.origin, found.code) == (kind, origin, code)


EARLY = [
    (Phase.CODE, ModuleNotFoundError("No module named 'm'"), NEVER, USER),
    (Phase.CODE, ConfigError("no such task"), NEVER, USER),
    (Phase.CODE, DataError("the bundle is gone"), AGAIN, SYSTEM),
    (Phase.INPUTS, DamagedData("no LiteralMap"), NEVER, SYSTEM),
    (Phase.INPUTS, DataError("the store is down"), AGAIN, SYSTEM),
]


@pytest.mark.parametrize(("phase", "exc", "kind", "origin"), EARLY)
def test_before_the_task_runs_its_author_answers_for_code_and_the_platform_for_bytes(
    phase: Phase, exc: Exception, kind: int, origin: int
) -> None:
    found = error_of(exc, phase=phase)
    assert (found.kind, found.origin) == (kind, origin)


def test_time_and_worker_are_written_down() -> None:
    found = error_of(ValueError("x"))
    assert found.timestamp.ToDatetime(tzinfo=UTC) == AT
    assert found.worker == "w0"


@task
def fails(a: int) -> int:
    return broken(a)


def broken(a: int) -> int:
    raise ValueError(f"no {a}")


def raised(call: Callable[[], object]) -> BaseException:
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


def test_the_traceback_has_the_users_frames_and_none_of_ours() -> None:
    message = error_of(raised(lambda: fails(a=3))).message
    assert "in broken" in message
    assert "in fails" in message
    assert "ValueError: no 3" in message
    assert "test_failures.fails' (" in message  # the note that names the task
    assert str(Path(alula.__file__).parent) not in message


def test_a_message_beyond_all_bounds_loses_its_middle() -> None:
    message = error_of(ValueError("x" * 300_000 + "end")).message
    assert len(message) < 110_000
    assert message.endswith("end\n")


def test_a_name_of_a_file_that_is_no_text_can_be_told() -> None:
    with pytest.raises(FileNotFoundError) as raised:
        os.stat(os.fsdecode(b"/nowhere/\xff"))
    assert r"No such file or directory: '/nowhere/\udcff'" in error_of(raised.value).message
    assert r"odd \udc80 text" in error_of(ValueError("odd \udc80 text")).message


def test_retries_are_those_of_the_task() -> None:
    @task(retries=3)
    def again() -> None: ...

    assert retries_of(again) == 3
    assert retries_of(fails) == 0
