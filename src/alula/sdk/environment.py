"""`Environment`: settings that several tasks share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from alula.sdk.dynamic import DynamicTask, dynamic
from alula.sdk.options import TaskKeywords, options
from alula.sdk.task import PythonTask, task

P = ParamSpec("P")
R = TypeVar("R")


class Environment:
    """Settings for many tasks; what a task says itself counts before them.

    Example:
        env = Environment(retries=2, container_image="example.org/train:3")

        @env.task(retries=5)
        def train(epochs: int) -> float: ...

    Raises:
        SignatureError: a setting that `@task` does not have.
    """

    def __init__(self, **settings: Unpack[TaskKeywords]) -> None:
        options(settings, "Environment")
        self._settings: dict[str, Any] = {**settings}

    @property
    def settings(self) -> Mapping[str, Any]:
        return self._settings

    def update(self, **settings: Unpack[TaskKeywords]) -> None:
        """Change settings for the tasks that come after. Dictionaries, such as `environment`, are merged."""
        merged = _merged(self._settings, settings)
        options(merged, "Environment")
        self._settings = merged

    def extend(self, **settings: Unpack[TaskKeywords]) -> Environment:
        """Another environment with more or other settings; this one stays as it is."""
        return Environment(**_merged(self._settings, settings))

    def show(self) -> str:
        """The settings, one a line."""
        return "\n".join(f"{key} = {value!r}" for key, value in sorted(self._settings.items()))

    @overload
    def task(self, fn: Callable[P, R], /) -> PythonTask[P, R]: ...
    @overload
    def task(self, fn: None = None, /, **own: Unpack[TaskKeywords]) -> Callable[[Callable[P, R]], PythonTask[P, R]]: ...
    def task(self, fn: Any = None, /, **own: Any) -> Any:
        """`alula.task` with these settings."""
        decorate: Any = task(**_merged(self._settings, own))
        return decorate if fn is None else decorate(fn)

    __call__ = task

    @overload
    def dynamic(self, fn: Callable[P, R], /) -> DynamicTask[P, R]: ...
    @overload
    def dynamic(
        self, fn: None = None, /, **own: Unpack[TaskKeywords]
    ) -> Callable[[Callable[P, R]], DynamicTask[P, R]]: ...
    def dynamic(self, fn: Any = None, /, **own: Any) -> Any:
        """`alula.dynamic` with these settings."""
        decorate: Any = dynamic(**_merged(self._settings, own))
        return decorate if fn is None else decorate(fn)

    def __repr__(self) -> str:
        return f"Environment({', '.join(f'{k}={v!r}' for k, v in self._settings.items())})"


def _merged(settings: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    made = {**settings, **own}
    for key, value in own.items():
        before = settings.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            made[key] = {**before, **value}
    return made
