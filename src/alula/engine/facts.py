"""Facts that are kept with an execution for whoever runs its tasks; the machine does not look at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alula._kits.records import replace
from alula.data.layout import user_data_below
from alula.plugin.runner import Job

if TYPE_CHECKING:  # these take their time, and whoever has a message has them
    from alula.idl.admin import LaunchPlanSpec
    from alula.idl.service import ExecutionSpec, WorkflowExecutionConfig

RAW_PREFIX = "raw_prefix"
"""Where tasks put files that their outputs refer to, if not below the prefixes of their attempts."""
_VARIABLE = "env."


@dataclass(frozen=True, slots=True)
class Added:
    """What an execution adds to each of its attempts."""

    environment: Mapping[str, str]
    raw_prefix: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_facts(cls, facts: Mapping[str, str]) -> Added | None:
        """What the facts of an execution say; None: nothing."""
        made = cls(environment_of(facts), facts.get(RAW_PREFIX, ""))
        return made if made.environment or made.raw_prefix else None

    def to(self, job: Job) -> Job:
        """An attempt with that."""
        id, prefix = job.id, self.raw_prefix
        return replace(
            job,
            environment={**self.environment, **job.environment},
            labels=self.labels,
            user_data=user_data_below(prefix, execution=id.execution, name=id.name) if prefix else job.user_data,
        )


def facts_of(*said: ExecutionSpec | LaunchPlanSpec | WorkflowExecutionConfig) -> dict[str, str]:
    """What is said of an execution's tasks as facts; what is said first stands above what is said after it."""
    variables = {pair.key: pair.value for one in reversed(said) for pair in one.envs.values}
    prefixes = (one.raw_output_data_config.output_location_prefix for one in said)
    raw = next(filter(None, prefixes), "")
    return with_environment(variables) | ({RAW_PREFIX: raw} if raw else {})


def with_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Environment variables of an execution's tasks, as facts."""
    return {_VARIABLE + name: value for name, value in variables.items()}


def environment_of(facts: Mapping[str, str]) -> dict[str, str]:
    """The environment variables in the facts of an execution."""
    return {name.removeprefix(_VARIABLE): value for name, value in facts.items() if name.startswith(_VARIABLE)}
