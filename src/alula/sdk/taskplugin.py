"""The contracts of one kind of task on the authoring side, and how a kind is found.

Two kinds. In a *user container* the user's function runs, dressed by a config: write a `TaskPlugin`. In a *prebuilt
container* there is no user function: the task template says everything, and a `TemplateExecutor` turns template and
inputs into outputs: write a `PrebuiltTask` (see `alula.sdk.prebuilt`).
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Generic, TypeVar

from alula._kits.lazy import entry_points, load
from alula.errors import PluginError

ConfigT = TypeVar("ConfigT")
GROUP = "alula.tasks"


class TaskPlugin(ABC, Generic[ConfigT]):
    """User-container kind: `@task(task_config=ConfigT(...))` runs the user's function in the user's image.

    One instance serves every task with such a config; it holds no state of a task.
    """

    task_type: ClassVar[str]
    """Chooses the backend plugin. `python-task` if any will do."""
    config_type: ClassVar[type[Any]]
    task_type_version: ClassVar[int] = 0

    def custom(self, config: ConfigT) -> Mapping[str, Any]:
        """What the backend plugin needs to know; becomes `TaskTemplate.custom`. Called at registration."""
        return {}

    def labels(self, config: ConfigT) -> Mapping[str, str]:
        """Strings for `TaskTemplate.config`. Called at registration."""
        return {}

    def around(self, config: ConfigT) -> AbstractContextManager[Mapping[str, object]]:
        """Entered where the task runs, around the user's function, once per attempt, before its inputs are read.

        Yields names for `alula.current_context()`. It sees the function's exception, and leaves it alone unless it
        means to replace it.
        """
        return nullcontext({})


class TaskPlugins:
    """Task plugins by the class of their config: those registered by call, and those of the entry points.

    An entry point's name is the path of the config class (`my_package.Spark`), its value the plugin class.
    """

    def __init__(self) -> None:
        self._by_config: dict[type[Any], TaskPlugin[Any]] = {}

    def register(self, plugin: TaskPlugin[Any]) -> None:
        """Serve `plugin.config_type` from now on. Raises PluginError if another plugin does."""
        known = self._by_config.get(plugin.config_type)
        if known is not None and type(known) is not type(plugin):
            raise PluginError(
                f"{plugin.config_type.__name__} is already served by {type(known).__name__}",
                where=f"registration of {type(plugin).__name__}",
                fix="give the new plugin a config class of its own",
            )
        self._by_config[plugin.config_type] = plugin

    def of(self, config: object) -> TaskPlugin[Any] | None:
        """The plugin for a config object, found by its class or a base of it; None: there is none."""
        for cls in type(config).__mro__:
            found = self._by_config.get(cls)
            if found is not None:
                return found
        for cls in type(config).__mro__[:-1]:
            path = f"{cls.__module__}.{cls.__qualname__}"
            if path in entry_points(GROUP):
                self.register(load(GROUP, path)())
                return self._by_config[cls]
        return None


plugins = TaskPlugins()
"""The plugins that `@task(task_config=...)` looks in. Append-only."""
register = plugins.register
