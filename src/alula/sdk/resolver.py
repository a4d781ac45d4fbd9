"""How a container finds a task again: a resolver by its dotted path, and words that mean something to it."""

from __future__ import annotations

import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from alula._kits import lazy
from alula.errors import ConfigError
from alula.sdk.graph import Entity

DIALECTS = "alula.dialects"
"""Entry points whose name is a top-level package (`flytekit`): a function that makes the package importable, and with
it the programs that are written for it."""


class Resolver(ABC):
    """Finds tasks by words that it wrote itself. One instance, a variable of a module, serves all tasks."""

    location: str
    """The dotted path of this instance, to import it in a container."""

    def name(self) -> str:
        """What listings call it."""
        return self.location

    @abstractmethod
    def loader_args(self, task: Entity) -> list[str]:
        """The words that `load_task` will find `task` by. Called at registration. Raises ConfigError."""

    @abstractmethod
    def load_task(self, loader_args: Sequence[str]) -> Entity:
        """The task, in a process that has loaded nothing yet. Raises ConfigError, and what the user's modules raise."""

    def get_all_tasks(self) -> list[Entity]:
        """The tasks that this resolver keeps itself."""
        return []


class ByName(Resolver):
    """Finds a task by its module and the variable there that holds it.

    A task made in the body of a workflow has no variable of its own: it is the n-th one made by that workflow.
    """

    location = "alula.sdk.resolver.default"

    def loader_args(self, task: Entity) -> list[str]:
        module, scope = _home(task)
        name = _variable(task, scope)
        if name is not None:
            return ["task-module", module, "task-name", name]
        made = getattr(task, "made_in", None)
        for name, value in scope.items():
            graph = value.__dict__.get("_graph") if isinstance(value, Entity) else None
            if graph is not None and graph.trace is made and task in made.made:
                return ["task-module", module, "task-name", name, "task-index", str(made.made.index(task))]
        raise ConfigError(
            f"task '{task.name}' is in no variable of module {module}, so a container could not find it",
            where=getattr(task, "where", ""),
            fix=f"assign it at the top of the module: {task.short_name} = ...",
        )

    def load_task(self, loader_args: Sequence[str]) -> Entity:
        words = dict(zip(loader_args[::2], loader_args[1::2], strict=False))
        found = _attribute(_word(words, "task-module"), _word(words, "task-name"))
        if "task-index" in words:
            found = _made_by(found, int(words["task-index"]))
        if not isinstance(found, Entity):
            raise ConfigError(
                f"{words['task-module']}.{words['task-name']} is {found!r:.80}, and no task",
                fix="register the task again: the module has changed since",
            )
        return found


@dataclass(frozen=True, slots=True)
class MappedTask:
    """A task that runs for one item of a map."""

    target: Entity
    bound: frozenset[str]
    """Inputs that are the same for every item; the others are lists to take the item from."""


class ByTarget(Resolver):
    """Finds the task that is mapped, by its own resolver, and which of its inputs are no lists."""

    location = "alula.sdk.resolver.mapped"

    def loader_args(self, task: Entity) -> list[str]:
        target: Any = getattr(task, "target", task)
        bound = ",".join(sorted(getattr(task, "bound", ())))
        return ["vars", bound, "resolver", target.resolver.location, *target.resolver.loader_args(target)]

    def load_task(self, loader_args: Sequence[str]) -> Entity:
        return self.load_mapped(loader_args).target

    def load_mapped(self, loader_args: Sequence[str]) -> MappedTask:
        """The task, and which of its inputs are bound."""
        if len(loader_args) < 4 or loader_args[0] != "vars" or loader_args[2] != "resolver":
            raise _unreadable(loader_args, "vars NAMES resolver LOCATION ...")
        _, names, _, location, *rest = loader_args
        return MappedTask(load(location, rest), frozenset(name for name in names.split(",") if name))


default = ByName()
mapped = ByTarget()


def find(location: str) -> Resolver:
    """The resolver at a dotted path. Raises ConfigError.

    The dialect of its top-level package is installed first, so that command lines of another SDK are understood
    without it.
    """
    _speak(location)
    module, _, name = location.rpartition(".")
    found = _attribute(module, name)
    if not callable(getattr(found, "load_task", None)):
        raise ConfigError(f"{location} is {found!r:.80}, and no resolver", fix="name a variable that holds a Resolver")
    return found  # type: ignore[no-any-return]


def entity_of(value: Any) -> Entity | None:
    """The entity that a value is, or stands for (an object of a dialect holds it as `__alula_entity__`), if any."""
    if isinstance(value, Entity):
        return value
    held = None if isinstance(value, type) else getattr(type(value), "__alula_entity__", None)
    return value.__alula_entity__ if held is not None else None


def load(location: str, loader_args: Sequence[str]) -> Entity:
    """The task that the resolver at `location` finds by these words. Raises ConfigError."""
    found = find(location).load_task(list(loader_args))
    entity = entity_of(found)
    if entity is None:
        raise ConfigError(f"{location} finds {found!r:.80} by {' '.join(loader_args)}, and that is no task")
    return entity


def load_mapped(loader_args: Sequence[str]) -> MappedTask:
    """The task of a map, by the words of its resolver. Raises ConfigError."""
    return mapped.load_mapped(loader_args)


def _home(task: Entity) -> tuple[str, Mapping[str, Any]]:
    """The module of a task, as a container imports it, and the variables of that module here."""
    module: str = getattr(task, "module", "")
    scope = getattr(task, "scope", None)
    if scope is None:
        fn = inspect.unwrap(getattr(task, "fn", task))
        scope = getattr(fn, "__globals__", None) or getattr(sys.modules.get(module), "__dict__", {})
    return module, scope


def _variable(task: Entity, scope: Mapping[str, Any]) -> str | None:
    """The variable that holds a task; None: there is none."""
    name = getattr(task, "function", "")
    found = scope.get(name.partition(".")[0])
    for part in name.split(".")[1:]:
        found = getattr(found, part, None)
    if found is task:
        return name
    return next((key for key, value in scope.items() if value is task), None)


def _made_by(owner: Any, index: int) -> Any:
    made = owner.graph.trace.made if isinstance(owner, Entity) and hasattr(owner, "graph") else []
    if index >= len(made):
        raise ConfigError(
            f"{owner!r} makes {len(made)} tasks, and number {index} is asked for",
            fix="register the workflow again: it has changed since",
        )
    return made[index]


def _attribute(module: str, name: str) -> Any:
    if not module:
        raise _unreadable([name], "a dotted path")
    try:
        found: Any = _module(module)
    except ModuleNotFoundError as exc:
        if not exc.name or not (module == exc.name or module.startswith(exc.name + ".")):
            raise
        raise ConfigError(
            f"the module {module} is not installed here",
            where=f"sys.path: {', '.join(sys.path)}",
            fix="put the code into the image, or register with a code bundle",
        ) from exc
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigError(
                f"the module {module} has no {name}",
                where=str(getattr(found, "__file__", module)),
                fix="put the version of the code into the image that the task was registered from",
            )
        found = getattr(found, part)
    return found


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as exc:
        if not _speak(exc.name or ""):
            raise
    return import_module(name)  # it is written for another SDK, which is not installed


def _speak(path: str) -> bool:
    """Install the dialect of the top-level package of a path, if there is one."""
    package = path.partition(".")[0]
    if package == "alula" or package not in lazy.entry_points(DIALECTS):  # reading entry points takes 15 ms
        return False
    lazy.load(DIALECTS, package)()
    return True


def _word(words: Mapping[str, str], key: str) -> str:
    if key not in words:
        raise _unreadable([f"{k} {v}" for k, v in words.items()], "task-module MODULE task-name NAME")
    return words[key]


def _unreadable(words: Sequence[str], wanted: str) -> ConfigError:
    return ConfigError(f"a task cannot be found by {' '.join(words)!r}", fix=f"pass {wanted}")
