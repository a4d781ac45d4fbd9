"""Answers to gates on a command line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alula import LaunchPlan, approve, conditional, dynamic, task, wait_for_input, workflow
from alula.cli.answers import typed
from alula.data.stores import Objects
from alula.errors import ConfigError
from alula.sdk.local import place_at

HOUR = timedelta(hours=1)
PLACE = place_at("memory://raw", Objects())


@task
def inc(a: int) -> int:
    return a + 1


@workflow
def asks(a: int) -> int:
    approve(inc(a=a), "is-it-good", timeout=HOUR)
    return inc(a=wait_for_input("how-many", timeout=HOUR, expected_type=int))


@workflow
def nested(a: int) -> int:
    return conditional("c").if_(a > 1).then(asks(a=a)).else_().then(inc(a=a))


@dynamic
def decides(a: int) -> int:
    return asks(a=a)


@workflow
def later(a: int) -> int:
    return decides(a=a)


@pytest.mark.parametrize("entity", [asks, nested, LaunchPlan.get_or_create(asks, name="asks-plan")])
def test_an_answer_has_the_type_that_its_gate_waits_for(entity: Any) -> None:
    assert typed(entity, {"how-many": "3", "is-it-good": "no"}, PLACE) == {"how-many": 3, "is-it-good": False}


def test_a_gate_that_does_not_exist_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="no such gate") as caught:
        typed(asks, {"howmany": "3"}, PLACE)
    assert caught.value.fix == "did you mean how-many?"
    assert "is-it-good" in caught.value.where


@pytest.mark.parametrize(("gate", "text"), [("how-many", "three"), ("is-it-good", "perhaps")])
def test_an_answer_that_does_not_fit_is_refused(gate: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"--answer {gate}"):
        typed(asks, {gate: text}, PLACE)


def test_gates_of_a_dynamic_task_are_not_known_yet() -> None:
    assert typed(later, {"how-many": "3", "is-it-good": "true"}, PLACE) == {"how-many": 3, "is-it-good": True}


def test_without_answers_nothing_is_looked_at() -> None:
    assert typed(asks, {}, PLACE) == {}
