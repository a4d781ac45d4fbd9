"""Answers for gates, so that a test needs nobody at the keyboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from alula._kits.records import replace
from alula.sdk.local import current_run, running


@contextmanager
def gates(answers: Mapping[str, Any]) -> Iterator[None]:
    """Gates of local runs take their answers from here while the block lasts.

    Args:
        answers: By name of the gate: the value for `wait_for_input`, True or False for `approve`.

    Example:
        with gates({"how-many": 3, "is-it-good": True}):
            assert pipeline(a=1) == 5
    """
    run = current_run()
    with running(replace(run, answers={**run.answers, **answers})):
        yield
