"""Attempts of tasks, as a host lends them to plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alula._kits.records import replace
from alula.hosting.task import Task
from alula.idl import Literal, TaskNodeOverrides, TaskTemplate
from tests.unit.backends.lending import lent


def attempt(
    type: str = "container",
    custom: Mapping[str, Any] | None = None,
    *,
    template: TaskTemplate | None = None,
    interruptible: bool = False,
    overrides: TaskNodeOverrides | None = None,
    inputs: Mapping[str, Literal] | None = None,
) -> Task:
    made = template or TaskTemplate(type=type)
    made.custom.update(custom or {})
    task = lent(made, inputs)
    task.job = replace(task.job, interruptible=interruptible, overrides=overrides)
    return task
