"""Facts that are kept with an execution for whoever runs its tasks; the engine does not look at them."""

from __future__ import annotations

from collections.abc import Mapping

RAW_PREFIX = "raw_prefix"
"""Where tasks put files that their outputs refer to, if not below the prefixes of their attempts."""
_VARIABLE = "env."


def with_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Environment variables of an execution's tasks, as facts."""
    return {_VARIABLE + name: value for name, value in variables.items()}


def environment_of(facts: Mapping[str, str]) -> dict[str, str]:
    """The environment variables in the facts of an execution."""
    return {name.removeprefix(_VARIABLE): value for name, value in facts.items() if name.startswith(_VARIABLE)}
