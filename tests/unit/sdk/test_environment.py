"""`Environment`: shared settings."""

from __future__ import annotations

import pytest

from alula import Environment
from alula.errors import SignatureError

env = Environment(retries=2, environment={"A": "1"})


@env.task
def plain(a: int) -> int:
    return a + 1


@env.task(retries=5, environment={"B": "2"})
def own(a: int) -> int:
    return a


@env
def called(a: int) -> int:
    return a


@env.dynamic(timeout=3)
def dyn(a: int) -> int:
    return plain(a=a)


def test_tasks_have_the_settings_of_their_environment() -> None:
    assert plain.options.retries == called.options.retries == dyn.options.retries == 2
    assert dyn.options.seconds == 3
    assert plain(a=1) == 2
    assert dyn(a=1) == 2


def test_what_a_task_says_itself_counts_and_dictionaries_are_merged() -> None:
    assert own.options.retries == 5
    assert own.options.environment == {"A": "1", "B": "2"}


def test_extending_leaves_the_first_as_it_is() -> None:
    more = env.extend(retries=9, interruptible=True)
    assert more.settings == {"retries": 9, "interruptible": True, "environment": {"A": "1"}}
    assert env.settings["retries"] == 2


def test_updating_holds_for_later_tasks_only() -> None:
    mine = Environment(retries=1)

    @mine.task
    def before(a: int) -> int:
        return a

    mine.update(retries=4)

    @mine.task
    def after(a: int) -> int:
        return a

    assert (before.options.retries, after.options.retries) == (1, 4)


def test_the_settings_can_be_shown() -> None:
    assert env.show() == "environment = {'A': '1'}\nretries = 2"


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(SignatureError, match="no setting 'retry'"):
        Environment(retry=1)  # type: ignore[call-arg]
    with pytest.raises(SignatureError, match="no setting 'retry'"):
        env.extend(retry=1)  # type: ignore[call-arg]
