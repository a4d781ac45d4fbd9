"""The workflows that engines are timed with: no-op tasks in a chain, side by side, and over a list."""

from __future__ import annotations

import inspect

import alula
from alula import map_task
from alula.sdk.workflow import PythonWorkflow


@alula.task
def add_one(a: int) -> int:
    return a + 1


def chain(count: int) -> PythonWorkflow[..., int]:
    """Each task takes the result of the one before."""

    def body(a: int) -> int:
        for _ in range(count):
            a = add_one(a=a)
        return a

    return _named(body, f"chain{count}")


def wide(count: int) -> PythonWorkflow[..., int]:
    """Tasks that take nothing from one another."""

    def body(a: int) -> int:
        last = a
        for _ in range(count):
            last = add_one(a=a)
        return last

    return _named(body, f"wide{count}")


def mapped(count: int) -> PythonWorkflow[..., list[int]]:
    """One task over a list, all elements at once if they may. The count is that of its input."""

    def body(values: list[int]) -> list[int]:
        return map_task(add_one)(a=values)

    return _named(body, f"mapped{count}")


def _named(body, name):  # type: ignore[no-untyped-def]
    body.__name__ = body.__qualname__ = name
    body.__signature__ = inspect.signature(body)
    return alula.workflow(body)
