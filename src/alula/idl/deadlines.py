"""Deadlines that flyteidl has no field for, as text in the maps that it leaves for such things."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from datetime import timedelta

QUEUED = "queued_timeout_seconds"
"""In `NodeMetadata.config` and `TaskTemplate.config`: for an attempt to start running."""
NODE = "node_timeout_seconds"
"""In the same maps: for a node with all its attempts."""
WORKFLOW = "timeout_seconds"
"""In `WorkflowMetadata.tags`: for a workflow from begin to end."""


def write_deadline(into: MutableMapping[str, str], name: str, limit: timedelta) -> None:
    """Note a deadline; zero says that there is none."""
    into[name] = f"{limit.total_seconds():.6f}".rstrip("0").rstrip(".")


LONGEST = timedelta(days=36_500)
"""Of all that is waited for: a hundred years from now there still is a calendar."""


def read_deadline(maps: Mapping[str, str], *fallbacks: Mapping[str, str], name: str) -> timedelta | None:
    """The deadline of the first map that has one; None for zero, for nothing, and for what is no number of seconds."""
    for one in (maps, *fallbacks):
        if name in one:
            try:
                return min(timedelta(seconds=float(one[name])), LONGEST) or None
            except (ValueError, OverflowError):
                return None
    return None
