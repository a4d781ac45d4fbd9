"""`AgentTask`: a task that an agent runs, said by its type and what the agent wants to know."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, ClassVar, NoReturn, Unpack

from alula.errors import PluginError, SignatureError
from alula.idl import TaskTemplate
from alula.sdk.instance import InstanceTask
from alula.sdk.options import TaskKeywords

_TYPE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")


class AgentTask(InstanceTask):
    """Runs where the agent of its type runs it, in whatever language that is written. No container, no Python.

    Args:
        name: Full name, unique in the project.
        agent_type: The task type that the agent serves; `alula agent check` lists those of an agent.
        version: The version of that type.
        config: What the agent reads as the template's `custom`: a mapping, or a dataclass.
        inputs: Names to types.
        outputs: Names to types.
        keywords: Settings as of `@task`; those of containers mean nothing here.

    Raises:
        SignatureError: The type is none, or the config cannot be written as JSON.

    Example:
        count = AgentTask("count", "acme_count", config={"table": "t"}, outputs=kwtypes(rows=int))
    """

    runs_user_code: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        agent_type: str,
        *,
        version: int = 0,
        config: Any = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        **keywords: Unpack[TaskKeywords],
    ) -> None:
        if not _TYPE.fullmatch(agent_type):
            raise SignatureError(f"{agent_type!r} is no task type", fix="use letters, digits and _ . / -")
        self.task_type = agent_type  # type: ignore[misc]
        self._version = version
        self._config = asdict(config) if is_dataclass(config) and not isinstance(config, type) else dict(config or {})
        super().__init__(name, inputs, outputs, **keywords)

    def execute(self, **inputs: Any) -> NoReturn:
        raise PluginError(
            f"task '{self.name}' is run by the agent of type {self.task_type!r}, not by a Python call",
            where=self.where,
            fix="run the workflow with `alula run`, with the agent in [backends.agent.endpoints]; or mock the task",
        )

    def fill(self, template: TaskTemplate, env: Mapping[str, str], image: Callable[[Any], str]) -> None:
        template.task_type_version = self._version
        try:
            template.custom.update(self._config)
        except (TypeError, ValueError, AttributeError) as exc:
            raise SignatureError(
                f"the config of task '{self.name}' cannot be written as JSON: {exc}",
                where=self.where,
                fix="use text, numbers, booleans, None, lists and mappings",
            ) from exc
