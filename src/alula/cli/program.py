"""The user's program: a file or module, and the entities in it."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from alula._kits import lazy
from alula.errors import ConfigError
from alula.sdk.graph import Entity
from alula.sdk.resolver import DIALECTS, entity_of

if TYPE_CHECKING:
    from alula.sdk.launch_plan import LaunchPlan

_KINDS = {
    "alula.sdk.dynamic.DynamicTask": "dynamic",
    "alula.sdk.eager.EagerTask": "eager",
    "alula.sdk.task.PythonTask": "task",
    "alula.sdk.container.ContainerTask": "task",
    "alula.sdk.workflow.BaseWorkflow": "workflow",
    "alula.sdk.launch_plan.LaunchPlan": "launch plan",
    "alula.sdk.map.ArrayTask": "map",
    "alula.sdk.reference.ReferenceEntity": "reference",
}
"""By the path of the class, so that a program of tasks does not load what launch plans and maps need."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a file or module holds that can run."""

    shown: str
    """As the user named it."""
    module: str
    entities: Mapping[str, Entity]
    """By variable name, in order of definition: those that the module makes itself, then those that it imports. Launch
    plans that are in no variable are there by their own names."""
    own: tuple[str, ...]
    """The names of those that it makes itself."""

    def find(self, name: str) -> Entity:
        """The entity in a variable, by that name or the entity's own. Raises ConfigError that suggests others."""
        found = self.entities.get(name) or self.entities.get(name.replace("-", "_"))
        if found is None:
            by_name = {entity.name: entity for entity in reversed(list(self.entities.values()))}
            found = by_name.get(name)
        if found is not None:
            return found
        close = difflib.get_close_matches(name, self.entities, n=1)
        known = ", ".join(self.own) or "nothing that can run"
        raise ConfigError(
            f"{self.shown} has no task, workflow or launch plan {name!r}",
            where=f"it has {known}",
            fix=f"did you mean {close[0]}?" if close else "name one of these, or define it at the top of the module",
        )


def kind_of(entity: Entity) -> str:
    """What an entity is, in a word."""
    paths = (f"{cls.__module__}.{cls.__qualname__}" for cls in type(entity).__mro__)
    return next((_KINDS[path] for path in paths if path in _KINDS), "entity")


def is_file(target: str) -> bool:
    """Whether a target names a file rather than a module."""
    return target.endswith(".py") or os.sep in target


def load(target: str) -> Program:
    """The program in a file (`flows/train.py`) or module (`flows.train`), imported as its users do.

    A file is imported under its path from the root of its package, which is put first on `sys.path`; so is the
    working directory for a module.

    Raises:
        ConfigError: there is no such file or module.
        BaseException: what its code raises.
    """
    imported = _load_file if is_file(target) else _load_module
    try:
        return _program(target, imported(target))
    except ModuleNotFoundError as exc:
        package = (exc.name or "").partition(".")[0]
        if package not in lazy.entry_points(DIALECTS):
            raise
    lazy.load(DIALECTS, package)()  # the program is written for another SDK, which is not installed
    return _program(target, imported(target))


def _program(target: str, module: ModuleType) -> Program:
    found: dict[str, Entity] = {}
    own: list[str] = []
    for name, value in vars(module).items():
        entity = None if name.startswith("_") else entity_of(value)
        if entity is not None and not any(entity is other for other in found.values()):
            found[name] = entity
            if _home(entity) in (module.__name__, ""):
                own.append(name)
    for plan in _unnamed(module):
        if plan.name not in found and not any(plan is other for other in found.values()):
            found[plan.name] = plan
            own.append(plan.name)
    rest = [name for name in found if name not in own]
    return Program(target, module.__name__, {name: found[name] for name in [*own, *rest]}, tuple(own))


def _unnamed(module: ModuleType) -> list[LaunchPlan]:
    """The launch plans that a module makes, in a variable or not: their names are enough to start them."""
    made: Any = sys.modules.get("alula.sdk.launch_plan")
    if made is None:
        return []
    file = getattr(module, "__file__", None)
    return [
        plan
        for plan in made.plans
        if plan.where.rpartition(":")[0] == file and plan.name != plan.workflow.name  # that one goes with the workflow
    ]


def _home(entity: Entity) -> str:
    """The module that makes an entity; empty where it does not say, as an imperative workflow."""
    scope = getattr(entity, "scope", None)  # of tasks that are objects
    return str(scope.get("__name__", "")) if scope is not None else str(getattr(entity, "module", ""))


def _load_module(name: str) -> ModuleType:
    _put_first(os.getcwd())
    try:
        return import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not (name == exc.name or name.startswith(f"{exc.name}.")):
            raise  # one that it imports
        fix = f"name a file, such as {name.replace('.', os.sep)}.py, or run from the directory that holds it"
        if ":" in name:
            file, _, entity = name.partition(":")
            fix = f"write them as two words: alula run {file} {entity.lstrip(':')}"
        raise ConfigError(f"there is no module {name!r}", where=f"from {os.getcwd()}", fix=fix) from None


def _load_file(target: str) -> ModuleType:
    path = Path(target).expanduser().resolve()
    if not path.is_file():
        there = "is a directory" if path.is_dir() else "does not exist"
        raise ConfigError(f"the file {target!r} {there}", where=str(path), fix=_suggestion(path))
    if path.suffix != ".py":
        raise ConfigError(f"{target!r} is no Python file", where=str(path), fix="name a file that ends in .py")
    root, parts = path.parent, [] if path.stem == "__init__" else [path.stem]
    while (root / "__init__.py").exists():
        parts.insert(0, root.name)
        root = root.parent
    _put_first(str(root))
    name = ".".join(parts)
    known = sys.modules.get(name)
    if known is not None:
        return _same_file(known, path)
    if len(parts) > 1:
        return import_module(name)
    spec = spec_from_file_location(name, path)
    assert spec is not None  # it ends in .py, or is executable text all the same
    return _executed(spec)


def _executed(spec: ModuleSpec) -> ModuleType:
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    assert spec.loader is not None
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(spec.name, None)
        raise
    return sys.modules[spec.name]


def _same_file(known: ModuleType, path: Path) -> ModuleType:
    file = getattr(known, "__file__", None)
    if file is not None and Path(file).resolve() == path:
        return known
    raise ConfigError(
        f"{path.name} has the name of a module that is loaded already, {known.__name__}",
        where=f"{path} and {file or 'a built-in module'}",
        fix="rename the file",
    )


def _suggestion(path: Path) -> str:
    near = path if path.is_dir() else path.parent
    names = sorted(p.name for p in near.glob("*.py")) if near.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.4)
    return f"did you mean {close[0]}?" if close else "name a Python file"


def _put_first(directory: str) -> None:
    if directory in sys.path:
        sys.path.remove(directory)
    sys.path.insert(0, directory)
