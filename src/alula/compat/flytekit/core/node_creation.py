"""`create_node`: a call that gives the node itself."""

from __future__ import annotations

from typing import Any

from alula.compat.adopt import adopted
from alula.compat.flytekit.core.promise import unwrapped, wrapped
from alula.compat.flytekit.exceptions.user import FlyteAssertion
from alula.compat.names import mirror
from alula.sdk import node


def create_node(entity: Any, *args: Any, **kwargs: Any) -> Any:
    """The node of a call, rather than the promises of its outputs."""
    if args:
        raise FlyteAssertion(f"Only keyword args are supported to pass inputs, found {len(args)} positional ones")
    ours = getattr(entity, "__alula_entity__", None)
    if ours is None:
        raise FlyteAssertion(f"Should be a callable Flyte Entity (either local or fetched) but is {type(entity)}")
    with adopted():
        return wrapped(node.create_node(ours, **{name: unwrapped(value) for name, value in kwargs.items()}))


__getattr__, __dir__ = mirror(__name__, {"alula.compat.flytekit.core.node": "Node"})
