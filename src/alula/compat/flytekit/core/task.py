"""`@task`, and which class a task becomes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, ClassVar

from alula.compat.adopt import adopted
from alula.compat.flytekit.core.base_task import PythonTask, TaskMetadata
from alula.compat.flytekit.core.interface import Interface
from alula.compat.flytekit.core.python_function_task import (
    AsyncPythonFunctionTask,
    EagerAsyncPythonFunctionTask,
    PythonFunctionTask,
)
from alula.compat.names import mirror
from alula.sdk import caching
from alula.sdk.caching import VersionParameters


class TaskPlugins:
    """The class of task for each class of config."""

    _PYTHONFUNCTION_TASK_PLUGINS: ClassVar[dict[type[Any], type[Any]]] = {}

    @classmethod
    def register_pythontask_plugin(cls, plugin_config_type: type[Any], plugin: type[Any]) -> None:
        """Tasks with such a config become instances of `plugin`. TypeError: they become another's already."""
        known = cls._PYTHONFUNCTION_TASK_PLUGINS.get(plugin_config_type)
        if known is not None and known is not plugin:
            raise TypeError(
                f"cannot register {plugin.__name__} for {plugin_config_type.__name__}, which {known.__name__} serves "
                "already"
            )
        cls._PYTHONFUNCTION_TASK_PLUGINS[plugin_config_type] = plugin

    @classmethod
    def find_pythontask_plugin(cls, plugin_config_type: type[Any]) -> type[Any]:
        return cls._PYTHONFUNCTION_TASK_PLUGINS.get(plugin_config_type, PythonFunctionTask)


def task(
    _task_function: Callable[..., Any] | None = None,
    task_config: Any = None,
    cache: Any = False,
    retries: int = 0,
    interruptible: bool | None = None,
    deprecated: str = "",
    *,
    timeout: timedelta | int = 0,
    container_image: Any = None,
    environment: dict[str, str] | None = None,
    requests: Any = None,
    limits: Any = None,
    secret_requests: Any = None,
    execution_mode: Any = PythonFunctionTask.ExecutionBehavior.DEFAULT,
    node_dependency_hints: Iterable[Any] | None = None,
    task_resolver: Any = None,
    docs: Any = None,
    disable_deck: bool | None = None,
    enable_deck: bool | None = None,
    deck_fields: Any = None,
    pod_template: Any = None,
    pod_template_name: str | None = None,
    accelerator: Any = None,
    pickle_untyped: bool = False,
    shared_memory: Any = None,
    resources: Any = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **kwargs: Any,
) -> Any:
    """A function as a task. See `alula.task`; the keywords are flytekit's."""
    old = {name: kwargs.pop(f"cache_{name}", None) for name in ("serialize", "version", "ignore_input_vars")}
    if kwargs:
        raise ValueError(f"Unrecognized argument(s) for task: {kwargs.keys()}")
    passed = {
        "container_image": container_image,
        "environment": environment,
        "requests": requests,
        "limits": limits,
        "secret_requests": secret_requests,
        "execution_mode": execution_mode,
        "node_dependency_hints": node_dependency_hints,
        "task_resolver": task_resolver,
        "docs": docs,
        "disable_deck": disable_deck,
        "enable_deck": enable_deck,
        "deck_fields": deck_fields,
        "pod_template": pod_template,
        "pod_template_name": pod_template_name,
        "accelerator": accelerator,
        "pickle_untyped": pickle_untyped,
        "shared_memory": shared_memory,
        "resources": resources,
    }

    def wrapper(fn: Callable[..., Any]) -> Any:
        params = VersionParameters(fn, container_image, pod_template, pod_template_name)
        with adopted():
            cached = caching.settings(
                cache,
                params,
                cache_version=old["version"] or None,
                cache_serialize=old["serialize"] or None,
                cache_ignore_input_vars=old["ignore_input_vars"] or None,
                where=f"task '{getattr(fn, '__name__', fn)}'",
            )
            metadata = TaskMetadata(
                cache=cached is not None,
                cache_serialize=cached.serialize if cached else False,
                cache_version=cached.version if cached else "",
                cache_ignore_input_vars=cached.ignored_inputs if cached else (),
                interruptible=interruptible,
                deprecated=deprecated,
                retries=retries,
                timeout=timeout or None,
                labels=labels,
                annotations=annotations,
            )
            made = _class_of(fn, task_config, execution_mode)(task_config, fn, metadata=metadata, **passed)
        functools.update_wrapper(made, fn, updated=())
        return made

    return wrapper if _task_function is None else wrapper(_task_function)


def eager(_fn: Callable[..., Any] | None = None, *args: Any, **kwargs: Any) -> Any:
    """An async function that awaits tasks."""
    if _fn is None:
        return functools.partial(eager, *args, **kwargs)
    if not inspect.iscoroutinefunction(inspect.unwrap(_fn)):
        raise AssertionError(f"@eager is put on {_fn.__name__}, which is not async")
    return task(_fn, *args, execution_mode=PythonFunctionTask.ExecutionBehavior.EAGER, **kwargs)


def decorate_function(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function, as it is: a debugger inside a container is not Alula's business."""
    return fn


class Echo(PythonTask[Any]):
    """A task that gives back what it is given."""

    _TASK_TYPE = "echo"

    def __init__(self, name: str, inputs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        outputs = dict(zip((f"o{i}" for i in range(len(inputs or {}))), (inputs or {}).values(), strict=True))
        super().__init__(task_type=self._TASK_TYPE, name=name, interface=Interface(inputs, outputs), **kwargs)

    def execute(self, **kwargs: Any) -> Any:
        values = list(kwargs.values())
        return values[0] if len(values) == 1 else tuple(values) or None


def _class_of(fn: Callable[..., Any], task_config: Any, execution_mode: Any) -> type[Any]:
    found = TaskPlugins.find_pythontask_plugin(type(task_config))
    if not inspect.iscoroutinefunction(inspect.unwrap(fn)):
        return found
    if found is PythonFunctionTask:
        eagerly = execution_mode is PythonFunctionTask.ExecutionBehavior.EAGER
        return EagerAsyncPythonFunctionTask if eagerly else AsyncPythonFunctionTask
    if not issubclass(found, AsyncPythonFunctionTask):
        raise AssertionError(f"{found.__name__} serves no async functions: it is no AsyncPythonFunctionTask")
    return found


__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.sdk.secrets": "Secret",
        "alula.sdk.resources": "Resources",
        "alula.compat.flytekit.core.base_task": "TaskResolverMixin",
        "alula.sdk.caching": "Cache",
        "alula.compat.flytekit.core.reference": "ReferenceTask reference_task",
    },
)
