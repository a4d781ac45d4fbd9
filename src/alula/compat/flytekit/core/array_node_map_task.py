"""`map_task` over flytekit's tasks."""

from __future__ import annotations

import functools
from typing import Any, List, Optional  # noqa: UP035 - as flytekit spells types

from alula.compat.adopt import adopted
from alula.compat.flytekit.core.base_task import TaskResolverMixin
from alula.compat.flytekit.core.interface import Interface, typed_interface
from alula.compat.flytekit.core.node import Mirror
from alula.compat.flytekit.core.promise import call, unwrapped
from alula.compat.flytekit.models.interface import TypedInterface
from alula.compat.names import mirror
from alula.sdk import resolver
from alula.sdk.map import ArrayTask
from alula.sdk.map import map_task as our_map_task

_LIST: Any = List  # noqa: UP006
_OPTIONAL: Any = Optional


class ArrayNodeMapTask(Mirror):
    """A task over lists of its inputs."""

    _held: ArrayTask[Any]

    def __init__(self, target: Any, bound: dict[str, Any], metadata: Any = None, **settings: Any) -> None:
        self._target, self._bound, self._metadata = target, bound, metadata
        partial = functools.partial(target.__alula_entity__, **{k: unwrapped(v) for k, v in bound.items()})
        with adopted():
            self._hold(our_map_task(partial, **settings))

    @property
    def name(self) -> str:
        return self._held.name

    @property
    def python_function_task(self) -> Any:
        return self._target

    run_task = python_function_task

    @property
    def bound_inputs(self) -> set[str]:
        return set(self._bound)

    @property
    def concurrency(self) -> int | None:
        return self._held.concurrency

    @property
    def min_successes(self) -> int | None:
        return self._held.min_successes

    @property
    def min_success_ratio(self) -> float:
        return self._held.min_success_ratio

    @property
    def metadata(self) -> Any:
        return self._metadata or self._target.metadata

    @property
    def python_interface(self) -> Interface:
        inner: Interface = self._target.python_interface
        inputs = {name: t if name in self._bound else _LIST[t] for name, t in inner.inputs.items()}
        tolerant = self._held.tolerant
        outputs = {name: _LIST[_OPTIONAL[t] if tolerant else t] for name, t in inner.outputs.items()}
        return Interface(inputs, outputs)

    @property
    def interface(self) -> TypedInterface:
        return typed_interface(self._held.interface)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return call(self._held, args, kwargs)

    def with_overrides(self, *args: Any, **kwargs: Any) -> Any:
        return lambda *a, **k: self(*a, **k).with_overrides(*args, **kwargs)

    def __repr__(self) -> str:
        return f"ArrayNodeMapTask({self.name})"


def map_task(
    target: Any,
    concurrency: int | None = None,
    min_successes: int | None = None,
    min_success_ratio: float | None = 1.0,
    run_all_sub_nodes: bool = False,
    **kwargs: Any,
) -> ArrayNodeMapTask:
    """A task over lists. See `alula.map_task`."""
    partial = target if isinstance(target, functools.partial) else functools.partial(target)
    if partial.args:
        raise ValueError("inputs of a mapped task are bound by name")
    if not hasattr(partial.func, "__alula_entity__"):
        raise ValueError(f"Map tasks can only compose of tasks and launch plans, got {partial.func!r}")
    return ArrayNodeMapTask(
        partial.func,
        dict(partial.keywords),
        kwargs.get("metadata"),
        concurrency=concurrency,
        min_successes=min_successes,
        min_success_ratio=1.0 if min_success_ratio is None else min_success_ratio,
        run_all_sub_nodes=run_all_sub_nodes,
    )


def array_node_map_task(task_function: Any, **kwargs: Any) -> ArrayNodeMapTask:
    return map_task(task_function, **kwargs)


class ArrayNodeMapTaskResolver(TaskResolverMixin):
    """Finds the task that is mapped, by its own resolver."""

    location = "flytekit.core.array_node_map_task.ArrayNodeMapTaskResolver"

    def name(self) -> str:
        return "flytekit.core.array_node_map_task.ArrayNodeMapTaskResolver"

    @staticmethod
    def load_task(loader_args: list[str], max_concurrency: int = 0) -> Any:
        found = resolver.load_mapped(loader_args)
        return found.target


__getattr__, __dir__ = mirror(__name__, {})
