"""Stand-ins for entities: a test says what a task, workflow, launch plan or reference gives instead of running it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar
from unittest.mock import MagicMock

from alula.errors import CallError
from alula.sdk.graph import Entity, Node
from alula.sdk.local import Kept, LocalRun, fresh, keep_outputs
from alula.sdk.signature import caller

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def task_mock(entity: Any) -> Iterator[MagicMock]:
    """Calls of `entity`, also those inside workflows, go to the mock while the block lasts.

    The mock gets the inputs by name, as the function would. What it returns is checked like the output of the real
    thing, so a test cannot promise what the entity could not give.

    Args:
        entity: A task of any kind, a workflow, a launch plan, or a reference.

    Example:
        with task_mock(train) as fake:
            fake.return_value = 0.5
            assert pipeline(epochs=1) == 0.5
    """
    if not isinstance(entity, Entity):
        raise CallError(
            f"task_mock is given {entity!r:.80}",
            where=caller(),
            fix="give it a task, workflow, launch plan or reference",
        )
    mock = MagicMock(name=entity.short_name)
    inputs = entity.interface.inputs

    def perform(kept: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        values = {key: fresh(value, inputs[key].converter, run.place) for key, value in kept.items()}
        result = mock(**values)
        if not entity.interface.outputs and isinstance(result, MagicMock):
            result = None  # nobody said what a task without outputs returns
        return keep_outputs(entity.short_name, f"task_mock of {entity!r}", entity.interface, result, run.place)

    async def perform_async(kept: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        return perform(kept, run, node)

    entity.__dict__.update(perform=perform, perform_async=perform_async)
    try:
        yield mock
    finally:
        for name in ("perform", "perform_async"):
            entity.__dict__.pop(name, None)


def patch(target: Any) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """`task_mock` as a decorator of a test, which gets the mock as one more positional argument.

    Example:
        @patch(train)
        def test_pipeline(fake):
            fake.side_effect = lambda epochs: 0.5
    """

    def decorate(test: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(test)
        def wrapped(*args: Any, **kwargs: Any) -> R:
            with task_mock(target) as mock:
                return test(mock, *args, **kwargs)

        # a test runner reads the signature to find fixtures, and the mock is none
        signature = inspect.signature(test)
        rest = list(signature.parameters.values())[1:]
        wrapped.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
        return wrapped

    return decorate
