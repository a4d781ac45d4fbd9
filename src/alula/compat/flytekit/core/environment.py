"""`Environment`: settings that several tasks share."""

from __future__ import annotations

from typing import Any

from alula.compat.flytekit.core.dynamic_workflow_task import dynamic
from alula.compat.flytekit.core.task import task
from alula.compat.names import mirror


class Environment:
    """Settings for many tasks; what a task says itself counts before them. See `alula.Environment`."""

    def __init__(self, **overrides: Any) -> None:
        if "_task_function" in overrides:
            raise KeyError("Cannot override task function in environment")
        self.overrides = overrides

    def update(self, **overrides: Any) -> None:
        self.overrides = _merged(self.overrides, overrides)

    def extend(self, **overrides: Any) -> Environment:
        return Environment(**_merged(self.overrides, overrides))

    def __call__(self, _task_function: Any = None, /, **overrides: Any) -> Any:
        return task(_task_function, **_merged(self.overrides, overrides))

    task = __call__

    def dynamic(self, _task_function: Any = None, /, **overrides: Any) -> Any:
        return dynamic(_task_function, **_merged(self.overrides, overrides))

    def show(self) -> str:
        return "\n".join(f"{name} = {value!r}" for name, value in sorted(self.overrides.items()))


def _merged(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    made = {**before, **after}
    for name, value in after.items():
        if isinstance(value, dict) and isinstance(before.get(name), dict):
            made[name] = {**before[name], **value}
    return made


__getattr__, __dir__ = mirror(__name__, {})
