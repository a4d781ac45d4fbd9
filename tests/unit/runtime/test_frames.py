"""Tracebacks without the frames between us and the user."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable

import pytest

from alula import task, workflow
from alula.errors import CallError
from alula.runtime.frames import folded, is_users
from alula.sdk.bind import arguments


@task
def inner(a: int) -> int:
    return 1 // a


@task
async def later(a: int) -> int:
    return 1 // a


@workflow
def outer(a: int) -> int:
    return inner(a=a)


def raised(call: Callable[[], object]) -> BaseException:
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


def functions(shown: traceback.TracebackException) -> list[str]:
    return [frame.name for frame in shown.stack]


def test_frames_of_ours_are_left_out_and_counted() -> None:
    exc = raised(lambda: outer(a=0))
    shown, left_out = folded(exc)
    assert functions(shown)[-1] == "inner"
    assert not any("walk" in frame.filename for frame in shown.stack)
    assert left_out == len(traceback.extract_tb(exc.__traceback__)) - len(shown.stack)
    assert left_out > 3


def test_the_machinery_before_the_users_code_is_left_out_too() -> None:
    @workflow
    def waits(a: int) -> int:
        return later(a=a)  # type: ignore[return-value]

    shown, _ = folded(raised(lambda: waits(a=0)))
    assert functions(shown)[-1] == "later"
    assert not any("alula/sdk" in frame.filename for frame in shown.stack)


def test_an_error_of_ours_alone_keeps_its_frames() -> None:
    try:
        arguments("t", inner.interface, (), {"b": 1})
    except CallError as exc:
        exc.__traceback__ = exc.__traceback__.tb_next if exc.__traceback__ else None
        shown, left_out = folded(exc)
    assert functions(shown) == ["arguments"]
    assert left_out == 0


def test_causes_and_members_of_groups_are_folded_too() -> None:
    cause = raised(lambda: outer(a=0))
    try:
        raise ExceptionGroup("several", [cause]) from cause  # type: ignore[list-item]
    except ExceptionGroup as group:
        text = "".join(folded(group)[0].format())
    assert "in inner" in text
    assert "sdk/walk.py" not in text


@dataclasses.dataclass
class Settings:
    x: int

    def __post_init__(self) -> None:
        raise ValueError("no")


def test_the_constructor_that_a_dataclass_has_is_nobodys_frame() -> None:
    with pytest.raises(ValueError, match="no") as caught:
        Settings(1)
    _, made, theirs = traceback.extract_tb(caught.value.__traceback__)
    assert (made.name, is_users(made)) == ("__init__", False)
    assert (theirs.name, is_users(theirs)) == ("__post_init__", True)
