"""Tasks around a function, and tasks without one."""

from __future__ import annotations

import enum
import inspect
from abc import ABC
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from alula.compat.flytekit.core.base_task import PythonTask, Task, TaskResolverMixin, hooked
from alula.compat.flytekit.core.docstring import Docstring, documentation
from alula.compat.flytekit.core.interface import transform_function_to_interface
from alula.compat.flytekit.core.python_auto_container import PythonAutoContainerTask
from alula.compat.flytekit.core.tracker import (
    extract_task_module,
    is_functools_wrapped_module_level,
    isnested,
    istestfunction,
)
from alula.compat.flytekit.core.type_engine import TypeEngine
from alula.compat.inner import DispatchedTask, HookedTask, InnerDynamic, InnerEager, PlainTask, TemplateTask
from alula.compat.names import mirror
from alula.sdk.graph import Entity
from alula.sdk.local import wait_for

T = TypeVar("T")


class PythonInstanceTask(PythonAutoContainerTask[T], ABC):
    """A task that is an object: a subclass writes `execute`."""

    def __init__(
        self,
        name: str,
        task_config: T,
        task_type: str = "python-task",
        task_resolver: TaskResolverMixin | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, task_config=task_config, task_type=task_type, task_resolver=task_resolver, **kwargs)


class PythonFunctionTask(PythonAutoContainerTask[T]):
    """A task around a function. A plugin's subclass may do something before, after and instead of it."""

    class ExecutionBehavior(enum.Enum):
        DEFAULT = 1
        DYNAMIC = 2
        EAGER = 3

    def __init__(
        self,
        task_config: T,
        task_function: Callable[..., Any],
        task_type: str = "python-task",
        ignore_input_vars: Iterable[str] | None = None,
        execution_mode: ExecutionBehavior = ExecutionBehavior.DEFAULT,
        task_resolver: TaskResolverMixin | None = None,
        node_dependency_hints: Iterable[Any] | None = None,
        pickle_untyped: bool = False,
        **kwargs: Any,
    ) -> None:
        if not callable(task_function):
            raise ValueError(f"a task needs a function, got {task_function!r}")
        if node_dependency_hints is not None and execution_mode is not self.ExecutionBehavior.DYNAMIC:
            raise ValueError("node_dependency_hints should only be used on dynamic tasks.")
        self._task_function, self._execution_mode = task_function, execution_mode
        self._node_dependency_hints = node_dependency_hints
        name, *_ = extract_task_module(task_function)
        described = Docstring(callable_=task_function)
        interface = transform_function_to_interface(task_function, described, pickle_untyped=pickle_untyped)
        super().__init__(
            name=name,
            interface=interface.remove_inputs(list(ignore_input_vars)) if ignore_input_vars else interface,
            task_config=task_config,
            task_type=task_type,
            task_resolver=task_resolver,
            **kwargs,
        )
        _ = self.python_interface.ours  # faults of the declaration come with it
        if self._task_resolver is None:
            _check_reachable(task_function)
        self.__doc__, self.__wrapped__ = task_function.__doc__, task_function
        self.__name__ = getattr(task_function, "__name__", name)

    @property
    def task_function(self) -> Callable[..., Any]:
        return self._task_function

    @property
    def docs(self) -> Any:
        """What was given, and for the rest what the docstring says."""
        return documentation(self._task_function, self._docs)

    @property
    def execution_mode(self) -> ExecutionBehavior:
        return self._execution_mode

    @property
    def node_dependency_hints(self) -> Iterable[Any] | None:
        return self._node_dependency_hints

    def execute(self, **kwargs: Any) -> Any:
        if self._execution_mode is self.ExecutionBehavior.DYNAMIC:
            return self.dynamic_execute(self._task_function, **kwargs)
        return self._task_function(**kwargs)

    def dynamic_execute(self, task_function: Callable[..., Any], **kwargs: Any) -> Any:
        return self(**kwargs)

    def compile_into_workflow(self, ctx: Any, task_function: Callable[..., Any], **kwargs: Any) -> Any:
        """The nodes that a dynamic task makes of these inputs."""
        return self.dispatch_execute(ctx, TypeEngine.dict_to_literal_map(ctx, kwargs, self.python_interface.inputs))

    def _entity(self) -> Entity:
        fn, options = self._task_function, self.options()
        if self._execution_mode is self.ExecutionBehavior.DYNAMIC:
            return InnerDynamic(self, fn, options)
        if self.changed(["dispatch_execute"], Task):
            return DispatchedTask(self, fn, options)
        if self.changed(["get_container", "get_k8s_pod", "get_sql"], PythonAutoContainerTask):
            return TemplateTask(self, options)
        return HookedTask(self, fn, options) if hooked(self, self._base()) else PlainTask(self, fn, options)

    def _base(self) -> type[Any]:
        """The class whose way to run the function counts as plain."""
        return PythonFunctionTask


class AsyncPythonFunctionTask(PythonFunctionTask[T]):
    """A task around an async function."""

    async def async_execute(self, *args: Any, **kwargs: Any) -> Any:
        return await self._task_function(*args, **kwargs)

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        return wait_for(self.async_execute(*args, **kwargs))

    def _base(self) -> type[Any]:
        changed = self.changed(["async_execute"], AsyncPythonFunctionTask)
        return PythonTask if changed else AsyncPythonFunctionTask


class EagerAsyncPythonFunctionTask(AsyncPythonFunctionTask[T]):
    """An async function that awaits tasks."""

    def __init__(self, task_config: Any, task_function: Callable[..., Any], **kwargs: Any) -> None:
        kwargs.pop("execution_mode", None)
        super().__init__(task_config, task_function, execution_mode=self.ExecutionBehavior.EAGER, **kwargs)

    def _entity(self) -> Entity:
        return InnerEager(self, self._task_function, self.options())


def _check_reachable(fn: Callable[..., Any]) -> None:
    """ValueError for a function inside a function, which a container could not find again."""
    if isnested(fn) and not istestfunction(fn) and not is_functools_wrapped_module_level(fn):
        code = getattr(inspect.unwrap(fn), "__code__", None)
        where = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
        raise ValueError(
            f"TaskFunction cannot be a nested/inner or local function: {fn.__qualname__}{where}. Move it to the top of "
            "its module; modules whose names begin with `test_` may have nested tasks, and a decorator may use "
            "functools.wraps"
        )


__getattr__, __dir__ = mirror(__name__, {"alula.compat.flytekit.core.python_auto_container": "default_task_resolver"})
