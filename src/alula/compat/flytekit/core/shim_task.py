"""Tasks of which only the template is known where they run."""

from __future__ import annotations

from abc import ABC
from typing import Any, Generic, TypeVar

from alula.compat.flytekit.core.node import Mirror
from alula.compat.flytekit.core.tracker import TrackedInstance
from alula.compat.flytekit.models.task import TaskTemplate
from alula.compat.model import message_of
from alula.compat.names import mirror
from alula.sdk import prebuilt
from alula.sdk.graph import Node
from alula.sdk.local import Kept, LocalRun, fresh, keep

T = TypeVar("T")


class ShimTaskExecutor(TrackedInstance, ABC, Generic[T]):
    """Turns a task template and inputs into outputs, in an image that has no user code."""

    def execute_from_model(self, tt: TaskTemplate, **kwargs: Any) -> Any:
        """The output, or a tuple of several."""
        raise NotImplementedError(f"{type(self).__name__}.execute_from_model")


class ExecutableTemplateShimTask(Mirror):
    """A task out of a template and the class that runs it."""

    def __init__(self, tt: TaskTemplate, executor_type: type[ShimTaskExecutor[Any]], *args: Any, **kwargs: Any) -> None:
        self._executor_type, self._task_template = executor_type, tt
        self._executor: ShimTaskExecutor[Any] = executor_type()
        self._hold(_Shim(self))

    @property
    def name(self) -> str:
        return str(self._task_template.id.name)

    @property
    def task_template(self) -> TaskTemplate:
        return self._task_template

    @property
    def executor(self) -> ShimTaskExecutor[Any]:
        return self._executor

    @property
    def executor_type(self) -> type[ShimTaskExecutor[Any]]:
        return self._executor_type


class _Shim(prebuilt.TemplateTask):
    """The same for Alula."""

    def __init__(self, theirs: ExecutableTemplateShimTask) -> None:
        super().__init__(message_of(theirs.task_template))
        self._theirs = theirs

    def perform(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        values = {k: fresh(kept, self.interface.inputs[k].converter, run.place) for k, kept in inputs.items()}
        result = self._theirs.executor.execute_from_model(self._theirs.task_template, **values)
        outputs = list(self.interface.outputs.values())
        given = result if isinstance(result, tuple) and len(outputs) > 1 else (result,)
        return tuple(keep(value, one.converter, run.place) for value, one in zip(given, outputs, strict=False))


__getattr__, __dir__ = mirror(__name__, {})
