"""`@eager`: an async function whose calls of tasks are real runs, with real values in between."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from alula.errors import SignatureError
from alula.sdk.options import TaskKeywords, options
from alula.sdk.signature import where_of
from alula.sdk.task import PythonTask, check_reachable

P = ParamSpec("P")
R = TypeVar("R")


class EagerTask(PythonTask[P, R]):
    """An async task that calls others: plain Python decides what runs next, on values and not on promises."""


@overload
def eager(fn: Callable[P, R], /) -> EagerTask[P, R]: ...
@overload
def eager(fn: None = None, /, **keywords: Unpack[TaskKeywords]) -> Callable[[Callable[P, R]], EagerTask[P, R]]: ...
def eager(fn: Any = None, /, **keywords: Any) -> Any:
    """An async function that may await tasks and workflows, branch on their results, and catch their errors.

    Args:
        fn: A module-level `async def` with type hints.
        keywords: Settings, each a field of `TaskOptions`.

    Raises:
        SignatureError, UnsupportedType: with everything that is wrong with the declaration.
    """
    settings = options(keywords, "eager")

    def decorate(fn: Callable[..., Any]) -> EagerTask[..., Any]:
        check_reachable(fn, "eager")
        if not inspect.iscoroutinefunction(inspect.unwrap(fn)):
            raise SignatureError(
                f"@eager is put on '{fn.__name__}', which is not async",
                where=where_of(fn),
                fix="write `async def`, or use @dynamic",
            )
        return EagerTask(fn, settings)

    return decorate if fn is None else decorate(fn)
