"""`create_node`: a call that gives the node itself, to be ordered and to pick outputs from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alula.errors import CallError
from alula.sdk.graph import Entity, Node, current_trace
from alula.sdk.signature import caller


class DoneNode:
    """What `create_node` gives outside of a workflow: the entity has run, and its outputs are values."""

    def __init__(self, title: str, outputs: Mapping[str, Any]) -> None:
        self._title, self.outputs = title, outputs

    def runs_before(self, other: Any) -> None:
        """Nothing: plain Python runs in the order in which it is written."""

    def __rshift__(self, other: Any) -> Any:
        return other

    def with_overrides(self, **settings: Any) -> DoneNode:
        """The same: what has run has no settings left."""
        return self

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self.outputs:
            return self.outputs[name]
        raise AttributeError(f"'{self._title}' has no output '{name}'; it has {', '.join(self.outputs) or 'none'}")

    def __repr__(self) -> str:
        return f"<done: {self._title}>"


def create_node(entity: Entity, *args: Any, **kwargs: Any) -> Node | DoneNode | Any:
    """The node of a call, rather than the promises of its outputs.

    Args:
        entity: A task, workflow or launch plan.
        kwargs: Its inputs, by name.

    Raises:
        CallError: inputs by position, or something that cannot be a node.

    Example:
        first = create_node(prepare, path="data")
        second = create_node(train)
        first >> second
    """
    if args:
        raise CallError(
            f"create_node({getattr(entity, 'short_name', entity)!s}, ...) is given {len(args)} input(s) by position",
            where=caller(),
            fix="pass inputs by name",
        )
    if not isinstance(entity, Entity):
        raise CallError(f"create_node is given {entity!r:.80}, which is no task", where=caller(), fix="put @task on it")
    trace = current_trace()
    if trace is not None:
        return trace.add(entity, (), kwargs)
    result = entity(**kwargs)
    names = list(entity.interface.outputs)
    as_tuple = entity.interface.as_tuple or len(names) > 1
    values = result if as_tuple else [result][: len(names)]
    return DoneNode(entity.short_name, dict(zip(names, values, strict=True)))
