"""A resolver that keeps its tasks itself, by number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from alula.compat.flytekit.core.base_task import TaskResolverMixin
from alula.compat.flytekit.core.tracker import TrackedInstance
from alula.compat.names import mirror


class ClassStorageTaskResolver(TrackedInstance, TaskResolverMixin):
    """Finds the n-th task that was added."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.mapping: list[Any] = []

    def name(self) -> str:
        return "ClassStorageTaskResolver"

    def add(self, t: Any) -> None:
        self.mapping.append(t)

    def get_all_tasks(self) -> list[Any]:
        return self.mapping

    def load_task(self, loader_args: list[str]) -> Any:
        if len(loader_args) != 1:
            raise RuntimeError(f"Unable to load task, received ambiguous loader args {loader_args}, expected only one")
        return self.mapping[int(loader_args[0])]

    def loader_args(self, settings: Any, t: Any) -> list[str]:
        if t not in self.mapping:
            raise RuntimeError(f"task {t} was not added to {self.name()}")
        return [str(self.mapping.index(t))]


_reading: ContextVar[ClassStorageTaskResolver | None] = ContextVar("alula_flyte_reading", default=None)


@contextmanager
def reading(resolver: ClassStorageTaskResolver) -> Iterator[None]:
    """Tasks that are made inside the block belong to `resolver`: no variable of a module holds them."""
    token = _reading.set(resolver)
    resolver.mapping.clear()
    try:
        yield
    finally:
        _reading.reset(token)


def adopt_task(t: Any) -> ClassStorageTaskResolver | None:
    """The resolver that a new task belongs to; None: a module holds it."""
    resolver = _reading.get()
    if resolver is not None:
        resolver.add(t)
    return resolver


__getattr__, __dir__ = mirror(__name__, {})
